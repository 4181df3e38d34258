"""Table 2: recover occluded test videos, by models learned from complete training videos.

python -m abplib.experiments recovery --preset book --seeds 3 --out book/results/recovery.json

Every family is one long video, cut into segments. Each method learns from the training segments,
once for each seed and budget, and then recovers the test segments under every mask. Rows: video,
mask, method, seed, budget ("seconds", "updates", or "none" for what does not learn), error,
moving_error, sharpness, coverage of 90% intervals, seconds, updates. What a variant chooses or
calibrates it fits on segments set aside. The file is rewritten after every cell; the same command
goes on where a run stopped.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from abplib import recovery_metrics
from abplib.baselines.heat_diffusion import heat_diffusion
from abplib.baselines.interpolation import linear_in_time, mean_frame, nearest_clip
from abplib.baselines.ppca import PPCA
from abplib.completion import choose, follow_motion, motion_weight
from abplib.experiments.learners import METHODS, RECIPES, Recipe, generator_of, start, train
from abplib.experiments.record import Cell, Row, fill
from abplib.experiments.segments import MASKS, Segments, mask, segments
from abplib.metrics import recovery_error
from abplib.recover import Recovery, add_residual, calibrate, recover

VIDEOS = ("flag", "elevator", "grid", "windmill", "flower", "traffic")
BUDGETS = ("seconds", "updates")
SHARES = (0.25, 0.5, 0.75, 1.0)
FLOOR = 0.02  # pixel units: the least standard deviation of a completed pixel, before calibration
TRIVIAL = "trivial"
Answer = tuple[str, Tensor, Tensor | None, Tensor | None]  # method, video, low and high of 90%


def add_command(commands: Any) -> None:
    """Add ``recovery`` to the subcommands of an argument parser."""
    parser = commands.add_parser("recovery", help="Table 2: recover occluded test videos")
    add_options(parser)
    parser.add_argument(
        "--budget", nargs="+", choices=BUDGETS, help="default: both; paper: updates"
    )
    parser.set_defaults(run=run)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that Tables 2 and 3 share."""
    add = parser.add_argument
    add("--out", required=True, type=Path, help="JSON file of the results")
    add("--preset", default="book", choices=tuple(RECIPES), help="default: book")
    add("--seeds", type=int, default=1, help="number of seeds (default 1)")
    add("--seed-from", type=int, default=0, metavar="K", help="first seed (default 0)")
    add("--only", nargs="+", metavar="VIDEO", help="only these videos of the table")
    add("--method", nargs="+", choices=(TRIVIAL, *METHODS), help="only these methods")
    add("--mask", nargs="+", help="only these masks")
    add("--video", nargs="+", type=Path, default=[], help="the user's files instead of families")
    add("--clips", type=Path, help="folder of clips instead of families")
    add("--seconds", type=float, help="of processor time a method may learn")
    add("--jobs", type=int, default=1, help="cells at once, each in its own process (default 1)")
    add("--device", default="cpu", help='"cpu" (default) or "cuda"')


def chosen(options: argparse.Namespace, names: tuple[str, ...]) -> dict[str, str | Path]:
    """The videos of a table by name: families, or files.

    Raises:
        ValueError: for a video that the table does not have.
    """
    files = [*options.video, *([options.clips] if options.clips else [])]
    sources: dict[str, str | Path] = {path.stem: path for path in files}
    sources = sources or {name: name for name in names}
    wanted = options.only or list(sources)
    if unknown := [name for name in wanted if name not in sources]:
        raise ValueError(f"no video {', '.join(unknown)}: expected some of {', '.join(sources)}")
    return {name: sources[name] for name in wanted}


def chosen_recipe(options: argparse.Namespace) -> Recipe:
    """The preset's recipe, with the command's own seconds."""
    recipe = RECIPES[options.preset]
    return replace(recipe, seconds=options.seconds) if options.seconds else recipe


