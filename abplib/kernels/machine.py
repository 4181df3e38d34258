"""What this machine's matrix library is good at."""

from __future__ import annotations

import platform
from functools import lru_cache
from pathlib import Path

import torch

CPUINFO = Path("/proc/cpuinfo")


@lru_cache(maxsize=1)
def full_width() -> bool:
    """Whether large matrix products use the whole width of the processor's registers.

    Intel's library, MKL, does so on Intel's processors. On an AMD EPYC with AVX-512 it was measured
    at half of the rate of the convolution library, oneDNN, which chooses by what a processor can
    do. The answer depends on the processor's maker alone, not on a measurement, so that the same
    form runs, and the same bits come out, each time.
    """
    return not torch.backends.mkl.is_available() or "GenuineIntel" in _maker()


def _maker() -> str:
    """The name of the processor's maker, with other words around it."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return platform.processor()
    return next((line for line in lines if line.startswith("vendor_id")), "")
