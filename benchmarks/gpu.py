"""Time Langevin steps, chains and learning steps of each model on a GPU, at the paper's width.

    python benchmarks/gpu.py [--cpu] [--compile] [--seconds 90] [--out FILE]

Writes `benchmarks/results/gpu.json` after every row, so that a run that is cut keeps what it has.
A form that fails leaves a row with the text of its error. `--cpu` is a dry run on small networks:
it shows that the script works, its numbers mean nothing.

* step: the gradient of eq. 2 with respect to Z for one sequence, by loss.backward() (naive) and
  with the weights held still, in float32, in TF32 (10 bits of mantissa in products), and in
  bfloat16 by autocast, each with channels first and last in memory. `gradient_error` is the
  distance from the naive float32 gradient.
* chain: 20 Langevin steps by `abplib.langevin.langevin` and as one CUDA graph, which spares the
  launches of some thousand small kernels. The graph's chain gets the noise that `langevin` draws
  from the same seed: `chain_gap` is the distance of the two ends.
* learning: the learning step (weight gradients and Adam), and a whole iteration of Algorithm 1
  with l = 20.
* sequences: time and peak memory of one step against the number of sequences.

Times are medians of CUDA events; memory is the highest that was allocated.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from device import Bench, peak_mb, precision, reset_peak
from nets import SIZES, build, step, useful_operations
from torch import Tensor, nn

from abplib.abp import ABP, Settings
from abplib.kernels import accelerate
from abplib.langevin import langevin
from abplib.posterior import View, energy, frozen

LENGTH, STEP_SIZE = 20, 0.1  # of a chain, as in the paper
FORMS = {  # weight gradients too, TF32, autocast to bfloat16, channels last
    "naive fp32": (True, False, False, False),
    "fp32": (False, False, False, False),
    "fp32 channels-last": (False, False, False, True),
    "tf32": (False, True, False, False),
    "tf32 channels-last": (False, True, False, True),
    "bf16": (False, True, True, False),
    "bf16 channels-last": (False, True, True, True),
}
CHAINS = ("fp32", "tf32 channels-last", "bf16 channels-last")
SEQUENCES = (1, 2, 4, 8, 16, 32)


def problem(
    bench: Bench, name: str, n: int = 1, *, last: bool = False, printed: bool = False
) -> tuple[View, Tensor]:
    """A network of the paper's width on the device, n sequences of data, and latents."""
    network: nn.Module = build(name, bench.width, printed=printed).to(bench.device)
    if last:
        for p in network.parameters():
            if p.ndim == 5:
                p.data = p.data.contiguous(memory_format=torch.channels_last_3d)
    size = bench.sizes[name]
    source = torch.Generator().manual_seed(1)
    data = torch.rand(n, 3, *size, generator=source) * 2 - 1
    z = torch.randn(n, *network.latent_shape(*size), generator=source)  # type: ignore[operator]
    return View(network, data.to(bench.device), weight=1 / size[0]), z.to(bench.device)


def time_steps(bench: Bench, name: str, compiled: bool) -> None:
    """One Langevin step in every form."""
    known: dict[str, Any] = {}
    for form in (*FORMS, "tf32 compiled") if compiled else FORMS:
        bench.row(partial(one_step, bench, name, form, known), kind="step", model=name, form=form)


def one_step(bench: Bench, name: str, form: str, known: dict[str, Any]) -> dict[str, Any]:
    """The row of one form; what the first, naive, form gives is known to the others."""
    naive, tf32, bf16, last = FORMS[form.replace(" compiled", "")]
    view, z = problem(bench, name, last=last, printed=naive)
    if form.endswith("compiled"):
        view = replace(view, generator=torch.compile(view.generator))
    with precision(tf32, bf16, bench.device):
        gradient = step(view, z, naive).float()
        known.setdefault("gradient", gradient)
        reset_peak(bench)
        milliseconds = bench.milliseconds(lambda: step(view, z, naive))
    known.setdefault("milliseconds", milliseconds)
    if "work" not in known:
        known["work"] = 2 * useful_operations(build(name, bench.width), z.cpu())
    gap = float((gradient - known["gradient"]).norm() / known["gradient"].norm())
    return {
        "milliseconds": round(milliseconds, 3),
        "speedup_over_naive": round(known["milliseconds"] / milliseconds, 2),
        "tflop_per_s": round(known["work"] / milliseconds / 1e9, 2),
        "gradient_error": float(f"{gap:.1e}"),
        "peak_mb": peak_mb(bench),
    }


def time_chains(bench: Bench, name: str) -> None:
    """A chain of Langevin steps, eager and as one CUDA graph."""
    for form in CHAINS:
        eager: dict[str, Any] = {}
        for way in ("eager", "graph"):
            work = partial(one_chain, bench, name, form, way, eager)
            bench.row(work, kind="chain", model=name, form=f"{form} {way}", steps=LENGTH)


def one_chain(
    bench: Bench, name: str, form: str, way: str, eager: dict[str, Any]
) -> dict[str, Any]:
    """The row of one way to run a chain; the eager chain's end and time are left in `eager`."""
    _, tf32, bf16, last = FORMS[form]
    view, z = problem(bench, name, last=last)
    with precision(tf32, bf16, bench.device), frozen(view):
        run = partial(eager_chain, view, z) if way == "eager" else graph_chain(view, z)
        end = run().clone()
        reset_peak(bench)
        taken = bench.milliseconds(run, limit=1.5)
    found = {
        "milliseconds": round(taken, 2),
        "a_step": round(taken / LENGTH, 3),
        "peak_mb": peak_mb(bench),
    }
    if way == "eager":
        eager.update(end=end, milliseconds=taken)
    elif eager:
        gap = float((end - eager["end"]).norm() / (eager["end"] - z).norm())
        found["speedup_over_eager"] = round(eager["milliseconds"] / taken, 2)
        found["chain_gap"] = float(f"{gap:.1e}")
    return found


