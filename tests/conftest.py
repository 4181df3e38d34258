"""What all tests share: one thread, and no display."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("ABPLIB_STATIC", "1")

ROOT = Path(__file__).resolve().parents[1]
