"""Time the Langevin step and the learning step of each model at the paper's width.

    python benchmarks/langevin.py [--quick] [--resume] [--out FILE]

The forms of one step, that is of the gradient of eq. 2 with respect to Z for one sequence:

* naive: loss.backward(), which also computes the gradient of every weight and throws it away;
* z-only: the same network with its weights held still (`abplib.posterior.frozen`);
* live taps: Model-3 alone, z-only without the taps of its 7 x 7 x 7 kernel that meet no data;
* fast: z-only after `abplib.kernels.accelerate`, which is what the package ships;
* fast bf16: the same with dtype=torch.bfloat16.

The naive form of Model-3 has the kernel as printed, 7 x 7 x 7, of which 2 temporal taps meet data.
All forms compute the same function, and each gradient is compared with the naive one first.

One process, one thread, forms taking turns, medians of processor time: ratios survive a busy
machine where single times do not. The plain forms run with the C library's own memory settings,
the fast ones with `keep_memory`, as shipped.

Useful work counts the multiply-adds that the mathematics needs, 2 operations each: for every layer,
the pairs of an input and a tap that reach an output, times input and output channels, once for the
forward pass and once for the gradient with respect to the layer's input. Products with padding or
with cut outputs do not count, nor do weight gradients, normalisations and the like. The ceiling is
the best rate, counted in the same way, of several convolutions in this process.
"""

from __future__ import annotations

import argparse
import copy
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import audio
import growth
import layers
import torch
from nets import SIZES, build, step, useful_operations
from torch import Tensor
from torch.nn import functional as F

from abplib.generators import SpatialTemporalGenerator
from abplib.kernels import accelerate, keep_memory
from abplib.kernels.plane import meetings
from abplib.posterior import View

GROUPED = {"rows", "layers", "operations", "learning_step"}  # by model, while they are measured
PLAIN = ("naive", "z-only", "live taps")  # forms that run with the C library's memory settings
TOLERANCE = 5e-3  # of a float32 gradient; a ReLU may flip where its input is within rounding of 0
CONVOLUTIONS = {  # of the ceiling: (inputs, outputs, kernel, stride, padding, size), channels last
    "128 to 64, stride 2, gradient": (64, 128, 4, 2, 1, (32, 64, 64)),
    "256 to 128, stride 2, gradient": (128, 256, 4, 2, 1, (16, 32, 32)),
    "256 to 128, stride 2, gradient, small": (128, 256, 4, 2, 1, (16, 16, 16)),
    "128 to 128, 3 x 3 x 3": (128, 128, 3, 1, 1, (16, 32, 32)),
    "256 to 256, 3 x 3 x 3": (256, 256, 3, 1, 1, (8, 16, 16)),
    "512 to 512, 1 x 1 x 1": (512, 512, 1, 1, 0, (16, 32, 32)),
}


def networks(name: str) -> dict[str, SpatialTemporalGenerator]:
    """One network a form, all of the same function."""
    live = build(name)
    forms = {"naive": build(name, printed=True)}
    forms["z-only"] = forms["naive"]
    if name == "model-3":
        forms["live taps"] = copy.deepcopy(live)
    forms["fast"] = accelerate(copy.deepcopy(live))
    forms["fast bf16"] = accelerate(live, torch.bfloat16)
    return forms


def convolutions(dtype: torch.dtype) -> Iterator[tuple[str, float, Callable[[], Tensor]]]:
    """Name, useful operations and a run of each convolution that the ceiling is taken from."""
    for name, (inputs, outputs, kernel, stride, padding, size) in CONVOLUTIONS.items():
        shapes = (1, inputs, *size), (outputs, inputs, *[kernel] * 3)
        x, w = (
            torch.randn(s).to(dtype).contiguous(memory_format=torch.channels_last_3d)
            for s in shapes
        )
        pairs = 2.0 * inputs * outputs
        for n in size:  # a convolution reads what the deconvolution of the same geometry writes
            out = (n + 2 * padding - kernel) // stride + 1
            found = meetings(kernel, stride, padding, out, n)
            pairs *= sum(read.stop - read.start for _, read, _ in found)
        yield name, pairs, lambda x=x, w=w, s=stride, p=padding: F.conv3d(x, w, None, s, p)


