"""The tools that save and stamp notebooks."""

from __future__ import annotations

from pathlib import Path

import nbformat.v4 as nbf
import notebooks
import pytest
import readme
import stamp

OLD, NEW = "https://github.com/abplib/abplib", "https://github.com/else/where"


def test_saving_drops_what_changes_from_run_to_run() -> None:
    cell = nbf.new_code_cell("1 + 1", execution_count=9, id="a")
    cell.outputs = [nbf.new_output("execute_result", {"text/plain": "2"}, execution_count=9)]
    cell.metadata = {"execution": {"iopub.status.busy": "now"}, "tags": ["hide-cell"]}
    notebook = nbf.new_notebook(cells=[cell], metadata={"widgets": {"state": {}}})
    text = notebooks.text_of(notebook)
    assert "iopub" not in text
    assert "widgets" not in text
    assert '"hide-cell"' in text
    assert text.count('"execution_count": 1') == 2
    assert notebooks.text_of(notebook) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"see {OLD}/issues", f"see {NEW}/issues"),
        (f'"abplib @ git+{OLD}"', f'"abplib @ git+{NEW}"'),
        (
            "https://colab.research.google.com/github/abplib/abplib/blob/main/a.ipynb",
            "https://colab.research.google.com/github/else/where/blob/main/a.ipynb",
        ),
        ("https://abplib.github.io/abplib/", "https://else.github.io/where/"),
        (f"{OLD}-tools stays", f"{OLD}-tools stays"),
    ],
)
def test_addresses_are_replaced(before: str, after: str) -> None:
    assert stamp.replaced(before, OLD, NEW) == after


def copy_of_the_book(folder: Path, repository: str) -> Path:
    """Copy what is stamped, with another repository address in pyproject.toml; add a chapter."""
    for name in (*stamp.PAGES, "pyproject.toml"):
        if (notebooks.ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((notebooks.ROOT / name).read_bytes())
    settings = folder / "pyproject.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(
        text.replace(f'repository = "{stamp.address()}"', f'repository = "{repository}"')
    )
    chapter = folder / "book" / "a.ipynb"
    link = f"[Open]({stamp.COLAB}/some/body/blob/old/book/b.ipynb)"
    notebook = nbf.new_notebook(cells=[nbf.new_markdown_cell(f"# A\n\n{link}", id="a")])
    chapter.write_text(notebooks.text_of(notebook), encoding="utf-8")
    return chapter


def test_one_change_moves_the_repository(tmp_path: Path) -> None:
    chapter = copy_of_the_book(tmp_path, NEW)
    texts = stamp.changes(tmp_path, [chapter])
    assert {path.name for path in texts} >= {"_config.yml", "CITATION.cff", "a.ipynb"}
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    head, setup = notebooks.read(chapter).cells[:2]
    assert f"{stamp.COLAB}/else/where/blob/main/book/a.ipynb" in head.source
    assert f"git+{NEW}" in setup.source
    assert setup.metadata["tags"] == ["setup", "hide-input"]
    assert stamp.changes(tmp_path, [chapter]) == {}, "a second stamp changes nothing"
    left = [path for path in texts if "abplib/abplib" in path.read_text(encoding="utf-8")]
    assert left == [], "an old address is left"


def test_the_set_up_cell_is_short() -> None:
    text = (notebooks.ROOT / stamp.SETUP).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 12


def test_the_readme_shows_what_the_records_say() -> None:
    text = readme.README.read_text(encoding="utf-8")
    shown = text.split(readme.BEGIN)[1].split(readme.END)[0]
    assert shown.strip("\n").split("\n") == readme.lines(), "run book/_tools/readme.py"
    assert sum(line.startswith("| 2 |") for line in readme.lines()) == 3
