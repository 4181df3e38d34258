"""The actions command: one row a variant, and what its measures mean."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from abplib import presets
from abplib.experiments import actions
from abplib.experiments.__main__ import main


@pytest.fixture
def short(monkeypatch):
    tiny = replace(presets.MODEL3["ci"], iterations=2, mixture=2)
    monkeypatch.setitem(presets.MODEL3, "ci", tiny)
    large = {"frames": 32, "size": 64, "iterations": 1}
    monkeypatch.setattr(actions, "LARGE", large)
    changes = {"the preset": {}, "random start": {"components": False}, "large": large}
    monkeypatch.setattr(actions, "VARIANTS", changes)
    monkeypatch.setattr(actions, "CLIPS", 10)
    monkeypatch.setattr(actions, "HELD_OUT", 5)
    monkeypatch.setattr(actions, "FRESH", 7)


def test_rows_and_picture(short, tmp_path: Path):
    out, picture = tmp_path / "model3.json", tmp_path / "made" / "model3.jpg"
    command = ["actions", "--preset", "ci", "--out", str(out), "--picture", str(picture)]
    assert main(command) == 0
    record = json.loads(out.read_text())
    assert [row["variant"] for row in record["rows"]] == ["the preset", "random start", "large"]
    assert [row["size"] for row in record["rows"]] == [32, 32, 64]
    assert all(
        math.isfinite(v) for row in record["rows"] for v in row.values() if not isinstance(v, str)
    )
    with Image.open(picture) as image:
        assert image.height > 13 * 64  # thirteen rows
    assert main(command) == 0
    assert json.loads(out.read_text())["rows"] == record["rows"]


def test_measures_know_copies_and_stills():
    random = torch.Generator().manual_seed(0)
    videos, other = (torch.rand(6, 3, 8, 8, 8, generator=random) for _ in range(2))
    copy = actions.scores(videos, videos, other)
    assert copy == pytest.approx({"motion": 1, "diversity": 1, "nearest": 0})
    assert actions.scores(other, videos, other)["nearest"] == pytest.approx(1)
    still = videos.mean(2, keepdim=True).expand_as(videos)
    assert actions.scores(still, videos, other)["motion"] == pytest.approx(0, abs=1e-9)


def test_alike_counts_neighbours_of_one_action():
    codes = torch.tensor([[0.0], [0.1], [5.0], [5.1]])
    assert actions.alike(codes, torch.tensor([0, 0, 1, 1])) == 1
    assert actions.alike(codes, torch.tensor([0, 1, 0, 1])) == 0
