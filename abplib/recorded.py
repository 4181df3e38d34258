"""The project's recorded runs: tables too long to compute live, as the experiments wrote them.

In the repository they lie in ``book/results`` and ``benchmarks/results``. An installed package
carries a copy, so that a chapter finds them wherever it runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PLACES = (
    HERE.parent / "book" / "results",
    HERE.parent / "benchmarks" / "results",
    HERE / "_recorded",  # the copy that setup.py makes
)


def path(name: str) -> Path:
    """Where a recorded file lies, for instance ``path("families.json")``.

    Raises:
        FileNotFoundError: if there is no such record; it names those there are.
    """
    for place in PLACES:
        if (place / name).is_file():
            return place / name
    there = sorted({f.name for place in PLACES if place.is_dir() for f in place.glob("*.json")})
    raise FileNotFoundError(f"there is no record {name!r}; there are {', '.join(there) or 'none'}")


def load(name: str) -> dict[str, Any]:
    """A recorded JSON file as a dict; see `path`.

    >>> "rows" in load("langevin.json")
    True
    """
    content: dict[str, Any] = json.loads(path(name).read_text(encoding="utf-8"))
    return content
