"""Table 1: fill in missing frames of a single sequence (section 4.2, interpolation).

python -m abplib.experiments interpolation --preset book --seeds 3 --out interpolation.json

Model-2 is learned from one sequence in which 8 consecutive frames in the middle are missing, or 3
frames at each of 3 random places, and shows what they held. Every seed is another clip, another
training and, for the random places, another mask. Methods, by their names in the rows:

* ``ABP``: the paper's algorithm. One window, "same" padding, batch normalisation, starts at prior
  draws, 20 Langevin steps an iteration; the answer is G(Z) of the last state. Book: a quarter of
  the width, a higher learning rate and the frame average of the error, so that it gets somewhere.
* ``ABP + windows``: overlapping windows whose mask moves along, and what this book's Model-2 has:
  valid padding, starts at components, an output bias at the mean frame, one step an iteration.
* ``ABP + average``: the same run, averaged over windows and the last iterations.
* ``ABP + residual``: with linear interpolation of what the generator leaves over (a = 1 of
  `abplib.recover.add_residual`); ``ABP + linear``: with the share a that serves best in gaps that
  are cut into observed frames. A shorter pilot run, which does not see them, tells; it also tells
  how wide intervals have to be. Its time and its updates count.
* ``LHD``, ``linear``, ``mean frame``: see `abplib.baselines`. ``LHD, mean start`` differs in where
  it begins.

With ``--video`` the user's own files are taken instead of the project's families.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from abplib import masks
from abplib.abp import ABP
from abplib.baselines.heat_diffusion import heat_diffusion
from abplib.baselines.interpolation import linear_in_time, mean_frame
from abplib.data import patterns
from abplib.data.video import read_video
from abplib.experiments import gaps
from abplib.experiments.record import Cell, fill
from abplib.metrics import recovery_error
from abplib.presets.interpolation import INTERPOLATION, Recipe
from abplib.recover import Recovery
from abplib.recovery_metrics import coverage, moving_error, sharpness

FAMILIES = ("flag", "waterfall", "waterstone", "light", "elevator")
MASKS = ("consecutive", "random")
COVERAGE = 0.9
TRIVIAL: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "LHD": heat_diffusion,
    "LHD, mean start": partial(heat_diffusion, start="mean"),
    "linear": linear_in_time,
    "mean frame": mean_frame,
}


def add_command(commands: Any) -> None:
    """Add ``interpolation`` to the subcommands of an argument parser."""
    parser = commands.add_parser("interpolation", help="Table 1: fill in missing frames")
    add = parser.add_argument
    add("--out", required=True, type=Path, help="JSON file of the results")
    add("--preset", default="book", choices=tuple(INTERPOLATION), help="default: book")
    add("--seeds", type=int, default=3, help="number of seeds, from 0 (default 3)")
    add("--family", nargs="+", default=list(FAMILIES), help="default: the five of Table 1")
    add("--mask", nargs="+", default=list(MASKS), choices=MASKS, help="default: both")
    add("--video", nargs="+", type=Path, default=[], help="files, instead of families")
    add("--jobs", type=int, default=1, help="cells at once, each with one thread (default 1)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Fill the table's cells that the file does not hold yet; returns what the file holds.

    Raises:
        ValueError: for an unknown family, a file made with other settings, and no seed.
        FileNotFoundError: for a missing video.
    """
    if options.seeds < 1:
        raise ValueError(f"--seeds is {options.seeds}; expected 1 or more")
    unknown = sorted(set(options.family) - set(patterns.FAMILIES))
    if unknown and not options.video:
        raise ValueError(f"unknown family {unknown[0]!r}: use {', '.join(patterns.FAMILIES)}")
    for path in options.video:
        if not path.is_file():
            raise FileNotFoundError(f"there is no video {path}")
    recipe = INTERPOLATION[options.preset]
    sources = {path.stem: path for path in options.video} or {n: n for n in options.family}
    works = {"none": trivial_cell, "plain": plain_cell, "windows": windows_cell}
    cells = [
        Cell(
            {"video": name, "mask": mask, "seed": seed, "training": training},
            work,
            (source, mask, seed, recipe),
        )
        for seed in range(options.seeds)
        for mask in options.mask
        for name, source in sources.items()
        for training, work in works.items()
    ]
    settings = {"preset": options.preset, "files": bool(options.video), **asdict(recipe)}
    return fill(options.out, settings, cells, jobs=options.jobs)


