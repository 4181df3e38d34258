"""Tables that are filled cell by cell: what a stop leaves, what a second run does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from abplib.experiments.record import Cell, FailedCellsError, commit, environment, fill
from abplib.langevin import DivergenceError


def square(x: int) -> list[dict[str, Any]]:
    return [{"value": x * x, "process": os.getpid()}]


def count(folder: Path, x: int) -> list[dict[str, Any]]:
    with open(folder / "calls", "a", encoding="utf-8") as file:
        file.write(f"{x}\n")
    return [{"mask": mask, "value": x} for mask in "ab"]


def diverge(limit: Path, x: int) -> list[dict[str, Any]]:
    if x == 1 and not limit.exists():
        raise DivergenceError("the chain left")
    return [{"value": x}]


def stop(x: int) -> list[dict[str, Any]]:
    raise KeyboardInterrupt


def cells(work: Any, *first: Any, n: int = 3) -> list[Cell]:
    return [Cell({"video": f"v{x}", "seed": 0}, work, (*first, x)) for x in range(n)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_table_holds_each_cell_in_order_with_its_key(tmp_path: Path, jobs: int) -> None:
    record = fill(tmp_path / "t.json", {"a": (1, 2)}, cells(square), jobs=jobs)
    assert [(row["video"], row["value"]) for row in record["rows"]] == [
        ("v0", 0),
        ("v1", 1),
        ("v2", 4),
    ]
    assert json.loads((tmp_path / "t.json").read_text()) == record
    assert record["settings"] == {"a": [1, 2]}
    inside = {row["process"] == os.getpid() for row in record["rows"]}
    assert inside == {jobs == 1}, "several jobs work in processes of their own"


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    out = tmp_path / "t.json"
    fill(out, {}, cells(count, tmp_path, n=2))
    record = fill(out, {}, list(reversed(cells(count, tmp_path, n=4))))
    assert (tmp_path / "calls").read_text().split() == ["0", "1", "3", "2"]
    assert [row["video"] for row in record["rows"][::2]] == ["v3", "v2", "v1", "v0"]
    assert len(record["done"]) == 4
    assert len(record["rows"]) == 8


def test_a_stop_keeps_the_cells_before_it(tmp_path: Path) -> None:
    out = tmp_path / "t.json"
    table = [*cells(square, n=2), Cell({"video": "last", "seed": 0}, stop, (0,))]
    with pytest.raises(KeyboardInterrupt):
        fill(out, {}, table)
    assert [row["value"] for row in json.loads(out.read_text())["rows"]] == [0, 1]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_cell_that_fails_costs_no_other_and_is_tried_again(tmp_path: Path, jobs: int) -> None:
    out = tmp_path / "t.json"
    table = cells(diverge, tmp_path / "mended")
    with pytest.raises(FailedCellsError, match=r"1 of 3 cells failed:\nseed=0 video=v1: the chain"):
        fill(out, {}, table, jobs=jobs)
    assert [row["value"] for row in json.loads(out.read_text())["rows"]] == [0, 2]
    (tmp_path / "mended").touch()
    assert [row["value"] for row in fill(out, {}, table, jobs=jobs)["rows"]] == [0, 1, 2]


def test_another_table_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "t.json"
    fill(out, {"steps": 5}, cells(square, n=1))
    before = out.read_text()
    with pytest.raises(ValueError, match=r"other settings \(steps\)"):
        fill(out, {"steps": 6}, cells(square, n=1))
    assert out.read_text() == before
    (tmp_path / "x.json").write_text('{"rows": []}')
    with pytest.raises(ValueError, match="no record"):
        fill(tmp_path / "x.json", {}, cells(square))
    with pytest.raises(ValueError, match="jobs is 0"):
        fill(out, {}, [], jobs=0)


def test_an_environment_names_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"commit", "torch", "device", "cores"} <= environment().keys()
    assert environment("a card")["device"] == "a card"
    monkeypatch.setenv("PATH", "")  # no git
    monkeypatch.delenv("ABPLIB_COMMIT", raising=False)
    assert commit() == "unknown"
    monkeypatch.setenv("ABPLIB_COMMIT", "0123456789ab")  # a copy without its history is told
    assert commit() == "0123456789ab"
