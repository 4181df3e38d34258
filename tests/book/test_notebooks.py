"""The form of the chapters, and a broken page for each rule to see that the rule speaks."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lint
import nbformat.v4 as nbf
import notebooks
import pytest

CHAPTERS = notebooks.chapters()
BOOK = lint.Book(
    setup="import torch\n", labels=Counter(["fig-a-line"]), citations=frozenset({"han2019dynamic"})
)


def test_the_contents_name_chapters() -> None:
    assert CHAPTERS, "_toc.yml names no notebook that exists"


@pytest.fixture(scope="module")
def book() -> lint.Book:
    return lint.load_book()


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
@pytest.mark.parametrize("rule", lint.RULES)
def test_chapter_keeps_the_rule(rule: str, path: Path, book: lint.Book) -> None:
    assert list(lint.RULES[rule](lint.load(path), book)) == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_is_saved_without_what_changes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert notebooks.text_of(notebooks.read(path)) == text, "save it with book/_tools/run.py"


def output(kind: str, data: str) -> Any:
    return nbf.new_output("display_data", {kind: data})


def stream(name: str, text: str) -> Any:
    return nbf.new_output("stream", name=name, text=text)


def good_page() -> lint.Page:
    """Return a page that keeps every rule."""
    link = "https://colab.research.google.com/github/a/b/blob/main/book/a.ipynb"
    head = f"# Title\n\n[Open]({link})\n\nSee {{numref}}`fig-a-line`, {{cite}}`han2019dynamic`."
    figure = {
        "image": {"alt": "A line that rises to the right."},
        "figure": {"caption": "A line.", "name": "fig-a-line"},
    }
    player = '<figure class="abp-player"><div role="img" aria-label="Fire"></div></figure>'
    cells = [
        nbf.new_markdown_cell(head),
        nbf.new_code_cell("import torch", execution_count=1, metadata={"tags": ["setup"]}),
        nbf.new_code_cell(
            "plot()",
            execution_count=2,
            metadata={"mystnb": figure},
            outputs=[output("image/png", "AAAA"), output("text/html", player)],
        ),
        nbf.new_markdown_cell("## Part"),
        nbf.new_code_cell("print(1)", execution_count=3, outputs=[stream("stdout", "1\n")]),
    ]
    return lint.Page("a.ipynb", 1000, nbf.new_notebook(cells=cells))


def test_a_good_page_has_no_problem() -> None:
    assert lint.problems(good_page(), BOOK) == []


def cell(page: lint.Page, index: int) -> Any:
    return page.notebook.cells[index]


def change(index: int, **values: Any) -> Callable[[lint.Page], None]:
    """Return a change that sets values of one cell."""
    return lambda page: cell(page, index).update(values)


def add_output(index: int, new: Any) -> Callable[[lint.Page], None]:
    return lambda page: cell(page, index).outputs.append(copy.deepcopy(new))


def drop_figure(part: str, key: str) -> Callable[[lint.Page], None]:
    return lambda page: cell(page, 2).metadata["mystnb"][part].pop(key)


def add_text(text: str) -> Callable[[lint.Page], None]:
    return lambda page: page.notebook.cells.append(nbf.new_markdown_cell(text))


ERROR = nbf.new_output("error", ename="ValueError", evalue="x", traceback=[])
VIEW = "application/vnd.jupyter.widget-view+json"
BROKEN: list[tuple[str, str, Callable[[lint.Page], None]]] = [
    ("execution-counts", "execution counts", change(4, execution_count=7)),
    ("execution-counts", "execution counts", change(4, execution_count=None)),
    ("clean-outputs", "error output ValueError", add_output(4, ERROR)),
    ("clean-outputs", "stderr", add_output(4, stream("stderr", "a warning"))),
    ("clean-outputs", "memory address", add_output(4, stream("stdout", "<A at 0x7f12ab34cd>"))),
    ("pictures", "alt", drop_figure("image", "alt")),
    ("pictures", "caption", drop_figure("figure", "caption")),
    ("pictures", "name", drop_figure("figure", "name")),
    ("pictures", "2 pictures", add_output(2, output("image/png", "BBBB"))),
    ("pictures", "alt", lambda page: cell(page, 2).metadata.pop("mystnb")),
    ("pictures", "caption", add_output(4, output("text/html", '<figure class="abp-player">'))),
    ("markup", "without alt", add_output(4, output("text/html", '<img src="data:,">'))),
    ("markup", "aria-label", add_output(4, output("text/html", '<div role="img"></div>'))),
    ("markup", "another host", add_output(4, output("text/html", '<a src="https://x.org/a.js">'))),
    ("setup-cell", "differs", change(1, source="import torch as t")),
    ("setup-cell", "not the set-up cell", lambda page: cell(page, 1).metadata.pop("tags")),
    ("widget-state", "widget state", lambda page: page.notebook.metadata.update(widgets={})),
    ("widget-state", "live widget", add_output(4, output(VIEW, "{}"))),
    ("sizes", "40 lines", change(4, source="x = 1\n" * 40)),
    ("references", "'fig-b'", add_text("See {numref}`fig-b`.")),
    ("references", "'eq-b'", add_text("See {eq}`eq-b`.")),
    ("references", "'sec-b'", add_text("See {ref}`the part <sec-b>`.")),
    ("citations", "'nobody2020'", add_text("See {cite}`han2019dynamic,nobody2020`.")),
    (
        "inline-algorithm",
        "nothing asserts",
        lambda page: cell(page, 4).metadata.update(tags=["inline-algorithm"]),
    ),
    ("headings", "exactly one", add_text("# A second title")),
    ("headings", "skipped", add_text("#### Too deep")),
    ("colab", "no link", change(0, source="# Title")),
]


@pytest.mark.parametrize(("rule", "words", "break_page"), BROKEN)
def test_a_broken_page_is_found(
    rule: str, words: str, break_page: Callable[[lint.Page], None]
) -> None:
    page = good_page()
    break_page(page)
    found = list(lint.RULES[rule](page, BOOK))
    assert any(words in line for line in found), found


def test_an_inline_algorithm_that_is_compared_is_no_problem() -> None:
    page = good_page()
    page.notebook.cells += [
        nbf.new_code_cell("z = step(z)", metadata={"tags": ["inline-algorithm"]}),
        nbf.new_code_cell("assert torch.equal(z, library(z))"),
    ]
    assert list(lint.inline_algorithm(page, BOOK)) == []


def test_a_large_file_is_found() -> None:
    page = lint.Page("a.ipynb", lint.MAX_BYTES, good_page().notebook)
    assert any("bytes" in line for line in lint.sizes(page, BOOK))


def test_a_label_defined_twice_is_found() -> None:
    twice = lint.Book(BOOK.setup, Counter({"fig-a-line": 2}), BOOK.citations)
    assert any("defined 2 times" in line for line in lint.references(good_page(), twice))


def test_every_rule_is_broken_at_least_once() -> None:
    assert set(lint.RULES) == {rule for rule, _, _ in BROKEN}


def test_labels_are_found_in_every_form() -> None:
    text = "(sec-a)=\n# A\n\n$$ x $$ (eq-a)\n\n```{figure} a.png\n:name: fig-a\n```\n"
    assert lint.labels_in(text) == ["sec-a", "eq-a", "fig-a"]