def problem(source: str | Path, mask: str, seed: int, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """A clip (1, 3, T, H, W) and its mask (1, 1, T, H, W): another one for each seed.

    Of a family, the first frames of its stream from that seed; of a file, its frames from
    ``seed * T`` on, or closer together where it is short.

    Raises:
        ValueError: for a file with fewer than T frames.
    """
    frames, size = recipe.windows.clip_frames, recipe.windows.size
    if isinstance(source, Path):
        whole = read_video(source, crop="square", size=size)
        if whole.shape[1] < frames:
            raise ValueError(f"{source} has {whole.shape[1]} frames; {frames} are needed")
        room = whole.shape[1] - frames
        first = seed * max(1, min(frames, room // 2)) % (room + 1)
        clip = whole[None, :, first : first + frames].contiguous()
    else:
        clip = patterns.clip(source, frames, size=size, seed=seed)[None]
    return clip, masks.named(mask, (1, frames, size, size), seed)


def measured(recovered: Tensor, truth: Tensor, observed: Tensor) -> dict[str, Any]:
    """The three measures that need no interval; None where nothing moves."""
    try:
        moving: float | None = moving_error(recovered, truth, observed)
    except ValueError:
        moving = None
    return {
        "error": recovery_error(recovered, truth, observed),
        "moving_error": moving,
        "sharpness": sharpness(recovered, truth, observed),
    }


def trivial_cell(source: str | Path, mask: str, seed: int, recipe: Recipe) -> list[dict[str, Any]]:
    """Rows of the methods that learn nothing."""
    clip, observed = problem(source, mask, seed, recipe)
    rows = []
    for method, complete in TRIVIAL.items():
        began = time.perf_counter()
        filled = complete(clip, observed)
        seconds = time.perf_counter() - began
        values = measured(filled, clip, observed)
        rows.append({"method": method, **values, "seconds": round(seconds, 3), "updates": 0})
    return rows


def plain_cell(source: str | Path, mask: str, seed: int, recipe: Recipe) -> list[dict[str, Any]]:
    """Row of the paper's algorithm."""
    clip, observed = problem(source, mask, seed, recipe)
    began = time.perf_counter()
    run = gaps.start(clip, observed, recipe.plain, seed)
    run.fit(progress=False)
    recovered = run.reconstruct()[0]
    seconds = round(time.perf_counter() - began, 1)
    values = measured(recovered, clip, observed)
    return [{"method": "ABP", **values, "seconds": seconds, "updates": run.iteration}]


@dataclass(frozen=True)
class Filled:
    """What one run on windows gives.

    Args:
        run: the finished run.
        average: its recovery.
        observed: the mask.
        share: a of ``ABP + linear``.
        scales: what `Recovery.interval` is to be scaled by, for each method.
        seconds: of training, inference included.
    """

    run: ABP
    average: Recovery
    observed: Tensor
    share: float
    scales: dict[str, float]
    seconds: float

    def recoveries(self, clip: Tensor) -> dict[str, Recovery]:
        """The three answers with intervals, by the method's name."""
        return _variants(self.average, clip, self.observed, self.share)


def _variants(average: Recovery, clip: Tensor, shown: Tensor, share: float) -> dict[str, Recovery]:
    return {
        "ABP + average": average,
        "ABP + residual": gaps.with_line(average, clip, shown, 1.0),
        "ABP + linear": gaps.with_line(average, clip, shown, share),
    }


def learn_windows(clip: Tensor, observed: Tensor, recipe: Recipe, seed: int = 0) -> Filled:
    """Learn from an incomplete clip; see the head of this module.

    Args:
        clip: (1, 3, T, H, W); hidden pixels have no influence, whatever they hold.
        observed: bool (1, 1, T, H, W).
        recipe: what to train with.
        seed: of weights, chains and the gaps of our own.
    """
    began = time.perf_counter()
    preset, asked = recipe.windows, gaps.gaps_alike(observed, seed)
    shorter = replace(preset, iterations=round(recipe.pilot * preset.iterations))
    shown = observed & ~asked
    pilot = gaps.learn(gaps.start(clip, shown, shorter, seed), clip, shown, shorter)
    share = gaps.fitted_share(pilot, clip, shown, asked)
    scales = {
        method: gaps.fitted_scale(recovery, clip, asked, COVERAGE)
        for method, recovery in _variants(pilot, clip, shown, share).items()
    }
    run = gaps.start(clip, observed, preset, seed)
    average = gaps.learn(run, clip, observed, preset)
    return Filled(run, average, observed, share, scales, time.perf_counter() - began)


def windows_cell(source: str | Path, mask: str, seed: int, recipe: Recipe) -> list[dict[str, Any]]:
    """Rows of one run on windows."""
    clip, observed = problem(source, mask, seed, recipe)
    filled = learn_windows(clip, observed, recipe, seed)
    updates = filled.run.iteration + round(recipe.pilot * recipe.windows.iterations)
    cost = {"seconds": round(filled.seconds, 1), "updates": updates}
    draw = measured(filled.average.draw, clip, observed)
    rows: list[dict[str, Any]] = [{"method": "ABP + windows", **draw, **cost}]
    for method, recovery in filled.recoveries(clip).items():
        bounds = recovery.interval(COVERAGE, filled.scales[method])
        row = {
            "method": method,
            **measured(recovery.mean, clip, observed),
            "coverage": coverage(*bounds, clip, observed),
            "coverage_unscaled": coverage(*recovery.interval(COVERAGE), clip, observed),
            **cost,
        }
        rows.append(row | ({"share": filled.share} if method == "ABP + linear" else {}))
    return rows
