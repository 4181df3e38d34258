"""The families command: one row a cell, written after each, and gone on with."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from abplib import presets
from abplib.data import patterns
from abplib.data.video import video_info, write_video
from abplib.experiments import families
from abplib.experiments.__main__ import main


@pytest.fixture(autouse=True)
def few_iterations(monkeypatch):
    for number, table in presets.MODELS.items():
        short = {**table, "ci": replace(table["ci"], iterations=2)}
        monkeypatch.setitem(presets.MODELS, number, short)


def command(out: Path, *more: str) -> int:
    return main(["families", "--preset", "ci", "--out", str(out), *more])


def rows(out: Path) -> list[dict]:
    return json.loads(out.read_text())["rows"]


def test_each_model_fills_its_rows(tmp_path):
    out, films = tmp_path / "families.json", tmp_path / "films"
    assert command(out, "--family", "ocean", "fire", "actions", "--films", str(films)) == 0
    assert [(row["family"], row["model"], row["seed"]) for row in rows(out)] == [
        ("ocean", "model-1", 0),
        ("fire", "model-2", 0),
        ("actions", "model-3", 0),
    ]
    for row in rows(out):
        assert all(math.isfinite(v) for v in row.values() if isinstance(v, float)), row
        info = video_info(films / f"{row['family']}.mp4")
        assert info.width == 2 * info.height  # true beside synthesised
    settings = json.loads(out.read_text())["settings"]
    assert settings["model-2"]["iterations"] == 2


def test_finished_cells_are_not_run_again(tmp_path, capsys):
    out = tmp_path / "families.json"
    assert command(out, "--family", "fire") == 0
    before = rows(out)
    assert command(out, "--family", "fire", "--seeds", "2") == 0
    assert rows(out)[:1] == before
    assert [row["seed"] for row in rows(out)] == [0, 1]
    record = json.loads(out.read_text())
    record["settings"]["preset"] = "book"
    out.write_text(json.dumps(record))
    assert command(out, "--family", "fire") == 2
    assert "made with other settings" in capsys.readouterr().err


def test_own_files(tmp_path):
    ci = presets.MODEL2["ci"]
    path = write_video(tmp_path / "blaze.mp4", patterns.fire(ci.clip_frames + 9, size=32))
    assert command(tmp_path / "real.json", "--video", str(path)) == 0
    (row,) = rows(tmp_path / "real.json")
    assert (row["family"], row["model"]) == ("blaze", "model-2")


def test_jobs_give_the_same_rows_and_films(tmp_path):
    """Each cell's preset is in its arguments, so that other processes learn by the same one."""
    here, there = (tmp_path / name for name in ("here.json", "there.json"))
    tiny = ("--family", "fire", "light", "--model", "2", "--films", str(tmp_path / "films"))
    assert command(there, *tiny, "--jobs", "2") == 0
    assert command(here, *tiny) == 0
    names = [row["family"] for row in rows(there)]
    assert names == [row["family"] for row in rows(here)] == ["fire", "light"]
    for a, b in zip(rows(here), rows(there), strict=True):
        assert a | {"seconds": 0} == b | {"seconds": 0}
    assert {f.name for f in (tmp_path / "films").iterdir()} == {"fire.mp4", "light.mp4"}


def test_model_chooses_the_families(tmp_path):
    out = tmp_path / "model1.json"
    assert command(out, "--model", "1", "--family", "ocean", "fire") == 0
    assert [row["family"] for row in rows(out)] == ["ocean"]


def test_errors(tmp_path, capsys):
    assert command(tmp_path / "a.json", "--family", "lava") == 2
    assert "unknown family 'lava'" in capsys.readouterr().err
    (tmp_path / "b.json").write_text("[]")
    assert command(tmp_path / "b.json", "--family", "fire") == 2
    assert "is no record" in capsys.readouterr().err


def test_settings_reach_every_cell(tmp_path, capsys):
    out = tmp_path / "set.json"
    assert command(out, "--family", "fire", "--set", "moments=0", "--set", "latent_channels=3") == 0
    settings = json.loads(out.read_text())["settings"]["model-2"]
    assert (settings["moments"], settings["latent_channels"]) == (0, 3)
    assert command(tmp_path / "b.json", "--family", "fire", "--set", "colour=3") == 2
    assert "expected NAME=VALUE" in capsys.readouterr().err


def test_small_parts_have_more_latents():
    book = presets.MODEL1["book"]
    rain = families.fitting(book, "rain")
    assert rain == replace(book, **presets.SMALL_PARTS)
    assert rain.latent_channels > 4 * book.latent_channels
    assert families.fitting(book, "ocean") is book
    assert families.fitting(book, Path("rain")) is book  # a file of the user's, whatever its name


def test_a_run_brought_home_is_the_same_run():
    preset = presets.MODELS[2]["ci"]
    clip = families.make_footage("fire", preset, 0).training
    away, home = (preset.start(clip, seed) for seed in (0, 1))
    away.fit(progress=False)
    before = home.reconstruct()[0]
    found = families.brought_home(away, home)
    assert torch.equal(found.reconstruct()[0], away.reconstruct()[0])
    assert not torch.equal(before, away.reconstruct()[0])
    assert families.named("cpu") == "cpu"
