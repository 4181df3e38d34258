"""Means, spreads and paired comparisons of recorded rows, as the chapters show them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev
from typing import Any

Row = dict[str, Any]


def of_budget(rows: Iterable[Row], budget: str) -> list[Row]:
    """The rows of one budget, and those of methods that do not learn ("none").

    >>> of_budget([{"budget": "updates"}, {"budget": "none"}], "seconds")
    [{'budget': 'none'}]
    """
    return [row for row in rows if row["budget"] in (budget, "none")]


def means(
    rows: Iterable[Row], value: str = "error", by: Sequence[str] = ("mask", "method")
) -> dict[tuple[Any, ...], tuple[float, float]]:
    """Mean over videos and seeds, and the standard deviation over seeds of the mean over videos.

    Args:
        rows: as the experiments write them.
        value: the number to take; rows in which it is None are left out.
        by: what names a group.

    Returns:
        Group -> (mean, spread); the spread is 0 where there is one seed.

    >>> rows = [
    ...     {"mask": "P20", "method": "linear", "seed": seed, "error": error}
    ...     for seed, error in ((0, 1.0), (1, 3.0))
    ... ]
    >>> means(rows)[("P20", "linear")]
    (2.0, 1.4142135623730951)
    """
    groups: dict[tuple[Any, ...], dict[Any, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.get(value) is not None:
            groups[tuple(row[name] for name in by)][row["seed"]].append(row[value])
    found = {}
    for group, seeds in groups.items():
        over_videos = [fmean(values) for values in seeds.values()]
        spread = stdev(over_videos) if len(over_videos) > 1 else 0.0
        found[group] = (fmean(v for values in seeds.values() for v in values), spread)
    return found


def wins(rows: Iterable[Row], method: str, other: str, value: str = "error") -> tuple[int, int]:
    """In how many cells (video, mask, seed) a method is ahead of another, and of how many.

    >>> rows = [{"video": "flag", "mask": "P20", "seed": 0, "method": m, "error": e}
    ...         for m, e in (("a", 0.1), ("b", 0.2))]
    >>> wins(rows, "a", "b")
    (1, 1)
    """
    cells: dict[tuple[Any, ...], dict[str, float]] = defaultdict(dict)
    for row in rows:
        cells[row["video"], row["mask"], row["seed"]][row["method"]] = row[value]
    pairs = [(c[method], c[other]) for c in cells.values() if method in c and other in c]
    return sum(a < b for a, b in pairs), len(pairs)
