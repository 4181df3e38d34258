"""How time and memory grow, and what a learning iteration costs: the rest of `langevin.py`.

    python benchmarks/growth.py memory FORM SEQUENCES

prints the peak memory of one process, in MB, that takes Langevin steps of Model-2 (Linux only).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from abplib import presets
from abplib.abp import ABP, Settings
from abplib.generators import Model1, Model2, SpatialTemporalGenerator
from abplib.kernels import accelerate
from abplib.langevin import langevin
from abplib.posterior import View, energy, frozen

Row = dict[str, Any]
WIDTH = 0.25  # of the networks whose growth is measured: the book's


def turns(tasks: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each task, the tasks taking turns; the first round is warm-up."""
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for turn in range(rounds + 1):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            if turn:
                taken[name].append(1e3 * (time.process_time() - start))
    return {name: round(statistics.median(values), 2) for name, values in taken.items()}


def learning_steps(
    name: str, networks: dict[str, SpatialTemporalGenerator], size: tuple[int, int, int]
) -> list[Row]:
    """The learning step (weight gradients and Adam) of the naive and the fast form."""
    data = torch.rand(1, 3, *size) * 2 - 1
    index = torch.arange(1)
    tasks: dict[str, Callable[[], Any]] = {}
    for form in ("naive", "fast"):
        network = networks[form]
        run = ABP([View(network, data)], network.latent_shape(*size), Settings())
        tasks[form] = lambda run=run: run.learn(run.z, index)
    taken = turns(tasks, 2)
    rows = [
        {
            "model": name,
            "form": form,
            "milliseconds": value,
            "speedup_over_naive": round(taken["naive"] / value, 2),
        }
        for form, value in taken.items()
    ]
    print(rows, flush=True)
    return rows


def iterations() -> list[Row]:
    """Whole iterations of the book's presets, at their own l, at l = 1 and at l = 20."""
    rows = []
    clips = {
        "model-1": (3, 128, 64, 64),
        "model-2": (3, 160, 64, 64),
        "model-3": (30, 3, 16, 32, 32),
    }
    for name, preset in (
        ("model-1", presets.MODEL1["book"]),
        ("model-2", presets.MODEL2["book"]),
        ("model-3", presets.MODEL3["book"]),
    ):
        video = torch.rand(clips[name]) * 2 - 1
        for steps in sorted({1, 20, preset.langevin_steps}):
            tasks: dict[str, Callable[[], Any]] = {}
            for form in ("plain", "fast"):
                run = replace(preset, langevin_steps=steps).start(video)
                if form == "plain":
                    network = preset._network()  # without accelerate
                    views = [replace(run.views[0], generator=network)]
                    run = ABP(views, run.z, run.settings)
                tasks[form] = run.iterate
            taken = turns(tasks, 5)
            row = {"model": name, "preset": "book", "steps": steps, "milliseconds": taken}
            row["speedup"] = round(taken["plain"] / taken["fast"], 2)
            print(row, flush=True)
            rows.append(row)
    return rows


def growth() -> dict[str, list[Row]]:
    """Time of fast Langevin steps against frames, pixels, sequences and steps."""

    def step(
        network: SpatialTemporalGenerator, size: tuple[int, int, int], n: int, steps: int = 1
    ) -> Callable[[], None]:
        data = torch.rand(n, 3, *size) * 2 - 1
        z = torch.randn(n, *network.latent_shape(*size))
        view = View(network, data, weight=1 / size[0])

        def run() -> None:
            with frozen(view):
                langevin(lambda y: energy(y, view), z, steps=steps, step_size=0.1)

        return run

    one = accelerate(Model1(2, width=WIDTH, padding="same"))
    two = accelerate(Model2(20, width=WIDTH, padding="same"))
    tasks = {
        "frames": {n: step(two, (n, 64, 64), 1) for n in (16, 32, 64, 128)},
        "pixels": {n * n: step(one, (32, n, n), 1) for n in (32, 64, 96, 128)},
        "sequences": {n: step(two, (32, 64, 64), n) for n in (1, 2, 4, 8)},
        "steps": {n: step(two, (32, 64, 64), 1, n) for n in (1, 5, 10, 20)},
    }
    found: dict[str, list[Row]] = {}
    for what, by_size in tasks.items():
        taken = turns({str(n): task for n, task in by_size.items()}, 5)
        found[what] = [{what: int(n), "milliseconds": value} for n, value in taken.items()]
        print(what, found[what], flush=True)
    return found


def memory() -> list[Row]:
    """Peak memory of one Langevin step of Model-2 at paper width, a process for each."""
    rows = []
    for form in ("naive", "z-only", "fast"):
        for n in (1, 2, 4):
            call = [sys.executable, str(Path(__file__)), "memory", form, str(n)]
            done = subprocess.run(call, capture_output=True, text=True, check=True)
            rows.append({"form": form, "sequences": n, "peak_mb": int(done.stdout)})
            print(rows[-1], flush=True)
    return rows


def peak(form: str, n: int) -> int:
    """Peak memory of this process, in MB, after eight Langevin steps of n sequences."""
    torch.set_num_threads(1)
    network = Model2(20, padding="same")
    if form == "fast":
        accelerate(network)
    view = View(network, torch.zeros(n, 3, 64, 64, 64))
    z = torch.randn(n, *network.latent_shape(64, 64, 64))
    for _ in range(8):  # enough for the fast form to have packed its weights
        latent = z.clone().requires_grad_()
        if form == "naive":
            energy(latent, view).sum().backward()
        else:
            with frozen(view):
                torch.autograd.grad(energy(latent, view).sum(), latent)
    # Linux hands the parent's ru_maxrss on to a child; the high-water mark is the child's own.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


if __name__ == "__main__":
    if sys.argv[1:2] != ["memory"] or len(sys.argv) != 4:
        raise SystemExit(__doc__)
    print(peak(sys.argv[2], int(sys.argv[3])))
