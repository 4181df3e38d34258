"""Section 4.1: learn a generator from video files, then synthesise new video from it.

python -m abplib.experiments synthesis --model 2 --video fire.avi --preset book --seed 0 --out DIR

Model-1 and Model-2 learn from one clip, Model-3 from a folder of clips (or one file, cut up). DIR
then holds ``synthesis.mp4`` (Model-1: twice the length, height and width; Model-2: twice the
length; Model-3: sixteen new clips side by side; enlarged), ``strip.png`` (observed, reconstructed,
two syntheses), ``metrics.json`` and ``generator.safetensors`` (the finished run). A run that was
stopped goes on exactly where it stood with ``--resume``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from abplib import checkpoint, metrics, presets, show
from abplib.abp import ABP, synthesise
from abplib.data.video import write_video
from abplib.experiments.footage import Footage, read_footage
from abplib.experiments.record import environment, write_json
from abplib.generators import SpatialTemporalGenerator
from abplib.priors import Prior

NEW_CLIPS = 16  # of Model-3, to look at and to measure


def add_command(commands: Any) -> None:
    """Add ``synthesis`` to the subcommands of an argument parser."""
    parser = commands.add_parser("synthesis", help="learn from video files, synthesise new video")
    add = parser.add_argument
    add(
        "--video", required=True, type=Path, help="any file that FFmpeg reads; Model-3: or a folder"
    )
    add("--out", required=True, type=Path, help="folder of the results; made if missing")
    add("--model", type=int, default=2, choices=tuple(presets.MODELS), help="default: 2")
    add("--preset", default="book", choices=tuple(presets.MODEL2), help="default: book")
    add("--seed", type=int, default=0)
    add("--start", type=int, default=0, help="first frame of the file to use (default 0)")
    add("--stride", type=int, default=1, help="use every STRIDE-th frame (default 1)")
    add("--frames", type=int, help="frames of a training window, a multiple of 16")
    add("--size", type=int, help="height and width in pixels, a multiple of 16")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="another preset value")
    add("--resume", action="store_true", help="go on with the run that DIR holds")
    add("--save-every", type=float, default=15.0, metavar="SECONDS", help="default 15")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Learn, synthesise, measure, and write the results; returns what metrics.json holds.

    Raises:
        ValueError: for files that are too short, and a folder that holds another or an
            unfinished run.
        FileNotFoundError: for a missing file.
    """
    footage, preset = read_footage(
        options.video, chosen_preset(options), options.start, options.stride
    )
    settings = {
        "model": options.model,
        "video": options.video.name,
        "preset": options.preset,
        "seed": options.seed,
        "start": options.start,
        "stride": options.stride,
        **{k: list(v) if isinstance(v, tuple) else v for k, v in asdict(preset).items()},
        "differs_from_paper": sorted(preset.differs_from_paper()),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    abp = preset.start(footage.training, options.seed)
    seconds = learn(abp, settings, options.out, options.resume, options.save_every)
    results = {
        "settings": settings,
        "environment": environment(),
        "seconds": round(seconds, 1),
        **evaluate(abp, footage, options.out, preset.prior(abp)),
    }
    write_json(options.out / "metrics.json", results)
    (options.out / "checkpoint.safetensors").unlink(missing_ok=True)
    report(results, options.out)
    return results


def chosen_preset(options: argparse.Namespace) -> presets.Preset:
    """The preset, with the command's own values in it.

    Raises:
        ValueError: for a name that the preset lacks, a value of another type, and a size that no
            latent makes.
    """
    preset: presets.Preset = presets.MODELS[options.model][options.preset]
    wanted = {name: getattr(options, name) for name in ("frames", "size")}
    changes: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    preset = replace(preset, **(changes | parsed(preset, options.set)))
    preset.generator().latent_shape(preset.frames, preset.size, preset.size)  # multiples of 16?
    return preset


def parsed(preset: presets.Preset, texts: Sequence[str]) -> dict[str, Any]:
    """Preset values from a command line's NAME=VALUE.

    Raises:
        ValueError: for a name that the preset lacks, and a value of another type.

    >>> parsed(presets.MODEL2["book"], ["moments=0", "offsets=0,8"])
    {'moments': 0.0, 'offsets': (0, 8)}
    """
    names = {f.name for f in fields(preset)}
    found = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in names or not value:
            raise ValueError(f"--set {text}: expected NAME=VALUE, NAME one of {sorted(names)}")
        found[name] = _parsed(name, value, getattr(preset, name))
    return found


def _parsed(name: str, text: str, like: Any) -> Any:
    """A command line's value, of the type that the preset's value has."""
    try:
        if isinstance(like, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(like, tuple):
            return tuple(int(part) for part in text.split(","))
        if like is None or text == "none":
            return None if text == "none" else int(text)
        return type(like)(text)
    except (ValueError, KeyError):
        raise ValueError(f"--set {name}={text}: expected a value like {like!r}") from None


def learn(
    abp: ABP, settings: dict[str, Any], out: Path, resume: bool = False, save_every: float = 15.0
) -> float:
    """Fit a run, saved every so many seconds in `out`; returns the seconds of training in all.

    Raises:
        ValueError: if `out` holds an unfinished run and `resume` is False, or a run with other
            settings.
    """
    file = out / "checkpoint.safetensors"
    before = 0.0
    if file.exists():
        if not resume:
            raise ValueError(
                f"{out} holds an unfinished run: pass --resume to go on with it, or another --out"
            )
        saved = checkpoint.load(file)
        check_same(saved.get("settings"), settings, out)
        abp.restore(saved["run"])
        before = saved["seconds"]
    began = last = time.perf_counter()

    def spent() -> float:
        return before + time.perf_counter() - began

    def state() -> dict[str, Any]:
        return {"settings": settings, "seconds": spent(), "run": abp.state()}

    def save(_: ABP) -> None:
        nonlocal last
        if time.perf_counter() - last >= save_every:
            checkpoint.save(file, state())
            last = time.perf_counter()

    abp.fit(callback=save)
    finished = state()
    checkpoint.save(out / "generator.safetensors", finished)
    return finished["seconds"]


def check_same(saved: Any, settings: dict[str, Any], out: Path) -> None:
    """Raise ValueError if the settings of a saved run are not these."""
    if not isinstance(saved, dict):
        raise ValueError(f"the checkpoint in {out} is of something else: use another --out")
    names = sorted({*saved, *settings})
    changed = [n for n in names if saved.get(n) != settings.get(n)]
    if changed:
        listed = ", ".join(f"{n} {saved.get(n)!r} there, {settings.get(n)!r} here" for n in changed)
        raise ValueError(f"the run in {out} has other settings ({listed}): use another --out")


@dataclass(frozen=True)
class Syntheses:
    """What a finished run makes.

    Args:
        reconstruction: of the training videos, (N, 3, T, H, W).
        new: fresh syntheses of a training video's length, (M, 3, T, H, W).
        long: what `metrics.fidelity` measures: two of twice the length; for Model-3 `new`.
        film: (3, T, H, W), to look at.
    """

    reconstruction: Tensor
    new: Tensor
    long: Tensor
    film: Tensor


def synthesise_all(abp: ABP, footage: Footage, prior: Prior | None = None) -> Syntheses:
    """Draw fresh latents, for all that is shown and measured."""
    generator, observed = abp.views[0].generator, abp.views[0].data
    assert isinstance(generator, SpatialTemporalGenerator)
    size, seed = tuple(footage.training.shape[-3:]), abp.seed + 1000  # not the chains' own seed

    def fresh(frames: int, times: int, n: int, seed: int) -> Tensor:
        shape = generator.latent_shape(frames, times * size[1], times * size[2])
        return synthesise(generator, shape, n, seed=seed, prior=prior)

    reconstruction = abp.reconstruct()[0]
    if footage.training.ndim == 5:  # Model-3
        new = fresh(size[0], 1, NEW_CLIPS, seed)
        return Syntheses(reconstruction, new, new, tiled(new))
    frames = observed.shape[2]
    new, long = fresh(frames, 1, 4, seed), fresh(2 * frames, 1, 2, seed + 1)
    film = fresh(2 * frames, 2, 1, seed + 2) if generator.stationary_in_space else long
    return Syntheses(reconstruction, new, long, film[0])


def measure(abp: ABP, footage: Footage, made: Syntheses) -> dict[str, Any]:
    """The measures of a synthesis, each beside its value for real video."""
    sets = footage.training.ndim == 5
    floor = mean_video_psnr if sets else metrics.mean_frame_psnr
    apart = clip_difference if sets else metrics.frame_difference
    fidelity = [
        metrics.fidelity(part, footage.held_out, footage.training)
        for part in (made.long[None] if sets else made.long)
    ]
    return {
        "reconstruction_psnr": metrics.psnr(made.reconstruction, abp.views[0].data),
        "mean_frame_psnr": floor(footage.training),
        "diversity": clip_difference(made.new),
        "frame_difference": apart(footage.training),
        "fidelity": {
            name: {k: sum(f[name][k] for f in fidelity) / len(fidelity) for k in pair}
            for name, pair in fidelity[0].items()
        },
        "latent_rms": abp.history[-1]["latent_rms"],
        "held_out": list(footage.held_out.shape),
    }


def evaluate(abp: ABP, footage: Footage, out: Path, prior: Prior | None = None) -> dict[str, Any]:
    """Synthesise, write synthesis.mp4 and strip.png, and measure."""
    made = synthesise_all(abp, footage, prior)
    write_video(out / "synthesis.mp4", enlarged(made.film), fps=footage.fps)
    rows = {
        "observed": abp.views[0].data,
        "reconstructed": made.reconstruction,
        "synthesis 1": made.new,
        "synthesis 2": made.new[1:],
    }
    show.strip({k: v[0] for k, v in rows.items()}, path=out / "strip.png")
    return measure(abp, footage, made)


def mean_video_psnr(clips: Tensor) -> float:
    """PSNR in dB of the mean video of all clips (N, C, T, H, W): Model-3's floor to beat."""
    return metrics.psnr(clips.mean(0, keepdim=True).expand_as(clips), clips)


def clip_difference(clips: Tensor) -> float:
    """Mean absolute difference of two different clips of a set (N, C, T, H, W)."""
    pairs = [(clips - clips.roll(shift, 0)).abs().mean() for shift in range(1, len(clips))]
    return float(torch.stack(pairs).mean())


def tiled(clips: Tensor, columns: int = 4) -> Tensor:
    """A batch (N, C, T, H, W) as one video of a grid, N a multiple of `columns`."""
    rows = [torch.cat(list(part), -1) for part in clips.split(columns)]
    return torch.cat(rows, -2)


def enlarged(video: Tensor, height: int = 256) -> Tensor:
    """Repeat pixels until a video is about `height` high: MP4 halves the resolution of colour."""
    factor = max(1, height // video.shape[2])
    return video.repeat_interleave(factor, 2).repeat_interleave(factor, 3)


def report(results: dict[str, Any], out: Path) -> None:
    """Print the numbers that say whether it worked."""
    psnr, floor = results["reconstruction_psnr"], results["mean_frame_psnr"]
    share = results["diversity"] / results["frame_difference"]
    print(f"reconstruction {psnr:.1f} dB, {psnr - floor:.1f} dB over the mean")
    print(f"two syntheses differ by {share:.2f} times what distant real video differs by")
    for name, pair in results["fidelity"].items():
        print(f"{name}: synthesis {pair['synthesis']:.3f}, held out {pair['held_out']:.3f}")
    print(f"{results['seconds']:.0f} s of training; written to {out}")
