"""Check the chapters' form: `python book/_tools/lint.py [NOTEBOOK ...]`; one line a problem.

Each rule is a function from a page (and the whole book, where labels need it) to the problems it
sees. `RULES` names them; the tests break every rule once to see that it speaks.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import notebooks

MAX_BYTES = 1_500_000
MAX_LINES = 39  # of a code cell: less than a screen
LABELS = (
    re.compile(r"^\(([\w:.-]+)\)=\s*$", re.M),  # (label)= above a heading or block
    re.compile(r"\$\$\s*\(([\w:.-]+)\)"),  # $$ ... $$ (label)
    re.compile(r"^:(?:name|label):\s*(\S+)\s*$", re.M),  # an option of a directive
)
REFERENCE = re.compile(r"\{(?:ref|eq|numref|math:numref)\}`(?:[^`<]*<)?([^`<>]+)>?`")
CITATION = re.compile(r"\{cite(?::[a-z]+)?\}`([^`]+)`")
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
REMOTE = re.compile(r"(?:src|href)=[\"']?(?:https?:)?//|url\(\s*[\"']?(?:https?:)?//|@import")
FENCE = re.compile(r"^(`{3,}|~{3,})(?!\s*\{)[^\n]*\n.*?^\1\s*$", re.M | re.S)


@dataclass(frozen=True)
class Page:
    """One chapter: its file's name and size, and its notebook."""

    name: str
    size: int
    notebook: Any

    @property
    def code(self) -> list[Any]:
        """The code cells that hold code."""
        cells = [cell for cell in self.notebook.cells if cell.cell_type == "code"]
        return [cell for cell in cells if cell.source.strip()]

    @property
    def prose(self) -> str:
        """The markdown cells, with plain code blocks left out."""
        cells = [cell for cell in self.notebook.cells if cell.cell_type == "markdown"]
        return FENCE.sub("", "\n\n".join(cell.source for cell in cells))


@dataclass(frozen=True)
class Book:
    """What a rule needs to know of the whole book."""

    setup: str
    labels: Counter[str] = field(default_factory=Counter)
    citations: frozenset[str] = frozenset()


Rule = Callable[[Page, Book], Iterator[str]]


def labels_in(text: str) -> list[str]:
    """Return the labels that a markdown text defines."""
    return [label for pattern in LABELS for label in pattern.findall(text)]


def labels_of(page: Page) -> list[str]:
    """Return the labels that a chapter defines, those of its figures included."""
    figures = [cell.metadata.get("mystnb", {}).get("figure", {}).get("name") for cell in page.code]
    return labels_in(page.prose) + [name for name in figures if name]


def outputs(page: Page) -> Iterator[tuple[int, Any, Any]]:
    """Go through the outputs: the cell's number among the code cells, the cell, the output."""
    for number, cell in enumerate(page.code, start=1):
        for output in cell.outputs:
            yield number, cell, output


def execution_counts(page: Page, book: Book) -> Iterator[str]:
    """Code cells are executed once, from top to bottom: counts 1..n."""
    counts = [cell.execution_count for cell in page.code]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}, expected 1..{len(counts)}: execute it with run.py"


def clean_outputs(page: Page, book: Book) -> Iterator[str]:
    """No error, nothing on stderr, no memory address (it differs from run to run)."""
    for number, _, output in outputs(page):
        if output.output_type == "error":
            yield f"cell {number}: error output {output.ename}"
        elif output.get("name") == "stderr":
            yield f"cell {number}: output on stderr: {output.text.strip()[:60]!r}"
        text = output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
        if ADDRESS.search(text):
            yield f"cell {number}: a memory address in the output: end the line with `;`"


def pictures(page: Page, book: Book) -> Iterator[str]:
    """Every picture says in words what is to be seen, and has a caption and a label."""
    for number, cell in enumerate(page.code, start=1):
        kinds = [kind for output in cell.outputs for kind in output.get("data", {})]
        images = sum(kind.startswith("image/") for kind in kinds)
        players = [o for o in cell.outputs if 'class="abp-' in str(o.get("data", {}))]
        if not images and not players:
            continue
        settings = cell.metadata.get("mystnb", {})
        alt = settings.get("image", {}).get("alt", "")
        caption = settings.get("figure", {}).get("caption", "")
        label = settings.get("figure", {}).get("name", "")
        if images > 1:
            yield f"cell {number}: {images} pictures, expected one a cell (one caption, one text)"
        if images and len(alt) < 15:
            yield f"cell {number}: mystnb.image.alt is {alt!r}: say what is to be seen"
        if not caption:
            yield f"cell {number}: mystnb.figure.caption is missing"
        if not label.startswith("fig-"):
            yield f"cell {number}: mystnb.figure.name is {label!r}, expected fig-CHAPTER-THING"


def markup(page: Page, book: Book) -> Iterator[str]:
    """HTML outputs have alternative text and load nothing from elsewhere."""
    for number, _, output in outputs(page):
        html = str(output.get("data", {}).get("text/html", ""))
        if any("alt=" not in tag for tag in re.findall(r"<img\b[^>]*>", html)):
            yield f"cell {number}: an <img> without alt in the HTML output"
        if any("aria-label" not in tag for tag in re.findall(r"<[^>]*role=.img.[^>]*>", html)):
            yield f"cell {number}: role=img without aria-label in the HTML output"
        if REMOTE.search(html):
            yield f"cell {number}: the HTML output loads something from another host"


