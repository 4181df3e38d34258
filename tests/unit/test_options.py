"""The options command: one row an option, each the preset with that option as in the paper."""

import json
from dataclasses import fields, replace

import pytest

from abplib import presets
from abplib.experiments.__main__ import main
from abplib.experiments.options import TOGETHER, variants


@pytest.mark.parametrize("model", [1, 2, 3])
def test_variants_differ_in_what_they_name(model):
    book = presets.MODELS[model]["book"]
    paper = type(book)()
    found = variants(book)
    assert found["the preset"] == book
    for name, preset in found.items():
        changed = {f.name for f in fields(book) if getattr(preset, f.name) != getattr(book, f.name)}
        if name in TOGETHER:
            assert changed
            assert changed <= set(TOGETHER[name])
        assert all(getattr(preset, field) == getattr(paper, field) for field in changed)
    every = set(book.differs_from_paper())
    assert {"norm", "slope", "batch_size", "learning_rate"} <= every


def test_rows_are_written_and_not_run_again(tmp_path, monkeypatch):
    ci = presets.MODEL2["ci"]
    # Two variants only: the preset, and the one with the paper's batch.
    plain = replace(type(ci)(), frames=32, width=0.125, offsets=(0, 8), batch_size=1, iterations=2)
    monkeypatch.setattr("abplib.experiments.options.TOGETHER", {"batch": ("batch_size",)})
    monkeypatch.setitem(presets.MODELS, 2, {**presets.MODELS[2], "ci": plain})
    out = tmp_path / "options.json"
    command = ["options", "--model", "2", "--preset", "ci", "--seconds", "0.2", "--out", str(out)]
    assert main(command) == 0
    record = json.loads(out.read_text())
    assert [row["option"] for row in record["rows"]] == ["the preset", "batch", "all of these"]
    assert all(row["iterations"] >= 2 for row in record["rows"])
    assert main(command) == 0  # nothing is left to do
    assert json.loads(out.read_text())["rows"] == record["rows"]
