"""The same figure twice: precomputed for the page, recomputed in a running kernel."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from abplib.show._output import checked_alt, emit, figure_png, png_bundle, shell
from abplib.show._slider import slider_bundle


def explore(
    draw: Callable[[Any], Figure],
    *,
    name: str,
    values: Sequence[Any],
    alt: str,
    caption: str | None = None,
    start: Any = None,
    labels: Sequence[object] | None = None,
) -> None:
    """Display `draw(value)` under a slider, and again in a live control where a kernel runs.

    The precomputed slider is always shown. With a live kernel and ipywidgets, a second control
    recomputes the figure for any value between the smallest and the largest; setting the
    environment variable ABPLIB_STATIC leaves it out, as in saved notebooks.

    Args:
        draw: makes a new figure for a value, each of the same figsize.
        name: what the slider changes.
        values: the precomputed values: whole numbers, floats (the control has a logarithmic scale
            where they are spaced so), or any choices.
        alt: what is to be seen, in words.
        caption: text below the slider.
        start: the value shown first, one of `values`; by default the middle one.
        labels: what each value is called; by default the value, with 4 digits.

    Raises:
        ValueError: no values, `start` not among them, labels that do not match, a blank `alt` or
            `name`, or figures of different sizes.
        TypeError: `draw` returned no matplotlib figure.

    >>> def draw(slope):
    ...     fig = Figure(figsize=(2, 2))
    ...     _ = fig.subplots().plot([0, slope])
    ...     return fig
    >>> explore(draw, name="slope", values=[0.5, 1.0], alt="A line that steepens.")
    <slider over slope: A line that steepens.>
    """
    checked_alt(alt)
    options = list(values)
    if not options:
        raise ValueError("values is empty: pass the values to precompute, such as [0.1, 0.2, 0.4]")
    first = options[(len(options) - 1) // 2] if start is None else start
    if first not in options:
        raise ValueError(f"start is {start!r}, which is not among values: pass one of {options}")
    texts = [_label(value) for value in options] if labels is None else [str(x) for x in labels]
    if len(texts) != len(options):
        raise ValueError(f"{len(texts)} labels for {len(options)} values: pass one for each")
    drawn = [_drawn(draw, value) for value in options]
    emit(slider_bundle(drawn, texts, name, alt, caption, options.index(first)))
    if _live():
        from IPython.display import display

        display(live_control(draw, name, options, texts, first, alt))


def live_control(
    draw: Callable[[Any], Figure],
    name: str,
    values: Sequence[Any],
    labels: Sequence[str],
    start: Any,
    alt: str,
) -> Any:
    """Return an ipywidgets control that draws again for the value it is moved to."""
    import ipywidgets

    common: dict[str, Any] = {"description": name, "continuous_update": False, "value": start}
    common["style"] = {"description_width": "initial"}
    spacing = _spacing(values)
    if spacing == "choices":
        options = list(zip(labels, values, strict=True))
        control = ipywidgets.SelectionSlider(options=options, **common)
    elif spacing == "whole":
        control = ipywidgets.IntSlider(min=int(min(values)), max=int(max(values)), **common)
    else:
        ends = np.asarray([min(values), max(values)], dtype=float)
        make = ipywidgets.FloatSlider
        if spacing == "geometric":
            ends, make = np.log10(ends), ipywidgets.FloatLogSlider
        low, high = ends.tolist()
        step = (high - low) / 100
        control = make(min=low, max=high, step=step, readout_format=".4g", **common)
    output = ipywidgets.Output()

    def redraw(change: Any) -> None:
        with output:
            output.clear_output(wait=True)
            png = figure_png(_drawn(draw, change["new"]))
            emit(png_bundle("figure", png, alt, None))

    control.observe(redraw, names="value")
    hint = ipywidgets.HTML("With a kernel running, move this for any value:")
    return ipywidgets.VBox([hint, control, output])


def _live() -> bool:
    """Say whether a kernel runs that can answer a control."""
    if os.environ.get("ABPLIB_STATIC") or not hasattr(shell(), "kernel"):
        return False
    try:
        import ipywidgets  # noqa: F401
    except ImportError:
        return False
    return True


def _spacing(values: Sequence[Any]) -> str:
    """Say how values are spaced: "whole", "even", "geometric" or "choices"."""
    if len(values) < 2 or any(isinstance(v, bool | np.bool_) for v in values):
        return "choices"
    if all(isinstance(v, int | np.integer) for v in values):
        return "whole"
    if not all(isinstance(v, int | float | np.integer | np.floating) for v in values):
        return "choices"
    points = np.unique(np.asarray(values, dtype=float))
    if points[0] <= 0:
        return "even"
    return "geometric" if _spread(np.log(points)) < 0.9 * _spread(points) else "even"


def _spread(points: npt.NDArray[np.float64]) -> float:
    """Return how uneven the steps between points are: 0 where all are equal."""
    steps = np.diff(points)
    return float(steps.std() / steps.mean()) if len(steps) else 0.0


def _label(value: Any) -> str:
    """Return a value as text, floats with 4 significant digits."""
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def _drawn(draw: Callable[[Any], Figure], value: Any) -> Figure:
    """Call `draw` and check that a figure came back."""
    fig = draw(value)
    if not isinstance(fig, Figure):
        raise TypeError(
            f"draw({value!r}) returned {type(fig).__name__}, expected a matplotlib figure: "
            "end it with 'return fig'"
        )
    return fig
