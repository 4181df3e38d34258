"""Section 4.1: learn a generator from one video file, then synthesise new video from it.

python -m abplib.experiments synthesis --model 2 --video fire.avi --preset book --seed 0 --out DIR

DIR then holds ``synthesis.mp4`` (twice the training length, enlarged), ``strip.png`` (observed,
reconstructed, two syntheses), ``metrics.json`` and ``generator.safetensors`` (the finished run). A
run that was stopped goes on exactly where it stood with ``--resume``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import abplib
from abplib import checkpoint, metrics, presets, show
from abplib.abp import ABP, synthesise
from abplib.data.video import read_video, video_info, write_video

FEWEST_HELD_OUT = 8  # frames; random features need 6


@dataclass(frozen=True)
class Footage:
    """What was read of the file: the clip to learn from, and later frames to compare with."""

    clip: Tensor  # (3, T, H, W)
    held_out: Tensor  # (3, T', H, W)
    fps: float


def add_command(commands: Any) -> None:
    """Add ``synthesis`` to the subcommands of an argument parser."""
    parser = commands.add_parser("synthesis", help="learn from one video, synthesise new video")
    add = parser.add_argument
    add("--video", required=True, type=Path, help="any file that FFmpeg reads")
    add("--out", required=True, type=Path, help="folder of the results; made if missing")
    add("--model", type=int, default=2, choices=(1, 2, 3), help="the paper's model (default 2)")
    add("--preset", default="book", choices=tuple(presets.MODEL2), help="default: book")
    add("--seed", type=int, default=0)
    add("--start", type=int, default=0, help="first frame of the file to use (default 0)")
    add("--stride", type=int, default=1, help="use every STRIDE-th frame (default 1)")
    add("--frames", type=int, help="frames of a training window, a multiple of 16")
    add("--size", type=int, help="height and width in pixels, a multiple of 16")
    add("--resume", action="store_true", help="go on with the run that DIR holds")
    add("--save-every", type=float, default=15.0, metavar="SECONDS", help="default 15")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Learn, synthesise, measure, and write the results; returns what metrics.json holds.

    Raises:
        ValueError: for a model without presets, a file that is too short, and a folder that
            holds another or an unfinished run.
        FileNotFoundError: for a missing file.
    """
    preset = chosen_preset(options)
    footage, preset = read_footage(options.video, preset, options.start, options.stride)
    settings = {
        "model": options.model,
        "video": options.video.name,
        "preset": options.preset,
        "seed": options.seed,
        "start": options.start,
        "stride": options.stride,
        **asdict(preset),
        "offsets": list(preset.offsets),
        "differs_from_paper": sorted(preset.differs_from_paper()),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    abp = preset.start(footage.clip, options.seed)
    seconds = learn(abp, settings, options.out, options.resume, options.save_every)
    results = {
        "settings": settings,
        "environment": environment(),
        "seconds": round(seconds, 1),
        **evaluate(abp, footage, preset, options.out),
    }
    text = json.dumps(results, indent=2) + "\n"
    checkpoint.replace_file(options.out / "metrics.json", text.encode())
    (options.out / "checkpoint.safetensors").unlink(missing_ok=True)
    report(results, options.out)
    return results


def chosen_preset(options: argparse.Namespace) -> presets.Model2Preset:
    """The preset, with the command's frames and size in it."""
    if options.model != 2:
        raise ValueError(
            f"--model {options.model} has no presets yet, only Model-2 has: use --model 2"
        )
    preset = presets.MODEL2[options.preset]
    if options.frames is not None:
        preset = replace(preset, frames=options.frames)
    if options.size is not None:
        preset = replace(preset, size=options.size)
    preset.generator().latent_shape(preset.frames, preset.size, preset.size)  # multiples of 16?
    return preset


def read_footage(
    path: Path, preset: presets.Model2Preset, start: int = 0, stride: int = 1
) -> tuple[Footage, presets.Model2Preset]:
    """Read the frames to learn from, and up to a window of later frames as held-out video.

    Returns the footage, and the preset without the windows for which the file is too short.

    Raises:
        ValueError: if the file has too few frames for one window and a few held out.
    """
    wanted: int | None = preset.clip_frames + preset.frames
    info = video_info(path)
    if info.frames is None:
        wanted = None  # the file does not say: read all of it
    elif start >= 0 and stride >= 1:
        there = max(1, math.ceil((info.frames - start) / stride))
        wanted = min(preset.clip_frames + preset.frames, there)
    video = read_video(
        path, start=start, frames=wanted, stride=stride, crop="square", size=preset.size
    )
    room = video.shape[1] - FEWEST_HELD_OUT - preset.frames
    fitting = tuple(offset for offset in preset.offsets if offset <= room)
    if not fitting:
        raise ValueError(
            f"{path} gives {video.shape[1]} frames from frame {start} at stride {stride}; a window "
            f"to learn from has {preset.frames}, and at least {FEWEST_HELD_OUT} are held out: "
            "take a longer video, an earlier --start, a smaller --stride, or fewer --frames"
        )
    preset = replace(preset, offsets=fitting)
    clip, rest = video[:, : preset.clip_frames], video[:, preset.clip_frames :]
    return Footage(clip, rest[:, : preset.frames], (info.fps or 25.0) / stride), preset


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


def evaluate(abp: ABP, footage: Footage, preset: presets.Model2Preset, out: Path) -> dict[str, Any]:
    """Synthesise, write synthesis.mp4 and strip.png, and measure."""
    generator, observed = abp.views[0].generator, abp.views[0].data
    assert isinstance(generator, abplib.Model2)
    shape = generator.latent_shape(preset.frames, preset.size, preset.size)
    twice = generator.latent_shape(2 * preset.frames, preset.size, preset.size)
    reconstruction = abp.reconstruct()[0]
    seed = abp.seed + 1000  # not the chains' own
    first, second, long = (
        synthesise(generator, s, seed=seed + k)[0] for k, s in enumerate((shape, shape, twice))
    )
    write_video(out / "synthesis.mp4", enlarged(long), fps=footage.fps)
    show.strip(
        {
            "observed": observed[0],
            "reconstructed": reconstruction[0],
            "synthesis 1": first,
            "synthesis 2": second,
        },
        path=out / "strip.png",
    )
    return {
        "reconstruction_psnr": metrics.psnr(reconstruction, observed),
        "mean_frame_psnr": metrics.mean_frame_psnr(footage.clip),
        "diversity": metrics.diversity(first, second),
        "frame_difference": metrics.frame_difference(footage.clip),
        "fidelity": metrics.fidelity(long, footage.held_out, footage.clip),
        "latent_rms": abp.history[-1]["latent_rms"],
        "held_out_frames": footage.held_out.shape[1],
    }


def enlarged(video: Tensor, height: int = 256) -> Tensor:
    """Repeat pixels until a video is about `height` high: MP4 halves the resolution of colour."""
    factor = max(1, height // video.shape[2])
    return video.repeat_interleave(factor, 2).repeat_interleave(factor, 3)


def environment() -> dict[str, Any]:
    """What the numbers depend on beside the settings."""
    return {
        "abplib": abplib.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
    }


def report(results: dict[str, Any], out: Path) -> None:
    """Print the numbers that say whether it worked."""
    psnr, floor = results["reconstruction_psnr"], results["mean_frame_psnr"]
    share = results["diversity"] / results["frame_difference"]
    print(f"reconstruction {psnr:.1f} dB, {psnr - floor:.1f} dB over the mean frame")
    print(f"two syntheses differ by {share:.2f} times what distant real frames differ by")
    for name, pair in results["fidelity"].items():
        print(f"{name}: synthesis {pair['synthesis']:.3f}, held out {pair['held_out']:.3f}")
    print(f"{results['seconds']:.0f} s of training; written to {out}")
