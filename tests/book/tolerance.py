"""A pytest plugin: nbval compares words and whole numbers exactly, other numbers tolerantly.

Floating-point results differ between CPU types: after 300 Adam steps by 2.4% between AVX2 and
AVX-512. Twice that is allowed. Live widgets, which a reader's kernel shows and a stored page does
not, are left out of the comparison.
"""

from __future__ import annotations

import math
import re
from typing import Any

from nbval.plugin import IPyNbCell

RELATIVE = 0.05
ABSOLUTE = 1e-6  # rounding noise around zero
NUMBER = re.compile(r"[-+]?\d+\.\d*(?:e[-+]?\d+)?|[-+]?\d+e[-+]?\d+")
WIDGET = "application/vnd.jupyter.widget-view+json"
PIP_NOTE = "you may need to restart the kernel"


def same(left: str, right: str) -> bool:
    """Tell whether two texts agree: the same words, and numbers within the tolerance.

    The number of leading blanks may differ with the numbers' widths; nothing else may.
    """
    if left == right:
        return True
    blanks = re.compile(r"[ \t]+")
    if blanks.sub(" ", NUMBER.sub("#", left)) != blanks.sub(" ", NUMBER.sub("#", right)):
        return False
    pairs = zip(NUMBER.findall(left), NUMBER.findall(right), strict=True)
    return all(
        math.isclose(float(a), float(b), rel_tol=RELATIVE, abs_tol=max(ABSOLUTE, unit(a)))
        for a, b in pairs
    )


def unit(number: str) -> float:
    """Return one unit in the last printed place: a rounding may fall either way."""
    digits, _, exponent = number.lower().partition("e")
    places = len(digits.partition(".")[2])
    return 1.0001 * 10.0 ** (int(exponent or 0) - places)  # a little more, for binary fractions


class Tolerant(str):
    """A text that equals another when `same` says so."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return same(str(self), str(other))

    def __ne__(self, other: object) -> bool:
        return not self == other


def is_live(output: Any) -> bool:
    """Tell what only a live kernel shows: widgets, and the note that pip prints."""
    return WIDGET in output.get("data", {}) or PIP_NOTE in output.get("text", "")


_sanitize = IPyNbCell.sanitize
_compare = IPyNbCell.compare_outputs


def sanitize(self: Any, text: Any) -> Any:
    """Sanitise as nbval does, and compare tolerantly from then on."""
    cleaned = _sanitize(self, text)
    return Tolerant(cleaned) if isinstance(cleaned, str) else cleaned


def compare_outputs(self: Any, test: Any, ref: Any, skip_compare: Any = None) -> Any:
    """Compare without what only a live kernel shows."""
    test = [output for output in test if not is_live(output)]
    ref = [output for output in ref if not is_live(output)]
    return _compare(self, test, ref, skip_compare)


IPyNbCell.sanitize = sanitize
IPyNbCell.compare_outputs = compare_outputs