def interleaved(tasks: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median processor seconds of each task, the tasks taking turns.

    In each turn a task runs once unmeasured, so that its data is where a chain of steps would
    have it, and twice measured; the slow naive form runs once.
    """
    seconds: dict[str, list[float]] = {form: [] for form in tasks}
    for turn in range(rounds + 1):
        for form, task in tasks.items():
            keep_memory(form not in PLAIN)
            times = 1 if form == "naive" else 2
            if times > 1:
                task()
            start = time.process_time()
            for _ in range(times):
                task()
            if turn:
                seconds[form].append((time.process_time() - start) / times)
    return {form: statistics.median(values) for form, values in seconds.items()}


def time_steps(name: str, rounds: int) -> list[dict[str, Any]]:
    """The rows of one model."""
    forms, size = networks(name), SIZES[name]
    data = torch.rand(1, 3, *size) * 2 - 1
    z = torch.randn(1, *build(name, 1 / 32).latent_shape(*size))
    views = {form: View(network, data) for form, network in forms.items()}
    tasks: dict[str, Callable[[], Any]] = {
        form: lambda f=form, v=view: step(v, z, f == "naive") for form, view in views.items()
    }
    expected = tasks["naive"]()
    gaps = {f: float((t() - expected).norm() / expected.norm()) for f, t in tasks.items()}
    for form, gap in gaps.items():
        if gap > TOLERANCE and form != "fast bf16":
            raise AssertionError(f"{name}, {form}: gradient is {gap:.1e} off the naive one")
    work = 2 * useful_operations(build(name), z)
    ceilings = {}
    for dtype in (torch.float32, torch.bfloat16):
        for conv, operations, run in convolutions(dtype):
            ceilings[f"{conv}, {dtype}"] = operations, dtype
            tasks[f"{conv}, {dtype}"] = run
    seconds = interleaved(tasks, rounds)
    best = {
        d: max(ops / seconds[c] for c, (ops, of) in ceilings.items() if of == d)
        for d in (torch.float32, torch.bfloat16)
    }
    rows = []
    for form in views:
        dtype = torch.bfloat16 if form == "fast bf16" else torch.float32
        value = seconds[form]
        rows.append(
            {
                "model": name,
                "form": form,
                "dtype": str(dtype).removeprefix("torch."),
                "milliseconds": round(1e3 * value, 1),
                "speedup_over_naive": round(seconds["naive"] / value, 2),
                "speedup_over_z_only": round(seconds["z-only"] / value, 2),
                "gflop_per_s": round(work / value / 1e9, 1),
                "ceiling_gflop_per_s": round(best[dtype] / 1e9, 1),
                "share_of_ceiling": round(work / value / best[dtype], 3),
                "gradient_error": float(f"{gaps[form]:.1e}"),
            }
        )
        print("  ".join(f"{k} {v}" for k, v in rows[-1].items()), flush=True)
    return rows


def fast(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the shipped form."""
    return [row for row in rows if row["form"] == "fast"]


def parts(result: dict[str, Any], rounds: int) -> dict[str, Callable[[], Any]]:
    """What the record consists of, each part a function that measures it."""

    def ceiling(name: str) -> float:
        return next(1e9 * row["ceiling_gflop_per_s"] for row in fast(result["rows"][name]))

    return {
        **{f"rows {name}": partial(time_steps, name, rounds) for name in SIZES},
        "bandwidth_gb_per_s": lambda: round(layers.bandwidth() / 1e9, 1),
        **{f"layers {n}": lambda n=n: layers.layers(n, ceiling(n)) for n in SIZES},
        **{f"operations {n}": partial(layers.operations, n) for n in SIZES},
        **{
            f"learning_step {n}": lambda n=n: growth.learning_steps(n, networks(n), SIZES[n])
            for n in SIZES
        },
        "iteration": growth.iterations,
        "growth": growth.growth,
        "memory": growth.memory,
        "audio": audio.time_audio,
    }


def write(result: dict[str, Any], out: Path) -> None:
    """Keep what there is, the rows of the models one after the other."""
    flat = {
        key: [row for rows in value.values() for row in rows] if key in GROUPED else value
        for key, value in result.items()
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(flat, indent=1) + "\n", encoding="utf-8")


def read(out: Path) -> dict[str, Any]:
    """What `write` has kept."""
    result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    for key in GROUPED & result.keys():
        models = dict.fromkeys(row["model"] for row in result[key])
        result[key] = {m: [row for row in result[key] if row["model"] == m] for m in models}
    return result


def main() -> None:
    """Run everything, print it, write it after every part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2 rounds, and nothing but the steps")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/langevin.json"))
    parser.add_argument("--resume", action="store_true", help="measure what --out lacks")
    options = parser.parse_args()
    torch.set_num_threads(1)
    result: dict[str, Any] = {
        "torch": torch.__version__,
        "machine": platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": 1,
    }
    if options.resume and options.out.exists():
        result.update(read(options.out))
    start = time.perf_counter() - result.get("seconds", 0)
    for part, measure in parts(result, 2 if options.quick else 5).items():
        if options.quick and not part.startswith("rows"):
            break
        if not part.startswith("rows"):
            keep_memory(True)
        key, _, model = part.partition(" ")
        if model in result.get(key, {}) if model else key in result:
            continue
        if model:
            result.setdefault(key, {})[model] = measure()
        else:
            result[key] = measure()
        result["seconds"] = round(time.perf_counter() - start)
        write(result, options.out)
    print(f"wrote {options.out} after {result['seconds']} s")


if __name__ == "__main__":
    main()
