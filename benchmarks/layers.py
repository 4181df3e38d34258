"""Where the time of one fast Langevin step goes: layer by layer, beside what the machine allows.

For each layer: its useful operations, the memory that it must at least move, the time that it
takes, and the time that it would take if its arithmetic ran at the ceiling and its memory traffic
at the bandwidth of a plain copy, one after the other (`bound`). The difference between a bound and
work / ceiling is memory; the difference between a time and its bound is what is left to gain.

Least traffic, in numbers of 4 bytes: the weights once forward and once backward; forward the
input read and the output written by the deconvolution, then read twice and written once by the
normalisation; backward the gradient and the output read twice and one result written by the
normalisation, then the gradient read and the input's gradient written by the deconvolution. The
last layer has a tanh instead of a normalisation, the rest is the squared error.

`operations` says which operations the time goes to, and how often each is called.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from nets import SIZES, build, step, useful_by_layer
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from abplib.kernels import FastLayer, ThinDeconvolution, accelerate
from abplib.posterior import View

Row = dict[str, Any]
COPIED = 1 << 23  # numbers of 4 bytes, 32 MiB: as the largest tensors of Model-1


def bandwidth(rounds: int = 9) -> float:
    """Bytes a second that a copy reads and writes, in tensors of the size of a step's largest."""
    source, target = torch.ones(COPIED), torch.ones(COPIED)
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        target.copy_(source)
        taken.append(time.process_time() - start)
    return 8 * COPIED / statistics.median(taken)


class Clock:
    """Processor time between the borders of the layers, forward and backward."""

    def __init__(self, modules: list[nn.Module]) -> None:
        self.marks: list[tuple[str, float]] = []
        self.hooks: list[Any] = []
        for place, module in enumerate(modules):
            self.hooks += [
                module.register_forward_pre_hook(self._before(place)),
                module.register_forward_hook(self._after(place)),
            ]

    def _before(self, place: int) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Tensor]) -> None:
            if place == 0:
                self.mark("rest")
            if inputs[0].requires_grad:
                inputs[0].register_hook(lambda _: self.mark(f"backward {place}"))

        return hook

    def _after(self, place: int) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            self.mark(f"forward {place}")
            if place == self.last:
                output.register_hook(lambda _: self.mark("rest"))

        return hook

    last = -1

    def mark(self, what: str) -> None:
        """What has just ended ended now."""
        self.marks.append((what, time.process_time()))

    def seconds(self, task: Callable[[], Any], rounds: int) -> dict[str, float]:
        """Median time of each part of a task."""
        found: dict[str, list[float]] = {}
        for turn in range(rounds + 6):  # the first ones until the weights are packed
            self.marks = [("start", time.process_time())]
            task()
            self.mark("rest")
            parts: dict[str, float] = {}
            for (_, start), (what, stop) in zip(self.marks, self.marks[1:], strict=False):
                parts[what] = parts.get(what, 0.0) + stop - start
            if turn > 5:
                for what, value in parts.items():
                    found.setdefault(what, []).append(value)
        for hook in self.hooks:
            hook.remove()
        return {what: statistics.median(values) for what, values in found.items()}


def sizes(network: nn.Module, modules: list[nn.Module], z: Tensor) -> list[Any]:
    """(weights, inputs, outputs) of each layer, in numbers."""
    found: list[Any] = []

    def look(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        weights = sum(p.numel() for p in module.parameters() if p.ndim == 5)
        found.append((weights, inputs[0].numel(), output.numel()))

    hooks = [module.register_forward_hook(look) for module in modules]
    with torch.no_grad():
        network(z)
    for hook in hooks:
        hook.remove()
    return found


def layers(name: str, ceiling: float, rounds: int = 7) -> list[Row]:
    """The rows of one model; `ceiling` in operations a second."""
    network = accelerate(build(name))
    modules = [m for m in network.modules() if isinstance(m, FastLayer | ThinDeconvolution)]
    data = torch.rand(1, 3, *SIZES[name]) * 2 - 1
    z = torch.randn(1, *network.latent_shape(*SIZES[name]))
    work = useful_by_layer(build(name), z)
    numbers, speed = sizes(network, modules, z), bandwidth()
    clock = Clock(modules)
    clock.last = len(modules) - 1
    view = View(network, data)
    seconds = clock.seconds(lambda: step(view, z), rounds)
    rows = []
    for place, ((weights, inputs, outputs), operations) in enumerate(
        zip(numbers, work, strict=True)
    ):
        passes = 5 if place == clock.last else 10
        moved = 4 * (2 * weights + 2 * inputs + passes * outputs)
        rows.append(
            {
                "model": name,
                "layer": place + 1,
                "gflop": round(2 * operations / 1e9, 3),
                "megabytes": round(moved / 1e6, 1),
                "forward": round(1e3 * seconds[f"forward {place}"], 2),
                "backward": round(1e3 * seconds[f"backward {place}"], 2),
                "arithmetic": round(2e3 * operations / ceiling, 2),
                "memory": round(1e3 * moved / speed, 2),
            }
        )
        print(rows[-1], flush=True)
    moved = 4 * 7 * data.numel()  # squares and sum, and back
    rows.append(
        {
            "model": name,
            "layer": "rest",
            "megabytes": round(moved / 1e6, 1),
            "forward": round(1e3 * seconds["rest"], 2),
            "memory": round(1e3 * moved / speed, 2),
        }
    )
    print(rows[-1], flush=True)
    return rows


def operations(name: str, rounds: int = 5, least: float = 0.01) -> list[Row]:
    """The operations of one fast step that take at least this share of it, by PyTorch's profiler.

    The profiler slows a step by some per cent, most where operations are short.
    """
    network = accelerate(build(name))
    view = View(network, torch.rand(1, 3, *SIZES[name]) * 2 - 1)
    z = torch.randn(1, *network.latent_shape(*SIZES[name]))
    for _ in range(8):  # until the weights are packed
        step(view, z)
    for _ in range(2):  # the profiler's own start counts in the first
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            for _ in range(rounds):
                step(view, z)
    found = profiler.key_averages()
    total = sum(event.self_cpu_time_total for event in found)
    rows = [
        {
            "model": name,
            "operation": event.key,
            "calls": event.count // rounds,
            "milliseconds": round(1e-3 * event.self_cpu_time_total / rounds, 2),
            "share": round(event.self_cpu_time_total / total, 3),
        }
        for event in sorted(found, key=lambda event: -event.self_cpu_time_total)
        if event.self_cpu_time_total >= least * total
    ]
    for row in rows:
        print(row, flush=True)
    return rows
