"""Table 3: learn from incomplete videos, and complete them while learning.

python -m abplib.experiments incomplete --preset book --seeds 3 --out book/results/incomplete.json

The training segments themselves are occluded, each method learns from their observed pixels alone,
and G(Z) of the inferred latents is compared with what was hidden (section 3.4, 2). Nothing else is
ever seen, so that variants choose nothing: their numbers are fixed. Rows as in Table 2; budget is
"seconds", or "none" for what does not learn. The file is rewritten after every cell.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from abplib.abp import ABP
from abplib.baselines.heat_diffusion import heat_diffusion
from abplib.baselines.interpolation import linear_in_time, mean_frame
from abplib.baselines.ppca import PPCA
from abplib.completion import follow_motion, space_and_time
from abplib.experiments.learners import METHODS, Recipe, start, train
from abplib.experiments.record import Cell, Row, fill
from abplib.experiments.recovery import (
    TRIVIAL,
    Answer,
    add_options,
    chains,
    chosen,
    chosen_recipe,
    measured,
    shortened,
)
from abplib.experiments.segments import mask, segments

VIDEOS = ("elevator", "windmill", "flag1", "flamingo", "flag2")
MASKS = ("M0.5", "P20", "B25x25x15")
LEARNERS = tuple(name for name in METHODS if name != "3D GAN")  # which infers no latent
THRESHOLD = 0.05  # of `follow_motion`, in pixel units; there is nothing to choose it on
SEGMENTS = 24  # of preset book, all occluded and all to complete
SECONDS = 5.0


def add_command(commands: Any) -> None:
    """Add ``incomplete`` to the subcommands of an argument parser."""
    parser = commands.add_parser("incomplete", help="Table 3: learn from incomplete videos")
    add_options(parser)
    parser.set_defaults(run=run)


def table_recipe(options: argparse.Namespace) -> Recipe:
    """Table 2's recipe, for fewer segments and less time; none of them overlap."""
    recipe, plan = chosen_recipe(options), chosen_recipe(options).plan
    learn = {"ci": 6, "book": SEGMENTS}.get(options.preset, plan.learn)
    seconds = options.seconds or {"ci": 0.2, "book": SECONDS}.get(options.preset, recipe.seconds)
    plan = replace(plan, learn=learn, aside=1, test=1, hop=plan.frames)
    return replace(recipe, seconds=seconds, plan=plan)


def run(options: argparse.Namespace) -> Row:
    """Fill the table's cells that the file does not hold yet; returns what the file holds.

    Raises:
        ValueError: for unknown names, and a file made with other settings.
        FileNotFoundError: for a missing video.
    """
    recipe, sources = table_recipe(options), chosen(options, VIDEOS)
    methods = options.method or (TRIVIAL, *LEARNERS)
    budget = "updates" if options.preset == "paper" else "seconds"
    cells = []
    for seed in range(options.seed_from, options.seed_from + options.seeds):
        for name, source in sources.items():
            for hidden in options.mask or MASKS:
                for method in methods:
                    key = {"video": name, "mask": hidden, "learner": method, "seed": seed}
                    key["budget"] = "none" if method == TRIVIAL else budget
                    work = (source, recipe, method, budget, hidden, seed, options.device)
                    cells.append(Cell(key, cell, work))
    settings = {"table": 3, "preset": options.preset, "threshold": THRESHOLD, **asdict(recipe)}
    return fill(options.out, settings, cells, jobs=options.jobs, device=options.device)


def cell(
    source: str | Path,
    recipe: Recipe,
    method: str,
    budget: str,
    hidden: str,
    seed: int,
    device: str = "cpu",
) -> list[Row]:
    """One method, video and mask: learn from what is observed, complete it; the table's rows."""
    truth = segments(source, recipe.plan, seed).learn.to(device)
    seen = mask(hidden, truth, seed).to(device)
    data = torch.where(seen, truth, torch.zeros((), device=truth.device))
    spent: tuple[float | None, int | None] = (None, None)
    if method == TRIVIAL:
        began = time.perf_counter()
        answers = trivial_answers(data, seen, recipe)
    else:
        run = start(method, recipe, data, seen, seed)
        amount = {budget: getattr(recipe, budget)}
        spent, began = train(run, **amount), time.perf_counter()
        answers = list(learned_answers(method, run, recipe, data, seen, seed))
    took = time.perf_counter() - began
    rows = []
    for answer in answers:
        rows.append(measured(answer, truth, seen))
        rows[-1] |= {"seconds": spent[0] and round(spent[0], 2), "updates": spent[1]}
        rows[-1] |= {"recovery_seconds": round(took, 2)}
    return rows


def trivial_answers(data: Tensor, seen: Tensor, recipe: Recipe) -> list[Answer]:
    """What does not learn, and PPCA of the interpolated videos."""
    line = linear_in_time(data, seen)
    ppca = PPCA.fit(line, recipe.model.latent_channels).recover(data, seen)
    videos = {
        "linear": line,
        "mean frame": mean_frame(data, seen),
        "LHD": heat_diffusion(data, seen),
        "PPCA": ppca,
        "PPCA + motion": completed(ppca, data, seen),
    }
    return [(name, video, None, None) for name, video in videos.items()]


def learned_answers(
    method: str, run: Any, recipe: Recipe, data: Tensor, seen: Tensor, seed: int
) -> Iterator[Answer]:
    """A method's own answer, and its variants.

    Algorithm 1's answer is G(Z_i) where its chains stand at the end; the posterior mean lets them
    run on, the weights held still. The variants of ABP start at components.
    """
    short = shortened(method)
    if not isinstance(run, ABP):
        own = run.impute(data, seen, sweeps=recipe.sweeps)
        yield method, own, None, None
        yield f"{short} + motion", completed(own, data, seen), None, None
        return
    yield method, run.reconstruct()[0], None, None
    if method == "3D ABP":
        return
    mean = chains(run, recipe, data, seen, run.z, seed, 1).mean
    yield f"{short} + posterior mean", mean, None, None
    yield f"{short} + motion", completed(mean, data, seen), None, None


def completed(generated: Tensor, data: Tensor, seen: Tensor) -> Tensor:
    """`abplib.completion.follow_motion` at fixed numbers."""
    return follow_motion(generated, data, seen, threshold=THRESHOLD, fill=space_and_time)
