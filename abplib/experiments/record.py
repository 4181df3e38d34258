"""What a recorded result holds beside its numbers, how it is filled cell by cell, and written.

A table is a list of cells. Each is computed by itself, from its arguments alone, and written as
soon as it is done, so that a run that was killed goes on with the cells that are missing.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

import abplib
from abplib import checkpoint
from abplib.langevin import DivergenceError

Row = dict[str, Any]


class FailedCellsError(RuntimeError):
    """Some cells of a table failed; the others are in its file."""


@dataclass(frozen=True)
class Cell:
    """One cell of a table, or a few that belong together.

    Args:
        key: what names it, for instance ``{"video": "flag", "method": "ABP", "seed": 0}``.
        work: a function of a module, so that another process can call it; returns the rows.
        arguments: of `work`.
    """

    key: Row
    work: Callable[..., list[Row]]
    arguments: tuple[Any, ...] = ()


def fill(
    out: str | Path, settings: Row, cells: Sequence[Cell], *, jobs: int = 1, device: str = "cpu"
) -> Row:
    """Compute the cells that a record does not hold yet, and write it after each.

    Args:
        out: the JSON file.
        settings: what the numbers depend on; a file made with others is not touched.
        cells: all cells of the table, in the order in which the file lists their rows.
        jobs: how many to compute at once, each in a process of one thread; with 1 in this one.
        device: what the cells run on, for the file: "cpu", or the name of a GPU.

    Returns:
        The record: `settings`, `environments`, `done` (each finished cell's key, its seconds and
        the number of its environment) and `rows` (each with its cell's key in it).

    Raises:
        ValueError: for a file of other settings, or that is no record; for jobs below one.
        FailedCellsError: where cells failed, after the others are done; a rerun tries them again.
    """
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}; expected 1 or more")
    settings = json.loads(json.dumps(settings))
    table = _read(Path(out), settings)
    here = environment(device)
    if here not in table["environments"]:
        table["environments"].append(here)
    number = table["environments"].index(here)
    order = {_name(cell.key): place for place, cell in enumerate(cells)}
    finished = {_name(entry["key"]) for entry in table["done"]}
    missing = [cell for cell in cells if _name(cell.key) not in finished]
    failed: list[str] = []
    for cell, result in _results(missing, jobs):
        if isinstance(result, Exception):
            failed.append(f"{_name(cell.key)}: {result}")
            print(f"failed: {failed[-1]}", file=sys.stderr, flush=True)
            continue
        seconds, rows = result
        table["done"].append({"key": cell.key, "environment": number, "seconds": round(seconds, 1)})
        table["rows"] += [{**cell.key, **row} for row in rows]
        names = tuple(cell.key)  # rows in the order of the cells, however they came in
        table["rows"].sort(key=lambda row: order.get(_name(row, names), -1))
        write_json(out, table)
        print(f"{_name(cell.key)}: {seconds:.0f} s", flush=True)
    if failed:
        listed = "\n".join(failed)
        raise FailedCellsError(f"{len(failed)} of {len(cells)} cells failed:\n{listed}")
    return table


def _results(
    cells: Sequence[Cell], jobs: int
) -> Iterator[tuple[Cell, tuple[float, list[Row]] | Exception]]:
    """Each cell with its seconds and rows, or the error that it ended in, as they come in."""
    if jobs == 1 or len(cells) < 2:
        for cell in cells:
            try:
                yield cell, _timed(cell)
            except (DivergenceError, ArithmeticError, ValueError) as error:
                yield cell, error
        return
    context = get_context("spawn")  # a fork would copy threads' locks
    pool = ProcessPoolExecutor(min(jobs, len(cells)), context, initializer=_one_thread)
    try:
        waiting = {pool.submit(_timed, cell): cell for cell in cells}
        for future in as_completed(waiting):
            problem = future.exception()
            if isinstance(problem, DivergenceError | ArithmeticError | ValueError):
                yield waiting[future], problem
            else:
                yield waiting[future], future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _timed(cell: Cell) -> tuple[float, list[Row]]:
    began = time.perf_counter()
    rows = cell.work(*cell.arguments)
    return time.perf_counter() - began, rows


def _one_thread() -> None:
    torch.set_num_threads(1)


def _name(row: Row, names: Sequence[str] | None = None) -> str:
    """A key as text, the same in whatever order its entries stand."""
    return " ".join(f"{name}={row.get(name)}" for name in sorted(names or row))


def _read(path: Path, settings: Row) -> Row:
    """The record at a path, or an empty one."""
    empty: Row = {"settings": settings, "environments": [], "done": [], "rows": []}
    if not path.exists():
        return empty
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        before = record["settings"]
        missing = [name for name in empty if not isinstance(record[name], type(empty[name]))]
    except (ValueError, KeyError, TypeError):
        missing = ["settings"]
    if missing:
        raise ValueError(f"{path} is no record of such a table: name another --out") from None
    if before != settings:
        changed = sorted(k for k in {*before, *settings} if before.get(k) != settings.get(k))
        raise ValueError(
            f"{path} was made with other settings ({', '.join(changed)}): name another --out, or "
            "remove it"
        )
    return {name: record[name] for name in empty}


def environment(device: str = "cpu") -> dict[str, Any]:
    """What the numbers depend on beside the settings.

    >>> environment()["abplib"] == abplib.__version__
    True
    """
    return {
        "abplib": abplib.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "device": device,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
    }


def commit() -> str:
    """The commit that the code is at, with a plus where abplib differs from it.

    A copy of the tree without its history is asked to say its commit in ``ABPLIB_COMMIT``; else it
    is "unknown".
    """
    folder = Path(abplib.__file__).parent
    try:
        ask = ["git", "-C", str(folder), "describe", "--always", "--abbrev=12", "--exclude=*"]
        told = subprocess.run(ask, capture_output=True, text=True, timeout=10, check=True)
        changed = subprocess.run(
            ["git", "-C", str(folder), "status", "--porcelain", "--", "."],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return os.environ.get("ABPLIB_COMMIT", "unknown")
    return told.stdout.strip() + ("+" if changed.stdout.strip() else "")


def write_json(path: str | Path, results: dict[str, Any]) -> None:
    """Write results as JSON, at once or not at all: a stop leaves the old file whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.replace_file(path, (json.dumps(results, indent=1) + "\n").encode())


def read_rows(path: str | Path, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of an earlier run of the same settings, or none where there is no such file.

    Raises:
        ValueError: if the file was made with other settings, or is no record at all.
    """
    path = Path(path)
    if not path.exists():
        return []
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        before, rows = record["settings"], record["rows"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is no record of an experiment: name another --out") from None
    if before != json.loads(json.dumps(settings)):
        raise ValueError(f"{path} was made with other settings: name another --out, or remove it")
    return rows