def run(options: argparse.Namespace) -> Row:
    """Fill the table's cells that the file does not hold yet; returns what the file holds.

    Raises:
        ValueError: for unknown names, and a file made with other settings.
        FileNotFoundError: for a missing video.
    """
    recipe, sources = chosen_recipe(options), chosen(options, VIDEOS)
    masks = tuple(options.mask or MASKS)
    budgets = options.budget or (BUDGETS if options.preset != "paper" else ("updates",))
    methods = options.method or (TRIVIAL, *METHODS)
    cells = []
    for seed in range(options.seed_from, options.seed_from + options.seeds):
        for name, source in sources.items():
            for method in methods:
                for budget in ("none",) if method == TRIVIAL else budgets:
                    key = {"video": name, "learner": method, "budget": budget, "seed": seed}
                    work = (source, recipe, method, budget, masks, seed, options.device)
                    cells.append(Cell(key, cell, work))
    settings = {"table": 2, "preset": options.preset, "masks": list(masks), **asdict(recipe)}
    return fill(options.out, settings, cells, jobs=options.jobs, device=options.device)


def cell(
    source: str | Path,
    recipe: Recipe,
    method: str,
    budget: str,
    masks: tuple[str, ...],
    seed: int,
    device: str = "cpu",
) -> list[Row]:
    """One method on one video: learn once, recover under every mask; the table's rows."""
    parts = segments(source, recipe.plan, seed)
    parts = Segments(*(part.to(device) for part in (parts.learn, parts.aside, parts.test)))
    spent: tuple[float | None, int | None] = (None, None)
    run: Any = None
    if method != TRIVIAL:
        run = start(method, recipe, parts.learn, seed=seed)
        amount = {budget: getattr(recipe, budget)}
        spent = train(run, **amount)
    rows = []
    for name in masks:
        seen = torch.cat([mask(name, parts.aside, seed + 500), mask(name, parts.test, seed)])
        seen = seen.to(device)
        began = time.perf_counter()
        if run is None:
            answers = trivial_answers(parts, seen, recipe)
        else:
            answers = list(learned_answers(method, run, recipe, parts, seen, seed))
        took = time.perf_counter() - began
        for answer in answers:
            rows.append({"mask": name, **measured(answer, parts.test, seen)})
            rows[-1] |= {"seconds": spent[0] and round(spent[0], 2), "updates": spent[1]}
            rows[-1] |= {"recovery_seconds": round(took, 2)}
    return rows


def trivial_answers(parts: Segments, seen: Tensor, recipe: Recipe) -> list[Answer]:
    """What does not learn, or learns in closed form."""
    both = torch.cat([parts.aside, parts.test])
    model = PPCA.fit(parts.learn, recipe.model.latent_channels)
    ppca = model.recover(both, seen)
    fills: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "linear": linear_in_time,
        "mean frame": mean_frame,
        "nearest clip": lambda video, seen: nearest_clip(video, seen, parts.learn),
        "LHD": heat_diffusion,
    }
    answers: list[Answer] = [(k, f(both, seen), None, None) for k, f in fills.items()]
    return [*answers, ("PPCA", ppca, None, None), completed("PPCA", ppca, None, parts, seen)]


def learned_answers(
    method: str, run: Any, recipe: Recipe, parts: Segments, seen: Tensor, seed: int
) -> Iterator[Answer]:
    """A method's own answer, and its variants; those of ABP start at components."""
    both, short = torch.cat([parts.aside, parts.test]), shortened(method)
    if method in ("3D VAE", "3D WS"):
        own = run.impute(both, seen, sweeps=recipe.sweeps)
        yield method, own, None, None
        yield completed(short, own, None, parts, seen)
        if method == "3D WS":
            return
        begin = run.initialise(both, seen, sweeps=recipe.sweeps)
        yield "VAE + Langevin", chains(run, recipe, both, seen, begin, seed, 1).draw, None, None
        return
    begin = starts(method, run, recipe, both, seen)
    many = 1 if method == "3D GAN" else recipe.chains
    found = chains(run, recipe, both, seen, begin, seed, many)
    yield method, found.draw, None, None
    if method == "3D ABP":
        return
    if method != "3D GAN":
        n = len(parts.aside)
        scale = calibrate([_first(found, n)], [parts.aside], [seen[:n]])
        yield f"{short} + posterior mean", found.mean, *found.interval(0.9, scale)
        yield f"{short} + residual", with_residual(found.mean, parts, seen), None, None
    yield completed(short, found.mean, found.std, parts, seen)


