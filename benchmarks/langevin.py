"""Time one Langevin step of each model: the naive form, the z-gradient form, the fast form.

    python benchmarks/langevin.py [--width 1.0] [--rounds 5] [--out FILE]

* naive: loss.backward(), which also computes the gradient of every weight and throws it away;
* z-only: weights held still (`abplib.posterior.frozen`), gradient with respect to Z alone;
* fast: z-only after `abplib.kernels.accelerate`.

One process, one thread, forms interleaved, medians of processor time: ratios survive a busy machine
where single times do not. The fast form's gradient is compared with the naive one before anything
is timed.
"""

from __future__ import annotations

import argparse
import copy
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from abplib import kernels
from abplib.generators import Model1, Model2, Model3, SpatialTemporalGenerator
from abplib.posterior import View, energy, frozen

SIZES = {"model-1": (64, 128, 128), "model-2": (64, 64, 64), "model-3": (32, 64, 64)}


def build(name: str, width: float) -> SpatialTemporalGenerator:
    """The paper's net of this name, with its padding, at a fraction of its width."""
    torch.manual_seed(0)
    if name == "model-1":
        return Model1(2, width=width, padding="same")
    if name == "model-2":
        return Model2(20, width=width, padding="same")
    return Model3(100, width=width)


def forms(name: str, width: float) -> dict[str, Callable[[], Tensor]]:
    """Each form of the gradient of eq. 2 with respect to Z, as a function without arguments."""
    plain = build(name, width)
    quick = kernels.accelerate(copy.deepcopy(plain))
    size = SIZES[name]
    data = torch.rand(1, 3, *size) * 2 - 1
    z = torch.randn(1, *plain.latent_shape(*size))

    def naive() -> Tensor:
        plain.zero_grad(set_to_none=True)
        latent = z.clone().requires_grad_()
        energy(latent, View(plain, data)).sum().backward()
        assert latent.grad is not None
        return latent.grad

    def z_only(generator: SpatialTemporalGenerator) -> Tensor:
        view = View(generator, data)
        with frozen(view):
            latent = z.clone().requires_grad_()
            return torch.autograd.grad(energy(latent, view).sum(), latent)[0]

    return {"naive": naive, "z-only": lambda: z_only(plain), "fast": lambda: z_only(quick)}


def interleaved(tasks: dict[str, Callable[[], Tensor]], rounds: int) -> dict[str, float]:
    """Median processor seconds of each task, the tasks taking turns; the first round is warm-up."""
    seconds: dict[str, list[float]] = {form: [] for form in tasks}
    for turn in range(rounds + 1):
        for form, task in tasks.items():
            start = time.process_time()
            task()
            if turn:
                seconds[form].append(time.process_time() - start)
    return {form: statistics.median(values) for form, values in seconds.items()}


def main() -> None:
    """Run, print a table, write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=float, default=1.0, help="fraction of the paper's width")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/langevin.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in SIZES:
        tasks = forms(name, options.width)
        expected = tasks["naive"]()
        for form, task in tasks.items():
            gap = float((task() - expected).norm() / expected.norm())
            if gap > 5e-3:  # fp32; a ReLU may flip where its input is within rounding of zero
                raise AssertionError(f"{name}, {form}: gradient is {gap:.1e} off the naive one")
        seconds = interleaved(tasks, options.rounds)
        for form, value in seconds.items():
            row = {
                "model": name,
                "form": form,
                "dtype": "float32",
                "width": options.width,
                "milliseconds": round(1e3 * value, 1),
                "speedup_over_naive": round(seconds["naive"] / value, 2),
                "speedup_over_z_only": round(seconds["z-only"] / value, 2),
            }
            rows.append(row)
            print(
                f"{name}  {form:7}  {row['milliseconds']:8.1f} ms  "
                f"{row['speedup_over_naive']:5.2f}x naive  "
                f"{row['speedup_over_z_only']:5.2f}x z-only"
            )
    result = {"torch": torch.__version__, "machine": platform.machine(), "rows": rows}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
