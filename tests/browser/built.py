"""Where the built pages are, and which of them hold what."""

from __future__ import annotations

from pathlib import Path

HTML = Path(__file__).resolve().parents[2] / "_build" / "html"


def pages(containing: str = "") -> list[str]:
    """Return the built pages, as addresses below the book's, that contain a text."""
    found = []
    for path in HTML.rglob("*.html"):
        name = path.relative_to(HTML).as_posix()
        if not name.startswith("_static") and containing in path.read_text(encoding="utf-8"):
            found.append(name)
    return sorted(found)
