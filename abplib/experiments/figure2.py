"""Figure 2's claim (section 4.1): frame-wise models accumulate noise as time goes on.

python -m abplib.experiments figure2 --pattern grid fire --seeds 3 --out book/results/figure2.json

A linear dynamical system, frame-wise ABP with an autoregression, and Model-2 learn the same clip,
and go on for several times its length. Every window of 16 frames is measured against the clip. A
stretch of the real pattern that none of them saw is measured with them. Each seed is another clip,
another training and another synthesis. The file is rewritten after each; the same command goes on
where a run stopped, and ``--jobs`` computes several at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from abplib import metrics, presets
from abplib.abp import Settings, synthesise
from abplib.baselines import Framewise, FramewiseSettings, LinearDynamics
from abplib.data import patterns
from abplib.experiments.record import Cell, fill, write_json
from abplib.generators import Model2

CLIP = 96  # frames that every method learns
WINDOW = 16  # frames that one measurement sees
START = 1000  # of the syntheses' seeds, which are not the chains' own

FRAMEWISE = FramewiseSettings(
    width=0.25,
    norm="sequence",
    slope=0.2,
    mean_bias=True,
    abp=Settings(iterations=250, langevin_steps=3, learning_rate=2e-3, batch_size=16, decay=0.5),
)
"""Frame-wise ABP as Model-2's presets run it: a quarter of the filters, ten times the rate."""

MODEL2 = replace(
    presets.MODEL2["quick"],
    frames=64,
    offsets=tuple(range(0, CLIP - 63, 8)),
    latent_channels=8,
    components=False,
    moments=0.0,
    iterations=350,
    learning_rate=2e-3,
)
"""Model-2 on windows of the clip, for twenty-five seconds of one core, as plainly as possible."""

MEASURES = {
    "distance": "random-feature distance to the clip",
    "variance": "variance over time, as a multiple of the clip's",
    "sharpness": "power of the finer half of spatial frequencies, dB over the clip's",
    "flicker": "power of second differences in time, dB over the clip's",
    "outside": "share of values outside [-1, 1]",
}
"""What is measured in each window, by name."""


@dataclass(frozen=True)
class Learned:
    """A method that has learned a clip.

    Args:
        synthesise: (frames, seed) -> (3, frames, H, W); what leaves [-1, 1] is not cut.
        radius: spectral radius of its step from frame to frame; None where it has no such step.
    """

    synthesise: Callable[[int, int], Tensor]
    radius: float | None = None


class Yardstick:
    """The measures of `MEASURES`, against one real clip.

    Args:
        clip: (C, T, H, W) in [-1, 1], at least 16 frames.

    >>> clip = torch.rand(3, 32, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> [row["frame"] for row in Yardstick(clip).over_time(clip)]
    [0, 16]
    """

    def __init__(self, clip: Tensor) -> None:
        if clip.ndim != 4 or clip.shape[1] < WINDOW:
            raise ValueError(
                f"clip has shape {tuple(clip.shape)}; expected (C, T, H, W), T at least {WINDOW}"
            )
        self.features, self.units = [], []
        for features in metrics.random_features(clip):
            spread = features.std(0, correction=0)
            unit = spread.clamp_min(0.1 * spread.mean().item() + 1e-6)
            self.features.append(features / unit)
            self.units.append(unit)
        self.variance = sum(metrics.temporal_variance(w) for w in cut(clip)) / len(cut(clip))
        if self.variance < metrics.QUANTISATION:
            raise ValueError("the clip does not move: there is nothing to compare motion with")
        self.fine, self.second = fine_power(clip), second_difference(clip)

    def measure(self, window: Tensor) -> dict[str, float]:
        """Measure one window (C, T, H, W); what leaves [-1, 1] is counted, then cut."""
        shown = window.clamp(-1, 1)
        distances = [
            metrics.frechet_distance(a / unit, b) / b.shape[1]
            for a, b, unit in zip(
                metrics.random_features(shown), self.features, self.units, strict=True
            )
        ]
        return {
            "distance": sum(distances) / len(distances),
            "variance": metrics.temporal_variance(shown) / self.variance,
            "sharpness": fine_power(shown) - self.fine,
            "flicker": second_difference(shown) - self.second,
            "outside": float((window.abs() > 1).float().mean()),
        }

    def over_time(self, video: Tensor) -> list[dict[str, float]]:
        """Measure windows of 16 frames that follow each other: one row each, with its `frame`."""
        return [{"frame": k * WINDOW, **self.measure(w)} for k, w in enumerate(cut(video))]


