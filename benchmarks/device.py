"""What a GPU benchmark writes and how it measures: one row at a time, whatever happens."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from nets import SIZES

DRY_SIZES = {"model-1": (16, 16, 16), "model-2": (16, 64, 64), "model-3": (32, 64, 64)}


class Bench:
    """The record, what is left of the time, and the device."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.end = time.monotonic() + options.seconds
        self.out: Path = options.out
        self.device = torch.device("cpu" if options.cpu else "cuda")
        self.width = 1 / 64 if options.cpu else 1.0
        self.sizes = DRY_SIZES if options.cpu else SIZES
        self.repeats = 2 if options.cpu else 15
        self.result: dict[str, Any] = {
            "torch": torch.__version__,
            "python": platform.python_version(),
            **gpu(),
        }
        if options.cpu:
            self.result["dry_run"] = True
        self.result["rows"] = []

    def row(self, work: Callable[[], dict[str, Any]], **key: Any) -> dict[str, Any]:
        """Measure one row; an error becomes its text, and the file is written in any case."""
        left = self.end - time.monotonic()
        try:
            found = work() if left > 0 else {"error": "not run: the time was used up"}
        except Exception as error:  # a form that fails must not cost the others
            found = {"error": f"{type(error).__name__}: {str(error).strip().splitlines()[0][:300]}"}
        row = {**key, **found}
        self.result["rows"].append(row)
        self.result["seconds_left"] = round(self.end - time.monotonic(), 1)
        self.out.parent.mkdir(parents=True, exist_ok=True)
        self.out.write_text(json.dumps(self.result, indent=1) + "\n", encoding="utf-8")
        print("  ".join(f"{k} {v}" for k, v in row.items()), flush=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return row

    def milliseconds(self, task: Callable[[], Any], limit: float = 1.0) -> float:
        """Median of a task's time after three runs, for at most `limit` seconds."""
        taken: list[float] = []
        start = time.monotonic()
        for turn in range(3 + self.repeats):
            value = self.once(task)
            if turn >= 3:
                taken.append(value)
            if taken and time.monotonic() - start > limit:
                break
        return statistics.median(taken)

    def once(self, task: Callable[[], Any]) -> float:
        """Milliseconds of one run, by CUDA events."""
        if self.device.type == "cpu":
            start = time.perf_counter()
            task()
            return 1e3 * (time.perf_counter() - start)
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        first.record()
        task()
        last.record()
        torch.cuda.synchronize()
        return first.elapsed_time(last)


def gpu() -> dict[str, Any]:
    """What the numbers were measured on."""
    if not torch.cuda.is_available():
        return {"gpu": None}
    return {
        "gpu": torch.cuda.get_device_name(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


@contextmanager
def precision(tf32: bool, bf16: bool, device: torch.device) -> Iterator[None]:
    """TF32 on or off, and autocast to bfloat16."""
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    with torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext():
        yield


def reset_peak(bench: Bench) -> None:
    """Start counting the highest allocated memory anew."""
    if bench.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()


def peak_mb(bench: Bench) -> int | None:
    """Highest allocated memory since `reset_peak`, in MB."""
    return torch.cuda.max_memory_allocated() >> 20 if bench.device.type == "cuda" else None
