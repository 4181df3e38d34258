"""What counts as the same output when a chapter is run again."""

from __future__ import annotations

import pytest

pytest.importorskip("nbval")
from tests.book.tolerance import is_live, same


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("psnr 27.31", "psnr 27.31"),
        ("psnr 27.31", "psnr 28.40"),  # 4%
        ("loss 1.234e-05", "loss 1.250e-05"),
        ("a   9.98\nb  10.01", "a  10.02\nb   9.99"),  # the width of a column changes
        ("x 0.04", "x 0.05"),  # one unit of the last place
    ],
)
def test_equal_up_to_the_tolerance(left: str, right: str) -> None:
    assert same(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("psnr 27.31", "psnr 29.50"),  # 8%
        ("psnr 27.31", "psnr -27.31"),
        ("12 frames", "13 frames"),  # a whole number
        ("27.31 dB", "27.31 DB"),
        ("a 1.0", "a 1.0 b 2.0"),
        ("loss 1.2e-03", "loss 1.2e-02"),
    ],
)
def test_different(left: str, right: str) -> None:
    assert not same(left, right)


def test_widgets_and_the_note_of_pip_are_left_out() -> None:
    assert is_live({"data": {"application/vnd.jupyter.widget-view+json": {}}})
    assert is_live({"text": "Note: you may need to restart the kernel to use updated packages.\n"})
    assert not is_live({"text": "done\n"})