def cut(video: Tensor) -> list[Tensor]:
    """Windows of 16 frames (C, 16, H, W); a shorter rest is left out."""
    return [w for w in video.split(WINDOW, dim=1) if w.shape[1] == WINDOW]


def fine_power(video: Tensor) -> float:
    """Mean power of the finer half of the spatial frequencies, in dB."""
    spectrum = metrics.radial_spectrum(video)
    return float(spectrum[len(spectrum) // 2 :].mean())


def second_difference(video: Tensor) -> float:
    """Mean square of I_{t+1} - 2 I_t + I_{t-1}, in dB: jerks and noise, not smooth motion."""
    jerk = video[:, 2:] - 2 * video[:, 1:-1] + video[:, :-2]
    return float(10 * torch.log10(jerk.double().square().mean() + metrics.QUANTISATION))


def change(rows: Iterable[dict[str, Any]], frames: int) -> list[dict[str, Any]]:
    """What time does to each measure: its mean over the first and the last frames of a synthesis.

    Args:
        rows: of one pattern, each with `method`, `seed`, `frame` and the measures.
        frames: how many frames count as early, and how many as late.

    Returns:
        A row for each method and measure: `early` and `late`, averaged over seeds; `change`, late
        minus early; `error`, the standard error of `change` over seeds (NaN for one seed).

    >>> rows = [{"method": "a", "seed": s, "frame": f, "distance": s + f} for s in (0, 2)
    ...         for f in (0, 16)]
    >>> change(rows, 16)[0]["change"]
    16.0
    """
    table = list(rows)
    end = max(row["frame"] for row in table) + WINDOW
    result = []
    for method in dict.fromkeys(row["method"] for row in table):
        mine = [row for row in table if row["method"] == method]
        for measure in (name for name in MEASURES if name in mine[0]):
            pairs = []
            for seed in dict.fromkeys(row["seed"] for row in mine):
                one = [(r["frame"], r[measure]) for r in mine if r["seed"] == seed]
                early = torch.tensor([float(v) for f, v in one if f < frames]).mean()
                late = torch.tensor([float(v) for f, v in one if f >= end - frames]).mean()
                pairs.append(torch.stack([early, late]))
            both = torch.stack(pairs)
            grown = both[:, 1] - both[:, 0]
            error = float(grown.std() / len(grown) ** 0.5) if len(grown) > 1 else float("nan")
            early, late = both.mean(0).tolist()
            row = {"method": method, "measure": measure, "early": early, "late": late}
            result.append({**row, "change": float(grown.mean()), "error": error})
    return result


def learn(clip: Tensor, seed: int = 0) -> dict[str, Learned]:
    """Learn one clip (3, 96, 64, 64) by every method.

    "stabilised" is "linear dynamics" with its eigenvalues held below 1. Those two and frame-wise
    ABP go on from the clip's first frame; Model-2 needs no frame to start from.
    """
    run = MODEL2.start(clip, seed)
    run.fit(progress=False)
    network, prior = run.views[0].generator, MODEL2.prior(run)
    assert isinstance(network, Model2)
    frames = Framewise(clip, FRAMEWISE, seed).fit(progress=False)
    assert frames.dynamics is not None
    linear, stable = (LinearDynamics.learn(clip, stabilise=choice) for choice in (False, True))

    def model2(length: int, seed: int) -> Tensor:
        shape = network.latent_shape(length, *clip.shape[-2:])
        return synthesise(network, shape, seed=seed, prior=prior)[0]

    return {
        "linear dynamics": Learned(
            lambda n, seed: linear.synthesise(n, seed=seed, clamp=False), linear.spectral_radius
        ),
        "stabilised": Learned(
            lambda n, seed: stable.synthesise(n, seed=seed, clamp=False), stable.spectral_radius
        ),
        "frame-wise ABP": Learned(
            lambda n, seed: frames.synthesise(n, seed=seed), frames.dynamics.spectral_radius
        ),
        "Model-2": Learned(model2),
    }


def measure_seed(pattern: str, times: int, seed: int) -> list[dict[str, Any]]:
    """Learn, synthesise and measure one clip of one pattern: the rows of one seed."""
    stream = patterns.clip(pattern, CLIP * (1 + times), size=MODEL2.size, seed=seed)
    clip, later = stream[:, :CLIP], stream[:, CLIP:]
    yardstick = Yardstick(clip)
    rows = [{"method": "real", "radius": None, **row} for row in yardstick.over_time(later)]
    for method, learned in learn(clip, seed).items():
        video = learned.synthesise(CLIP * times, START + seed)
        new = yardstick.over_time(video)
        rows += [{"method": method, "radius": learned.radius, **row} for row in new]
    return [{k: rounded(v) for k, v in row.items()} for row in rows]


def add_command(commands: Any) -> None:
    """Add ``figure2`` to the subcommands of an argument parser."""
    parser = commands.add_parser("figure2", help="do frame-wise models accumulate noise over time?")
    add = parser.add_argument
    families = tuple(patterns.FAMILIES)
    add("--out", required=True, type=Path, help="JSON file of the results")
    add("--pattern", nargs="+", default=["grid", "fire"], choices=families, metavar="NAME")
    add("--seeds", type=int, default=3, help="clips, each with trainings of its own (default 3)")
    add("--times", type=int, default=4, help="length, as a multiple of the clip's (default 4)")
    add("--jobs", type=int, default=1, help="cells computed at once (default 1)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure the patterns and seeds that the file does not hold yet; returns what it holds.

    Raises:
        ValueError: for no seed or length, and a file made with other settings.
    """
    if options.seeds < 1 or options.times < 1:
        raise ValueError(f"--seeds {options.seeds} and --times {options.times} must be at least 1")
    settings = {
        "times": options.times,
        "clip_frames": CLIP,
        "model2": {name: mine for name, (mine, _) in MODEL2.differs_from_paper().items()},
        "framewise": asdict(FRAMEWISE),
    }
    cells = [
        Cell({"pattern": pattern, "seed": seed}, measure_seed, (pattern, options.times, seed))
        for seed in range(options.seeds)
        for pattern in options.pattern
    ]
    record = fill(options.out, settings, cells, jobs=options.jobs)
    results = {**record, "change": summary(record["rows"], CLIP // 2)}
    write_json(options.out, results)
    report(results["change"])
    return results


def rounded(value: Any) -> Any:
    """Four significant digits, which is more than the measures are good for."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def summary(rows: Sequence[dict[str, Any]], frames: int) -> list[dict[str, Any]]:
    """`change` of each pattern, with None for an error that one seed does not give."""
    found: list[dict[str, Any]] = []
    for pattern in dict.fromkeys(row["pattern"] for row in rows):
        for row in change((row for row in rows if row["pattern"] == pattern), frames):
            if row["error"] != row["error"]:
                row["error"] = None  # JSON has no NaN
            found.append({"pattern": pattern, **{k: rounded(v) for k, v in row.items()}})
    return found


def report(changes: Sequence[dict[str, Any]]) -> None:
    """Print what time did to each measure."""
    for row in changes:
        error = "" if row["error"] is None else f" +- {row['error']:.2g}"
        print(
            f"{row['pattern']}, {row['method']}, {row['measure']}: {row['early']:.3g} early, "
            f"{row['late']:.3g} late, change {row['change']:.2g}{error}"
        )