def eager_chain(view: View, z: Tensor) -> Tensor:
    """The chain as the library runs it; its guard looks at every step's result."""
    source = torch.Generator(z.device).manual_seed(2)
    options: dict[str, Any] = dict(steps=LENGTH, step_size=STEP_SIZE, generator=source)
    return langevin(lambda y: energy(y, view), z, **options)


def graph_chain(view: View, z: Tensor) -> Callable[[], Tensor]:
    """The same chain recorded once and replayed; weights must stay where they are in memory.

    The noise is drawn before each replay, in the order in which `langevin` draws it. What a guard
    would look at can be looked at after the chain only.
    """
    if z.device.type != "cuda":
        raise RuntimeError("CUDA graphs need a GPU")
    start, noise = z.clone(), torch.empty(LENGTH, *z.shape, device=z.device)

    def chain() -> Tensor:
        y = start
        for k in range(LENGTH):
            y = y.detach().requires_grad_(True)
            (gradient,) = torch.autograd.grad(energy(y, view).sum(), y)
            y = y.detach() - 0.5 * STEP_SIZE**2 * gradient + STEP_SIZE * noise[k]
        return y

    noise.normal_()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        chain()  # the convolution library chooses its kernels outside the recording
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        end = chain()

    def replay() -> Tensor:
        source = torch.Generator(z.device).manual_seed(2)
        start.copy_(z)
        for part in noise:
            part.normal_(generator=source)
        graph.replay()
        return end

    return replay


def time_learning(bench: Bench, name: str) -> None:
    """The learning step, and an iteration of Algorithm 1 with the paper's l."""
    for form in ("fp32", "tf32", "tf32 channels-last", "bf16 channels-last"):
        work = partial(one_iteration, bench, name, form)
        bench.row(work, kind="learning", model=name, form=form, steps=LENGTH)


def one_iteration(bench: Bench, name: str, form: str) -> dict[str, Any]:
    """The row of one form of learning."""
    _, tf32, bf16, last = FORMS[form]
    view, z = problem(bench, name, last=last)
    run = ABP([view], z, Settings(langevin_steps=LENGTH, step_size=STEP_SIZE))
    index = torch.arange(1)
    with precision(tf32, bf16, bench.device):
        reset_peak(bench)
        learning = bench.milliseconds(lambda: run.learn(z, index))
        iteration = bench.milliseconds(run.iterate, limit=1.5)
    return {
        "learning_step": round(learning, 2),
        "iteration": round(iteration, 1),
        "peak_mb": peak_mb(bench),
    }


def time_sequences(bench: Bench, name: str) -> None:
    """Time and memory of one step against the number of sequences."""
    for form in ("naive fp32", "tf32", "bf16 channels-last"):
        for n in SEQUENCES[:2] if bench.device.type == "cpu" else SEQUENCES:
            work = partial(many_sequences, bench, name, form, n)
            bench.row(work, kind="sequences", model=name, form=form, sequences=n)


def many_sequences(bench: Bench, name: str, form: str, n: int) -> dict[str, Any]:
    """The row of one number of sequences."""
    naive, tf32, bf16, last = FORMS[form]
    view, z = problem(bench, name, n, last=last)
    with precision(tf32, bf16, bench.device):
        step(view, z, naive)
        reset_peak(bench)
        taken = bench.milliseconds(lambda: step(view, z, naive), limit=0.4)
    return {
        "milliseconds": round(taken, 3),
        "a_sequence": round(taken / n, 3),
        "peak_mb": peak_mb(bench),
    }


def check(bench: Bench, name: str) -> dict[str, Any]:
    """The device's float32 gradient, plain and `accelerate`d, against float64 on the CPU."""
    network = build(name, 1 / 16)
    nn.init.normal_(network.last.weight, 0, 0.1)
    data = torch.rand(1, 3, 32, 64, 64) * 2 - 1
    z = torch.randn(1, *network.latent_shape(32, 64, 64))
    exact = View(copy.deepcopy(network).double(), data.double(), weight=1 / 32)
    truth = step(exact, z.double())
    gaps = {}
    for form, net in (("plain", network), ("accelerated", accelerate(copy.deepcopy(network)))):
        view = View(net.to(bench.device), data.to(bench.device), weight=1 / 32)
        with precision(False, False, bench.device):
            gradient = step(view, z.to(bench.device)).double().cpu()
        gaps[f"{form}_gap"] = float(f"{float((gradient - truth).norm() / truth.norm()):.1e}")
    return gaps


def main() -> None:
    """Run everything that fits the time, most telling first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cpu", action="store_true", help="dry run on small networks")
    parser.add_argument("--compile", action="store_true", help="torch.compile too: needs a minute")
    parser.add_argument("--seconds", type=float, default=90, help="no row starts after these")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/gpu.json"))
    options = parser.parse_args()
    if not options.cpu and not torch.cuda.is_available():
        raise SystemExit("no CUDA device is available; --cpu makes a dry run without one")
    torch.backends.cudnn.benchmark = True
    bench = Bench(options)
    for name in SIZES:
        bench.row(partial(check, bench, name), kind="check", model=name, form="fp32")
    for name in SIZES:
        time_steps(bench, name, options.compile)
    for part in (time_chains, time_learning, time_sequences):
        for name in SIZES:
            part(bench, name)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
