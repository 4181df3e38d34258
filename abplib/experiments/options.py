"""What each departure from the paper is worth: one option at a time back to the paper's value.

python -m abplib.experiments options --seconds 45 --seeds 3 --out book/results/options.json

Every row is a run of the preset with one option (or a few that belong together) as in section 4.1,
and with as many iterations as the same seconds of processor time allow. The first row is the preset
itself, the last one all of these options together. The file is rewritten after every row; the same
command goes on where a run stopped.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from abplib import presets
from abplib.experiments.families import cell, make_footage
from abplib.experiments.record import Cell, Row, fill
from abplib.langevin import DivergenceError

TOGETHER: dict[str, tuple[str, ...]] = {
    "no moment matching": ("moments", "texture"),
    "no texture matching": ("texture",),
    "random start": ("components",),
    "standard prior": ("reach", "mixture"),
    "same padding": ("padding",),
    "batch norm": ("norm",),
    "ReLU": ("slope",),
    "no mean bias": ("mean_bias",),
    "twenty Langevin steps": ("langevin_steps",),
    "one window": ("crops", "offsets", "clip_frames"),
    "all videos an iteration": ("batch_size",),
    "paper's learning rate": ("learning_rate", "decay"),
    "paper's latent": ("latent_channels",),
    "paper's second layer": ("time_kernel",),
    "paper's width": ("width",),
    "exact sum": ("frame_average",),
    "likelihood of 1": ("likelihood",),
    "paper's sigma": ("sigma",),
    "paper's step": ("step_size",),
}
"""Options that go back to the paper's value together, by the name of the row."""

SOURCES = {1: "ocean", 2: "flag", 3: "actions"}


def add_command(commands: Any) -> None:
    """Add ``options`` to the subcommands of an argument parser."""
    parser = commands.add_parser("options", help="what each departure from the paper is worth")
    add = parser.add_argument
    add("--out", required=True, type=Path, help="JSON file of the results")
    add("--model", type=int, nargs="+", default=[1, 2, 3], choices=(1, 2, 3))
    add("--preset", default="book", choices=tuple(presets.MODEL2), help="default: book")
    add("--seconds", type=float, default=45.0, help="of processor time a run (default 45)")
    add("--seeds", type=int, default=1, help="number of seeds, from 0 (default 1)")
    add("--jobs", type=int, default=1, help="rows computed at once (default 1)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Fill the rows that the file does not hold yet; returns what the file holds.

    Raises:
        ValueError: for a file made with other settings.
    """
    models = {number: table[options.preset] for number, table in presets.MODELS.items()}
    settings: dict[str, Any] = {"preset": options.preset, "seconds": options.seconds}
    settings |= {f"model-{number}": asdict(preset) for number, preset in models.items()}
    cells = [
        Cell(
            {"model": f"model-{number}", "option": name, "seed": seed},
            option_row,
            (number, preset, seed, options.seconds),
        )
        for seed in range(options.seeds)
        for number in options.model
        for name, preset in variants(models[number]).items()
    ]
    return fill(options.out, settings, cells, jobs=options.jobs)


def option_row(number: int, preset: presets.Preset, seed: int, seconds: float) -> list[Row]:
    """The row of one option; `diverged` in it says that a chain or the weights escaped."""
    source = SOURCES[number]
    try:
        preset = within(preset, source, seed, seconds)
        row, _ = cell(number, preset, source, seed)
    except DivergenceError as error:  # that is a result, too
        row = {"diverged": str(error)}
    return [{**row, "iterations": preset.iterations}]


def variants(preset: presets.Preset) -> dict[str, presets.Preset]:
    """The preset, one variant for each option in which it differs from the paper, and all.

    >>> list(variants(presets.MODEL2["paper"]))
    ['the preset']
    """
    paper = type(preset)()
    found = {"the preset": preset}
    every: dict[str, Any] = {}
    for name, fields in TOGETHER.items():
        changed = {
            field: getattr(paper, field)
            for field in fields
            if hasattr(paper, field) and getattr(paper, field) != getattr(preset, field)
        }
        if name == "one window" and changed:
            changed.pop("clip_frames", None)  # still from the same clip, held out the same frames
        if changed:
            found[name] = replace(preset, **changed)
            every |= changed
    if every:
        found["all of these"] = replace(preset, **every)
    return found


def within(preset: presets.Preset, source: str, seed: int, seconds: float) -> presets.Preset:
    """The preset with as many iterations as take so many seconds of processor time."""
    footage = make_footage(source, preset, seed)

    def cost(preset: presets.Preset) -> float:
        """Seconds of an iteration, measured for a tenth of the time."""
        trial = preset.start(footage.training, seed)
        trial.iterate()
        count, began = 0, time.process_time()
        while not count or time.process_time() - began < 0.1 * seconds:
            trial.iterate()
            count += 1
        return (time.process_time() - began) / count

    pace = cost(replace(preset, moments=0.0))
    if preset.moments:
        late = cost(replace(preset, moments_from=0.0))
        pace += (1 - preset.moments_from) * (late - pace)
    return replace(preset, iterations=max(2, round(seconds / pace)))
