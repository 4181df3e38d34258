"""Write the repository's address everywhere: `python book/_tools/stamp.py [--check]`.

The address stands in `pyproject.toml`, `[tool.book] repository`. This script copies it into the
other files that need it, and puts the set-up cell and the Colab link of every chapter, or of the
chapters named, in order. With `--check` nothing is written, and what would change is named.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import notebooks

ROOT = notebooks.ROOT
SETUP = Path("book/_tools/setup_cell.txt")
PAGES = ("_config.yml", "CITATION.cff", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", str(SETUP))
COLAB = "https://colab.research.google.com/github"
COLAB_LINK = re.compile(re.escape(COLAB) + r"/[\w.-]+/[\w.-]+/blob/[\w.-]+/[\w./-]+\.ipynb")
BRANCH = "main"
SETUP_METADATA = {
    "tags": ["setup", "hide-input"],
    "mystnb": {"code_prompt_show": "Show the set-up", "code_prompt_hide": "Hide the set-up"},
}


def address(root: Path = ROOT) -> str:
    """Return the repository's public address, without a trailing slash."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return str(settings["tool"]["book"]["repository"]).rstrip("/")


def stamped_address(root: Path = ROOT) -> str:
    """Return the address that the last stamp wrote (in `pyproject.toml`, `[project.urls]`)."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return str(settings["project"]["urls"]["Repository"]).rstrip("/")


def site(repository: str) -> str:
    """Return the address of the published book: GitHub Pages of the repository."""
    owner, name = repository.split("/")[-2:]
    return f"https://{owner}.github.io/{name}"


def replaced(text: str, old: str, new: str) -> str:
    """Return `text` with the old repository's addresses (code, Colab, book) changed to the new."""
    end = r"(?![\w-])"  # github.com/a/b must not match inside github.com/a/b-tools
    old_name, new_name = ("/".join(url.split("/")[-2:]) for url in (old, new))
    for before, after in (
        (old, new),
        (f"{COLAB}/{old_name}", f"{COLAB}/{new_name}"),
        (site(old), site(new)),
    ):
        text = re.sub(re.escape(before) + end, after, text)
    return text


def colab_link(path: Path, repository: str, root: Path = ROOT) -> str:
    """Return the address that opens the chapter at `path` in Colab."""
    name = "/".join(repository.split("/")[-2:])
    return f"{COLAB}/{name}/blob/{BRANCH}/{path.relative_to(root).as_posix()}"


def stamp_notebook(notebook: Any, setup: str, link: str) -> None:
    """Put the set-up cell and the Colab link of one chapter in order, in place."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = COLAB_LINK.sub(link, cell.source)
    tagged = [cell for cell in notebook.cells if "setup" in cell.metadata.get("tags", [])]
    if not tagged:
        cell = nbformat.v4.new_code_cell(setup, id="setup")  # type: ignore[no-untyped-call]
        notebook.cells.insert(1, cell)
        tagged = [cell]
    tagged[0].source = setup
    tagged[0].metadata.update(SETUP_METADATA)


def changes(root: Path, chapters: list[Path]) -> dict[Path, str]:
    """Return the new text of every file that is not as the address says."""
    old, new = stamped_address(root), address(root)
    setup = replaced((root / SETUP).read_text(encoding="utf-8"), old, new)
    texts = {}
    for path in [root / name for name in PAGES if (root / name).exists()]:
        texts[path] = replaced(path.read_text(encoding="utf-8"), old, new)
    settings = (root / "pyproject.toml").read_text(encoding="utf-8")
    head, mark, urls = settings.partition("[project.urls]\n")
    table, *rest = re.split(r"(?m)^(?=\[)", urls, maxsplit=1)
    texts[root / "pyproject.toml"] = "".join([head, mark, replaced(table, old, new), *rest])
    for path in chapters:
        notebook = notebooks.read(path)
        stamp_notebook(notebook, setup.rstrip("\n"), colab_link(path, new, root))
        texts[path] = notebooks.text_of(notebook)
    return {path: text for path, text in texts.items() if text != path.read_text(encoding="utf-8")}


def main(arguments: list[str] | None = None) -> int:
    """Stamp the files, or with `--check` name those that are not stamped."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("notebook", nargs="*", type=Path, help="default: all of _toc.yml")
    parser.add_argument("--check", action="store_true", help="write nothing; name what differs")
    options = parser.parse_args(arguments)
    chapters = [path.resolve() for path in options.notebook] or notebooks.chapters()
    changed = changes(ROOT, chapters)
    for path, text in changed.items():
        print(("not stamped: " if options.check else "stamped: ") + str(path.relative_to(ROOT)))
        if not options.check:
            path.write_text(text, encoding="utf-8")
    if options.check and changed:
        print("run `make stamp`")
    return int(options.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