def setup_cell(page: Page, book: Book) -> Iterator[str]:
    """The first code cell is the set-up cell, the same in every chapter."""
    first = page.code[0] if page.code else None
    if first is None or "setup" not in first.metadata.get("tags", []):
        yield "the first code cell is not the set-up cell: run `make stamp`"
    elif first.source.rstrip("\n") != book.setup.rstrip("\n"):
        yield "the set-up cell differs from setup_cell.txt: run `make stamp`"


def widget_state(page: Page, book: Book) -> Iterator[str]:
    """No stored widgets: with them the page would load scripts from another host."""
    if "widgets" in page.notebook.metadata:
        yield "widget state is stored: save it with run.py"
    for number, _, output in outputs(page):
        if "application/vnd.jupyter.widget-view+json" in output.get("data", {}):
            yield f"cell {number}: a live widget is stored: execute it with run.py"


def sizes(page: Page, book: Book) -> Iterator[str]:
    """Files stay small enough to review, cells short enough for one screen."""
    if page.size >= MAX_BYTES:
        yield f"the file has {page.size} bytes, expected less than {MAX_BYTES}"
    for number, cell in enumerate(page.code, start=1):
        lines = len(cell.source.splitlines())
        if lines > MAX_LINES:
            yield f"cell {number}: {lines} lines, at most {MAX_LINES}: split it"


def references(page: Page, book: Book) -> Iterator[str]:
    """Every reference to a section, an equation or a figure resolves, and labels are unique."""
    for label in sorted({label.strip() for label in REFERENCE.findall(page.prose)}):
        if label not in book.labels:
            yield f"the label {label!r} is referred to, but stands nowhere"
    for label in sorted(set(labels_of(page))):
        if book.labels[label] > 1:
            yield f"the label {label!r} is defined {book.labels[label]} times in the book"


def citations(page: Page, book: Book) -> Iterator[str]:
    """Every citation has its entry in references.bib."""
    keys = {key.strip() for group in CITATION.findall(page.prose) for key in group.split(",")}
    for key in sorted(keys - book.citations):
        yield f"{key!r} is cited, but is not in references.bib"


def inline_algorithm(page: Page, book: Book) -> Iterator[str]:
    """An algorithm written out is asserted equal, at once, to the library's or to a reference.

    Running the chapter checks the assertion; this rule sees to it that there is one.
    """
    for number, cell in enumerate(page.code):
        if "inline-algorithm" in cell.metadata.get("tags", []):
            near = "\n".join(after.source for after in page.code[number : number + 2])
            if not re.search(r"^\s*assert .*(?:equal|close)\(|^\s*assert abs\(", near, re.M):
                yield f"cell {number + 1}: nothing asserts that this algorithm equals the library's"


def headings(page: Page, book: Book) -> Iterator[str]:
    """One title, at the top; no level of headings is skipped."""
    levels = [len(marks) for marks in re.findall(r"^(#{1,6}) ", page.prose, re.M)]
    if not page.prose.startswith("# ") or levels.count(1) != 1:
        yield "expected exactly one `# Title`, at the top of the first cell"
    if any(after > before + 1 for before, after in pairwise(levels)):
        yield "a level of headings is skipped"


def colab(page: Page, book: Book) -> Iterator[str]:
    """The head of a chapter opens it in Colab."""
    first = page.notebook.cells[0].source if page.notebook.cells else ""
    if not re.search(rf"colab\.research\.google\.com/github/\S+/{re.escape(page.name)}\b", first):
        yield f"the first cell has no link that opens book/{page.name} in Colab"


RULES: dict[str, Rule] = {
    rule.__name__.replace("_", "-"): rule
    for rule in (
        execution_counts,
        clean_outputs,
        pictures,
        markup,
        setup_cell,
        widget_state,
        sizes,
        references,
        citations,
        inline_algorithm,
        headings,
        colab,
    )
}


def load(path: Path) -> Page:
    """Read one chapter."""
    return Page(path.name, path.stat().st_size, notebooks.read(path))


def load_book(root: Path = notebooks.ROOT) -> Book:
    """Read what the rules need: the set-up cell, all labels, all citations."""
    labels: Counter[str] = Counter()
    for path in notebooks.chapters(root):
        labels.update(labels_of(load(path)))
    for path in [*root.glob("*.md"), *(root / "book").glob("*.md")]:
        labels.update(labels_in(FENCE.sub("", path.read_text(encoding="utf-8"))))
    entries = (root / "references.bib").read_text(encoding="utf-8")
    keys = frozenset(re.findall(r"^@\w+\{\s*([^,\s]+)\s*,", entries, re.M))
    setup = (root / "book/_tools/setup_cell.txt").read_text(encoding="utf-8")
    return Book(setup, labels, keys)


def problems(page: Page, book: Book) -> list[str]:
    """Return what is wrong with one chapter, a line each, with the rule's name."""
    return [f"{page.name}: {name}: {line}" for name in RULES for line in RULES[name](page, book)]


def main(arguments: list[str]) -> int:
    """Lint the chapters; return 1 if there is anything to mend."""
    paths = [Path(name).resolve() for name in arguments] or notebooks.chapters()
    book = load_book()
    found = [line for path in paths for line in problems(load(path), book)]
    print("\n".join(found) if found else f"{len(paths)} chapters: nothing to mend")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
