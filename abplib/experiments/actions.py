"""Model-3 on ten actions (section 4.1), at the size and the latents of the chapter and the paper.

python -m abplib.experiments actions --out book/results/model3.json --picture model3.jpg

Each row is the preset with a change or two: where the chains start, how many latents, how large the
clips are. Sixty fresh clips are measured against the training clips, drawn from the preset's
mixture and from N(0, I). The file is rewritten after every row; the same command goes on where a
run stopped.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from abplib import metrics, presets, show
from abplib.abp import synthesise
from abplib.data import actions
from abplib.experiments.record import Cell, Row, fill
from abplib.experiments.synthesis import clip_difference, mean_video_psnr
from abplib.generators import SpatialTemporalGenerator

NAMES = tuple(actions.ACTIONS)
CLIPS, HELD_OUT, FRESH = 60, 30, 60

LARGE: dict[str, Any] = {
    "frames": 32,
    "size": 64,
    "width": 0.25,
    "iterations": 1800,
    "step_size": 0.012,
}
"""The paper's size, at half the preset's width: about five minutes of one core."""

VARIANTS: dict[str, dict[str, Any]] = {
    "the preset": {},
    "random start": {"components": False},
    "8 latents": {"latent_channels": 8},
    "100 latents": {"latent_channels": 100},
    "the paper's size": LARGE,
}
"""What each row changes in the preset, by its name."""


def add_command(commands: Any) -> None:
    """Add ``actions`` to the subcommands of an argument parser."""
    parser = commands.add_parser("actions", help="Model-3: latents, starts and the paper's size")
    add = parser.add_argument
    add("--out", required=True, type=Path, help="JSON file of the results")
    add("--preset", default="book", choices=tuple(presets.MODEL3), help="default: book")
    add("--variant", nargs="+", choices=tuple(VARIANTS), default=list(VARIANTS), metavar="NAME")
    add("--seeds", type=int, default=1, help="number of seeds, from 0 (default 1)")
    add("--jobs", type=int, default=1, help="rows computed at once (default 1)")
    add("--picture", type=Path, help="JPEG of clips at the paper's size: given, explained, fresh")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Fill the rows that the file does not hold yet; returns what the file holds."""
    base = presets.MODEL3[options.preset]
    settings = {
        "preset": options.preset,
        **asdict(base),
        "actions": NAMES,
        "clips": CLIPS,
        "held_out": HELD_OUT,
        "syntheses": FRESH,
        "variants": {name: VARIANTS[name] for name in VARIANTS},
    }
    cells = [
        Cell(
            {"variant": name, "seed": seed},
            variant_row,
            (
                replace(base, **VARIANTS[name]),
                seed,
                options.picture if VARIANTS[name] is LARGE and seed == 0 else None,
            ),
        )
        for seed in range(options.seeds)
        for name in options.variant
    ]
    return fill(options.out, settings, cells, jobs=options.jobs)


def clips_of(preset: presets.Model3Preset, clips: int, seed: int) -> tuple[Tensor, Tensor]:
    """Clips that differ in action, actor, speed and phase alone, and the index of each action."""
    return actions.dataset(
        NAMES,
        clips,
        preset.frames,
        preset.size,
        seed=seed,
        travel=False,
        wardrobe=False,
        turn=False,
    )


def variant_row(preset: presets.Model3Preset, seed: int, picture: Path | None = None) -> list[Row]:
    """Learn sixty clips, draw sixty, and measure them; the training clips have seed 1 + 2 seed."""
    videos, labels = clips_of(preset, CLIPS, 1 + 2 * seed)
    held_out, _ = clips_of(preset, HELD_OUT, 2 + 2 * seed)
    abp = preset.start(videos, seed)
    began = time.perf_counter()
    abp.fit(progress=False)
    seconds = time.perf_counter() - began
    generator = abp.views[0].generator
    assert isinstance(generator, SpatialTemporalGenerator)
    shape, explained = tuple(abp.z.shape[1:]), abp.reconstruct()[0]
    new = synthesise(generator, shape, FRESH, seed=1, prior=preset.prior(abp))
    plain = scores(synthesise(generator, shape, FRESH, seed=1), videos, held_out)
    if picture is not None:
        draw_picture(videos, explained, new, picture)
    quality, floor = metrics.psnr(explained, videos), mean_video_psnr(videos)
    row = {
        "frames": preset.frames,
        "size": preset.size,
        "latents": preset.latent_channels,
        "start": "components" if preset.components else "prior",
        "width": preset.width,
        "iterations": preset.iterations,
        "step_size": preset.step_size,
        "psnr": quality,
        "mean_psnr": floor,
        "gain": quality - floor,
        "alike": alike(abp.z, labels),
        **scores(new, videos, held_out),
        **{f"prior_{name}": value for name, value in plain.items()},
        "seconds": seconds,
    }
    return [{k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in row.items()}]


def alike(codes: Tensor, labels: Tensor) -> float:
    """Share of clips whose nearest neighbour among the codes shows the same action."""
    distance = torch.cdist(codes.flatten(1), codes.flatten(1)).fill_diagonal_(torch.inf)
    return float((labels[distance.argmin(1)] == labels).float().mean())


def scores(clips: Tensor, videos: Tensor, held_out: Tensor) -> dict[str, float]:
    """Motion, diversity and distance to the nearest training clip, each over its real value."""

    def nearest(some: Tensor) -> float:
        far = torch.cdist(some.flatten(1), videos.flatten(1), p=1)
        return float(far.min(1).values.mean())

    return {
        "motion": metrics.temporal_variance_ratio(clips, videos),
        "diversity": clip_difference(clips) / clip_difference(videos),
        "nearest": nearest(clips) / nearest(held_out),
    }


def draw_picture(videos: Tensor, explained: Tensor, new: Tensor, path: Path) -> None:
    """Three training clips, each with its reconstruction, above the first seven fresh ones."""
    rows: dict[str, Tensor] = {}
    for name in ("run", "jack", "bend"):
        rows[f"{name}, observed"] = videos[NAMES.index(name)]
        rows[f"{name}, explained"] = explained[NAMES.index(name)]
    rows |= {f"fresh {k + 1}": video for k, video in enumerate(new[:7])}
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        strip = Path(folder) / "strip.png"
        show.strip(rows, scale=1, path=strip)
        with Image.open(strip) as image:
            image.convert("RGB").save(path, quality=88)
