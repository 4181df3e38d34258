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


def read_rows(path: str | Path, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of an earlier run of the same settings, or none where there is no such file.

    Raises:
        ValueError: if the file was made with other settings, or is no record at all.
    """
    path = Path(path)
    if not path.exists():
        return []
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        before, rows = record["settings"], record["rows"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is no record of an experiment: name another --out") from None
    if before != json.loads(json.dumps(settings)):
        raise ValueError(f"{path} was made with other settings: name another --out, or remove it")
    return rows
