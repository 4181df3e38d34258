"""Section 4.1 in one table: every family of patterns learned, synthesised and measured.

python -m abplib.experiments families --model 2 --seeds 3 --out book/results/synthesis_model2.json

Model-1 learns the families that are stationary in space and time, Model-2 those that are stationary
in time, Model-3 the ten actions. With ``--video`` or ``--clips`` the user's own files are learned
instead. The file is rewritten after every cell; the same command goes on where a run stopped, and
``--jobs`` computes several cells at once.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from abplib import presets
from abplib.abp import ABP
from abplib.data import actions, patterns
from abplib.data.video import write_video
from abplib.experiments.footage import Footage, read_footage
from abplib.experiments.record import Cell, Row, fill
from abplib.experiments.synthesis import enlarged, measure, parsed, synthesise_all

TRAINING_CLIPS, HELD_OUT_CLIPS = 60, 30  # of the actions: six of each and three of each
FILM_FRAMES = 32
SMALL = ("rain", "snow")  # many small parts


def add_command(commands: Any) -> None:
    """Add ``families`` to the subcommands of an argument parser."""
    parser = commands.add_parser("families", help="learn every family and measure the syntheses")
    add = parser.add_argument
    add("--out", required=True, type=Path, help="JSON file of the results")
    add("--preset", default="book", choices=tuple(presets.MODEL2), help="default: book")
    add("--seeds", type=int, default=1, help="number of seeds, from 0 (default 1)")
    add("--jobs", type=int, default=1, help="cells computed at once (default 1)")
    add("--model", type=int, nargs="+", choices=(1, 2, 3), help="only these models' families")
    add("--family", nargs="+", help="only these (default: all families, and actions)")
    add("--video", nargs="+", type=Path, default=[], help="files instead of families, for --model")
    add("--clips", type=Path, help="folder of clips for Model-3 instead of families")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="another preset value")
    add("--device", default="cpu", help='where to learn: "cpu" (default) or "cuda"')
    add("--films", type=Path, help="folder for a film of each family: true, then synthesised")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Fill the table's cells that the file does not hold yet; returns what the file holds.

    Raises:
        ValueError: for an unknown family or setting, and a file made with other settings.
        FileNotFoundError: for a missing video.
    """
    sources = dict(own_files(options) or own_families(options))
    chosen: dict[int, presets.Preset] = {}
    for number in sorted({number for number, _ in sources.values()}):
        preset = presets.MODELS[number][options.preset]
        chosen[number] = replace(preset, **parsed(preset, options.set))
    settings: dict[str, Any] = {"preset": options.preset}
    settings |= {f"model-{number}": asdict(preset) for number, preset in chosen.items()}
    if 1 in chosen:
        settings["small parts"] = dict.fromkeys(SMALL, presets.SMALL_PARTS)
    cells = [
        Cell(
            {"family": family, "seed": seed},
            row_and_film,
            (
                number,
                fitting(chosen[number], source),
                source,
                seed,
                film(options, family, seed),
                options.device,
            ),
        )
        for seed in range(options.seeds)
        for family, (number, source) in sources.items()
    ]
    return fill(options.out, settings, cells, jobs=options.jobs, device=named(options.device))


def named(device: str) -> str:
    """What a record calls a device: a GPU by its model."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def fitting(preset: presets.Preset, source: str | Path) -> presets.Preset:
    """The preset, changed for families of many small parts (`presets.SMALL_PARTS`)."""
    return replace(preset, **presets.SMALL_PARTS) if source in SMALL else preset


def film(options: argparse.Namespace, family: str, seed: int) -> Path | None:
    """Where the film of a cell goes: only first seeds have one."""
    folder: Path | None = options.films
    return folder / f"{family}.mp4" if folder is not None and seed == 0 else None


def row_and_film(
    number: int,
    preset: presets.Preset,
    source: str | Path,
    seed: int,
    path: Path | None,
    device: str = "cpu",
) -> list[Row]:
    """`cell`, with its film written to a file."""
    row, video = cell(number, preset, source, seed, device)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, enlarged(video, 128), fps=15)
    return [row]


def own_families(options: argparse.Namespace) -> Iterator[tuple[str, tuple[int, Any]]]:
    """Name -> (model, name) of the project's own patterns and actions."""
    known = {
        name: 1 if "space" in family.stationary else 2 for name, family in patterns.FAMILIES.items()
    } | {"actions": 3}
    for name in options.family or known:
        if name not in known:
            raise ValueError(f"unknown family {name!r}: expected some of {', '.join(known)}")
        if options.model is None or known[name] in options.model:
            yield name, (known[name], name)


