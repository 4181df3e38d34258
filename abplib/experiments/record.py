"""What a recorded result holds beside its numbers, and how it is written."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

import abplib
from abplib import checkpoint


def environment() -> dict[str, Any]:
    """What the numbers depend on beside the settings.

    >>> environment()["abplib"] == abplib.__version__
    True
    """
    return {
        "abplib": abplib.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
    }


def write_json(path: str | Path, results: dict[str, Any]) -> None:
    """Write results as JSON, at once or not at all: a stop leaves the old file whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.replace_file(path, (json.dumps(results, indent=2) + "\n").encode())
