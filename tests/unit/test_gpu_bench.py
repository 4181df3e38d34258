"""The GPU benchmark's script runs without a GPU, and keeps its record row by row."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
KINDS = {"check", "step", "chain", "learning", "sequences"}


def run(*arguments: str) -> subprocess.CompletedProcess:
    call = [sys.executable, "-W", "ignore", str(SCRIPT), *arguments]
    return subprocess.run(call, capture_output=True, text=True)


@pytest.mark.slow
def test_dry_run_writes_every_row_and_the_errors_of_those_that_fail(tmp_path):
    out = tmp_path / "gpu.json"
    done = run("--cpu", "--seconds", "6", "--out", str(out))
    assert done.returncode == 0, done.stderr
    record = json.loads(out.read_text())
    rows = record["rows"]
    assert record["dry_run"]
    assert {row["kind"] for row in rows} == KINDS
    checks = [row for row in rows if row["kind"] == "check"]
    # Two float32 forms against float64: rounding through six layers, 1e-6; a flipped ReLU, 1e-3.
    assert all(max(r["plain_gap"], r["accelerated_gap"]) < 5e-3 for r in checks)
    for row in rows:
        if row["kind"] == "chain" and row["form"].endswith("graph"):
            assert "GPU" in row["error"] or "time was used up" in row["error"]
        else:
            assert row.get("milliseconds") or row.get("iteration") or len(row) > 3


@pytest.mark.slow
def test_without_a_gpu_it_says_what_to_do():
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = run()
    assert done.returncode != 0
    assert "--cpu makes a dry run" in done.stderr