def own_files(options: argparse.Namespace) -> list[tuple[str, tuple[int, Any]]]:
    """Name -> (model, path) of the user's files; Model-2 learns them unless --model says 1."""
    number = 1 if options.model == [1] else 2
    files = [(path.stem, (number, path)) for path in options.video]
    return files + ([(options.clips.name, (3, options.clips))] if options.clips else [])


def cell(
    number: int, preset: presets.Preset, source: str | Path, seed: int, device: str = "cpu"
) -> tuple[dict[str, Any], Tensor]:
    """Learn one family or file with one seed; the table's row, and the film.

    On another device only learning runs there; syntheses and measures are the CPU's.
    """
    if isinstance(source, Path):
        footage, preset = read_footage(source, preset)
    else:
        footage = make_footage(source, preset, seed)
    run = preset.start(footage.training.to(device), seed)
    began = time.perf_counter()
    run.fit(progress=False)
    seconds = time.perf_counter() - began
    if device != "cpu":
        run = brought_home(run, preset.start(footage.training, seed))
    made = synthesise_all(run, footage, preset.prior(run))
    values = measure(run, footage, made)
    fidelity = values["fidelity"]
    nearest, features = fidelity["nearest_frame_distance"], fidelity["random_feature_distance"]
    real = footage.held_out[0] if footage.held_out.ndim == 5 else footage.held_out
    new = made.new[0]
    shown = min(FILM_FRAMES, real.shape[1], new.shape[1])
    side = min(real.shape[-1], new.shape[-1])
    halves = [video[:, :shown, :side, :side] for video in (real, new)]
    return {
        "model": f"model-{number}",
        "psnr": values["reconstruction_psnr"],
        "mean_psnr": values["mean_frame_psnr"],
        "temporal_variance": fidelity["temporal_variance_ratio"]["synthesis"],
        "temporal_variance_held_out": fidelity["temporal_variance_ratio"]["held_out"],
        "diversity": values["diversity"] / values["frame_difference"],
        "nearest": nearest["synthesis"] / nearest["held_out"],
        "features": features["synthesis"],
        "features_held_out": features["held_out"],
        "latent_rms": values["latent_rms"],
        "seconds": round(seconds, 1),
    }, torch.cat(halves, -1)


def brought_home(away: ABP, run: ABP) -> ABP:
    """A run on the CPU with what one on another device has learned."""
    there, here = away.views[0].generator, run.views[0].generator
    assert isinstance(there, nn.Module)
    assert isinstance(here, nn.Module)
    here.load_state_dict({name: w.cpu() for name, w in there.state_dict().items()})
    run.z, run.iteration, run.history = away.z.cpu(), away.iteration, away.history
    return run


def make_footage(name: str, preset: presets.Preset, seed: int) -> Footage:
    """The project's own video for a preset: a clip and what follows it, or clips of actions."""
    if isinstance(preset, presets.Model3Preset):
        parts = []
        for k, clips in enumerate((TRAINING_CLIPS, HELD_OUT_CLIPS)):
            videos, _ = actions.dataset(
                clips=clips,
                frames=preset.frames,
                size=preset.size,
                seed=2 * seed + k,
                travel=False,
                wardrobe=False,
                turn=False,
            )
            parts.append(videos)
        return Footage(parts[0], parts[1], 12.0)
    assert isinstance(preset, presets.Model1Preset | presets.Model2Preset)
    size = preset.clip_size if isinstance(preset, presets.Model1Preset) else preset.size
    video = patterns.clip(name, preset.clip_frames + preset.frames, size=size, seed=seed)
    return Footage(video[:, : preset.clip_frames], video[:, preset.clip_frames :], 15.0)
