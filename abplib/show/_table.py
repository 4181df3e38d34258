"""Accessible tables of results."""

from __future__ import annotations

import html
import numbers
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from abplib.show._output import Bundle, content_id, emit

if TYPE_CHECKING:
    import pandas as pd

Rows: TypeAlias = "pd.DataFrame | Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]"

_CSS = """
.abplib-table{max-width:100%;overflow-x:auto;margin:.5em 0 1em;color:inherit}
.abplib-table table{border-collapse:collapse;margin:0;color:inherit;background:transparent;
width:auto}
.abplib-table caption{caption-side:top;text-align:left;padding:.3em 0;color:inherit}
.abplib-table th,.abplib-table td{padding:.3em .8em;text-align:left;color:inherit;
background:transparent;border:0;border-bottom:1px solid #8888}
.abplib-table th[scope=row]{white-space:nowrap}
.abplib-table thead th{border-bottom:2px solid currentColor;vertical-align:bottom}
.abplib-table .abplib-number{text-align:right;font-variant-numeric:tabular-nums}
.abplib-table:focus-visible{outline:3px solid #3d7fc1}
""".strip()


def table(rows: Rows, caption: str, *, digits: int = 3) -> None:
    """Display a table with a caption and header cells that screen readers can follow.

    Args:
        rows: a data frame, a sequence of rows (mappings from column to value), or a mapping from
            column to values. The first column names the rows.
        caption: what the numbers are, with their unit.
        digits: significant digits of floats; missing values and NaN show as a dash.

    Raises:
        ValueError: no rows, columns of unequal length, or a blank caption.

    >>> table([{"model": "Model-2", "PSNR (dB)": 23.456}], "Recovery")
    Recovery
    model    PSNR (dB)
    Model-2       23.5
    """
    emit(table_bundle(rows, caption, digits))


def table_bundle(rows: Rows, caption: str, digits: int = 3) -> Bundle:
    """Return the table as one display output; the arguments are those of `table`."""
    if not caption.strip():
        raise ValueError("caption is blank: say what the numbers are, with their unit")
    if digits < 1:
        raise ValueError(f"digits is {digits}: pass how many significant digits to show, 1 or more")
    header, body = _cells(rows)
    number = [all(_is_number(row[j]) for row in body) for j in range(len(header))]
    texts = [[_text(value, digits) for value in row] for row in body]
    uid = content_id("table", caption, *header, *(cell for row in texts for cell in row))
    return Bundle(
        {
            "text/html": _markup(header, texts, number, caption, uid),
            "text/plain": "\n".join([caption, *_aligned([header, *texts], number)]),
        }
    )


def _cells(rows: Rows) -> tuple[list[str], list[list[Any]]]:
    """Return the column names and the rows of values."""
    if hasattr(rows, "to_dict"):
        frame: Any = rows
        rows = {str(name): column.tolist() for name, column in frame.items()}
    if isinstance(rows, Mapping):
        lengths = {str(name): len(column) for name, column in rows.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns have lengths {lengths}: give every column as many values")
        header, body = list(lengths), [list(row) for row in zip(*rows.values(), strict=True)]
    else:
        names = dict.fromkeys(name for row in rows for name in row)
        header, body = [str(name) for name in names], [[r.get(n) for n in names] for r in rows]
    if not header or not body:
        raise ValueError("no rows to show: pass at least one, such as [{'model': 'Model-2'}]")
    return header, body


def _missing(value: Any) -> bool:
    """Say whether a value is absent: None or NaN."""
    return value is None or (isinstance(value, numbers.Real) and bool(value != value))


def _is_number(value: Any) -> bool:
    """Say whether a value belongs in a column of numbers."""
    return _missing(value) or (isinstance(value, numbers.Real) and not isinstance(value, bool))


def _text(value: Any, digits: int) -> str:
    """Return a value as text: floats with so many significant digits, large ones in full."""
    if _missing(value):
        return "–"
    if isinstance(value, bool | str) or not isinstance(value, numbers.Real):
        return str(value)
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:#.{digits}g}".rstrip(".")


def _aligned(rows: Sequence[Sequence[str]], number: Sequence[bool]) -> list[str]:
    """Return lines of plain text with the columns under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(row, widths, number, strict=True)
        lines.append("  ".join(c.rjust(w) if n else c.ljust(w) for c, w, n in cells).rstrip())
    return lines


def _markup(
    header: Sequence[str],
    texts: Sequence[Sequence[str]],
    number: Sequence[bool],
    caption: str,
    uid: str,
) -> str:
    """Return the table's HTML."""

    def cell(tag: str, text: str, right: bool, scope: str = "") -> str:
        kind = ' class="abplib-number"' * right + f' scope="{scope}"' * bool(scope)
        return f"<{tag}{kind}>{html.escape(text)}</{tag}>"

    head = "".join(cell("th", t, n, "col") for t, n in zip(header, number, strict=True))
    body = "".join(
        "<tr>"
        + cell("th", row[0], number[0], "row")
        + "".join(cell("td", t, n) for t, n in zip(row[1:], number[1:], strict=True))
        + "</tr>"
        for row in texts
    )
    return (
        f'<div class="abplib-table" role="region" aria-labelledby="{uid}" tabindex="0">'
        f'<style>{_CSS}</style><table><caption id="{uid}">{html.escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
