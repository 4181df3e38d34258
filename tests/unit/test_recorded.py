"""Recorded runs are found in the repository, and in a package built from it."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from abplib import recorded

ROOT = Path(__file__).resolve().parents[2]


def test_every_record_of_the_repository_is_found():
    files = [*ROOT.glob("book/results/*.json"), *ROOT.glob("benchmarks/results/*.json")]
    assert files
    for file in files:
        assert recorded.path(file.name) == file
        assert recorded.load(file.name) == json.loads(file.read_text())


def test_unknown_record():
    with pytest.raises(FileNotFoundError, match=r"no record 'gold\.json'; there are .*langevin"):
        recorded.load("gold.json")


@pytest.mark.slow
def test_wheel_carries_the_records(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        carried = {name.removeprefix("abplib/_recorded/") for name in archive.namelist()}
    for folder in ("book/results", "benchmarks/results"):
        place = ROOT / folder
        files = {f.relative_to(place).as_posix() for f in place.rglob("*") if f.is_file()}
        assert files <= carried