def shortened(method: str) -> str:
    """What the variants of a method are named after.

    >>> shortened("3D VAE"), shortened("ABP + components"), shortened("LI-ABP")
    ('VAE', 'ABP', 'LI-ABP')
    """
    return method.removeprefix("3D ").removesuffix(" + components")


def starts(method: str, run: Any, recipe: Recipe, both: Tensor, seen: Tensor) -> Any:
    """Where testing chains begin: LI-ABP at f(I; V), the others at the prior."""
    if method == "LI-ABP":
        return run.initialise(both, seen)
    t, h, w = both.shape[2:]
    return generator_of(run).latent_shape(t, h, w)


def chains(
    run: Any, recipe: Recipe, both: Tensor, seen: Tensor, begin: Any, seed: int, many: int
) -> Recovery:
    """Langevin dynamics on the learned generator, from the observed pixels."""
    return recover(
        generator_of(run),
        both,
        seen,
        begin,
        sigma=recipe.model.sigma,
        weight=recipe.model.weight,
        steps=recipe.steps,
        step_size=recipe.step_size,
        chains=many,
        every=recipe.every,
        seed=seed,
    )


def with_residual(mean: Tensor, parts: Segments, seen: Tensor) -> Tensor:
    """The posterior mean and its interpolated residual, the share chosen on clips set aside."""
    n, both = len(parts.aside), torch.cat([parts.aside, parts.test])
    options = [add_residual(mean, both, seen, fill=linear_in_time, share=a) for a in SHARES]
    return min(options, key=lambda video: recovery_error(video[:n], parts.aside, seen[:n]))


def completed(
    short: str, mean: Tensor, std: Tensor | None, parts: Segments, seen: Tensor
) -> Answer:
    """`abplib.completion.follow_motion`, all that it needs chosen on the clips set aside."""
    n, both = len(parts.aside), torch.cat([parts.aside, parts.test])
    threshold, way = choose(mean[:n], parts.aside, seen[:n])
    video = follow_motion(mean, both, seen, threshold=threshold, fill=way)
    if std is None:
        return f"{short} + motion", video, None, None
    width = FLOOR + motion_weight(both, seen, threshold) * std
    hidden = ~seen[:n].expand_as(parts.aside)
    ratio = ((video[:n] - parts.aside).abs() / width[:n])[hidden]
    half = width * ratio.sort().values[min(len(ratio) - 1, int(0.9 * (len(ratio) + 1)))]
    return f"{short} + motion", video, (video - half).clamp(-1, 1), (video + half).clamp(-1, 1)


def measured(answer: Answer, truth: Tensor, seen: Tensor) -> Row:
    """The measures of one answer, of its last videos: as many as there are true ones."""
    name, *tensors = answer
    n, truth = len(truth), truth.cpu()
    video, low, high = (None if x is None else x[-n:].cpu() for x in tensors)
    hidden = seen[-n:].cpu()
    assert video is not None
    row: Row = {"method": name, "error": recovery_error(video, truth, hidden)}
    for key in ("moving_error", "sharpness"):
        try:
            row[key] = getattr(recovery_metrics, key)(video, truth, hidden)
        except ValueError:  # nothing hidden moves, or has a neighbour
            row[key] = None
    row["coverage"] = None
    if low is not None and high is not None:
        row["coverage"] = recovery_metrics.coverage(low, high, truth, hidden)
    return {k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()}


def _first(found: Recovery, n: int) -> Recovery:
    """A recovery's first n videos."""
    fields = (found.draw, found.mean, found.spread, found.noise, found.latents)
    return Recovery(*(tensor[:n] for tensor in fields))
