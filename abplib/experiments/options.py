"""What each departure from the paper is worth: one option at a time back to the paper's value.

python -m abplib.experiments options --model 2 --seconds 45 --out book/results/options.json

Every row is a run of the preset with one option (or a few that belong together) as in section 4.1,
and with as many iterations as the same seconds of processor time allow. The first row is the preset
itself, the last one all of these options together. The file is rewritten after every row.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from abplib import presets
from abplib.experiments.families import cell, make_footage
from abplib.experiments.record import environment, read_rows, write_json
from abplib.langevin import DivergenceError

TOGETHER: dict[str, tuple[str, ...]] = {
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
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Fill the rows that the file does not hold yet; returns what the file holds."""
    settings = {"preset": options.preset, "seconds": options.seconds}
    rows = read_rows(options.out, settings)
    done = {(row["model"], row["option"], row["seed"]) for row in rows}
    for seed in range(options.seeds):
        for model in options.model:
            base = presets.MODELS[model][options.preset]
            for name, preset in variants(base).items():
                if (f"model-{model}", name, seed) in done:
                    continue
                try:
                    preset = within(preset, SOURCES[model], seed, options.seconds)
                    row, _ = cell(model, preset, SOURCES[model], seed)
                except DivergenceError as error:  # a chain that diverges is a result, too
                    row = {"model": f"model-{model}", "seed": seed, "diverged": str(error)}
                rows.append({"option": name, "iterations": preset.iterations, **row})
                print(json.dumps(rows[-1]), flush=True)
                record = {"settings": settings, "environment": environment(), "rows": rows}
                write_json(options.out, record)
    return {"settings": settings, "rows": rows}


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
    trial = preset.start(make_footage(source, preset, seed).training, seed)
    trial.iterate()
    began = time.process_time()
    trial.iterate()
    count = 1
    while time.process_time() - began < 0.04 * seconds:
        trial.iterate()
        count += 1
    pace = (time.process_time() - began) / count
    return replace(preset, iterations=max(2, round(seconds / pace)))
