"""What the book's tools share: where the chapters are, how a notebook is read and saved."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[2]
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
KEPT_CELL_METADATA = {"tags", "mystnb"}


def chapters(root: Path = ROOT) -> list[Path]:
    """Return the notebooks that `_toc.yml` names, in reading order."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    names = [toc["root"]]
    for part in [toc, *toc.get("parts", [])]:
        names += [entry["file"] for entry in part.get("chapters", []) if "file" in entry]
    paths = [root / re.sub(r"(\.ipynb)?$", ".ipynb", name, count=1) for name in names]
    return [path for path in paths if path.exists()]


def read(path: Path) -> Any:
    """Return the notebook at `path`, in the current notebook format."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    notebook.nbformat_minor = 5
    return notebook


def text_of(notebook: Any) -> str:
    """Return the file's text, without anything that changes from run to run.

    Timings, widget state, the editor's marks and the kernel's version are left out, and code cells
    are counted 1..n, so that the same code and the same results give the same bytes.
    """
    notebook.metadata = {"kernelspec": dict(KERNEL), "language_info": {"name": "python"}}
    count = 0
    for cell in notebook.cells:
        for key in set(cell.metadata) - KEPT_CELL_METADATA:
            del cell.metadata[key]
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        executed = cell.execution_count is not None
        count += 1
        cell.execution_count = count if executed else None
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = cell.execution_count
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook)).rstrip("\n") + "\n"  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    print("\n".join(str(path.relative_to(ROOT)) for path in chapters()))
