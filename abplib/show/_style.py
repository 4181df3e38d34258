"""How every plot of the book looks."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
from cycler import cycler

from abplib.show._output import shell

# Okabe and Ito's colours, told apart by readers with any colour vision; the pale yellow is left out
# because it vanishes on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
_LINES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (9, 3)), (0, (2, 1, 2, 4)))


def use_book_style() -> None:
    """Set matplotlib to the book's style: colours and line styles change together.

    White background in both themes, constrained layout, 110 dots an inch. In a notebook, figures
    shown by the inline backend then carry no version text: the same plot gives the same bytes.

    >>> use_book_style()
    >>> mpl.rcParams["figure.dpi"]
    110.0
    """
    mpl.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=COLOURS) + cycler(linestyle=_LINES),
            "axes.axisbelow": True,
            "axes.facecolor": "white",
            "axes.grid": False,
            "axes.labelsize": 11,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlesize": 12,
            "figure.constrained_layout.use": True,
            "figure.dpi": 110.0,
            "figure.facecolor": "white",
            "figure.figsize": (7.0, 3.6),
            "figure.max_open_warning": 0,
            "font.family": "DejaVu Sans",
            "font.size": 11,
            "grid.color": "#d9d9d9",
            "image.cmap": "viridis",
            "image.interpolation": "nearest",
            "legend.fontsize": 10,
            "legend.edgecolor": "#d9d9d9",
            "legend.fancybox": False,
            "legend.framealpha": 0.9,
            "lines.linewidth": 1.8,
            "savefig.dpi": "figure",
            "savefig.facecolor": "white",
            "xtick.labelsize": 10,
            "ytick.labelsize": 10,
        }
    )
    if shell() is not None:
        from matplotlib_inline.config import InlineBackend

        backend = InlineBackend.instance(parent=shell())
        options: dict[str, Any] = {"bbox_inches": "tight", "metadata": {"Software": None}}
        backend.print_figure_kwargs = options
