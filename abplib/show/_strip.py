"""Still pictures: one matplotlib figure, or a film strip of videos."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from abplib.show._output import checked_alt, emit, figure_png, png_bundle, save_png
from abplib.show._video import Frames, Videos, labelled_frames

_DPI = 100
_FONT = FontProperties(family="DejaVu Sans", size=10)
_GAP = 2  # video pixels between two frames
_TOP = 24  # picture pixels for the frame numbers


def figure(
    fig: Figure, *, alt: str, caption: str | None = None, path: str | Path | None = None
) -> None:
    """Display a matplotlib figure as one image with alternative text, and close it.

    Args:
        fig: the figure; drawn at its own size and dots an inch.
        alt: what is to be seen, in words.
        caption: text that goes with the picture, kept in the output's metadata.
        path: write the PNG to this file instead of displaying it.

    Raises:
        ValueError: `alt` is blank.

    >>> fig = Figure()
    >>> _ = fig.subplots().plot([1, 2])
    >>> figure(fig, alt="A rising line.")
    <figure: A rising line.>
    """
    checked_alt(alt)
    png = figure_png(fig)
    if path is not None:
        save_png(png, path)
    else:
        emit(png_bundle("figure", png, alt, caption))


def strip(
    videos: Videos,
    *,
    alt: str | None = None,
    caption: str | None = None,
    frames: int | Sequence[int] = 8,
    scale: int = 2,
    path: str | Path | None = None,
) -> None:
    """Display a film strip: a labelled row for each video, time from left to right.

    Args:
        videos: one video (C, T, H, W), a batch (N, C, T, H, W), a sequence, or a mapping from label
            to video; pixels in [-1, 1].
        alt: what is to be seen, in words; by default the labels and frame numbers.
        caption: text that goes with the picture, kept in the output's metadata.
        frames: how many frames, spread evenly over the longest video, or their numbers from 0.
            A video that has ended by then leaves its place empty.
        scale: picture pixels for one video pixel.
        path: write the PNG to this file instead of displaying it; needs no notebook.

    Raises:
        ValueError: a bad video, `scale` below 1, or a frame number that no video has.

    >>> strip({"noise": np.zeros((1, 9, 8, 8))}, frames=3)
    <film strip: Film strip, time from left to right. Rows: noise. Frames 0, 4, 8.>
    """
    clips = labelled_frames(videos)
    if scale < 1:
        raise ValueError(f"scale is {scale}: pass a whole number of picture pixels, 1 or more")
    times = _times(frames, max(len(clip) for _, clip in clips))
    png = figure_png(_strip_figure(clips, times, scale))
    if path is not None:
        save_png(png, path)
        return
    labels = [label for label, _ in clips if label]
    rows = f" Rows: {', '.join(labels)}." if labels else ""
    shown = ", ".join(str(t) for t in times)
    text = alt or f"Film strip, time from left to right.{rows} Frames {shown}."
    emit(png_bundle("film strip", png, text, caption))


def _times(frames: int | Sequence[int], longest: int) -> list[int]:
    """Return the numbers of the frames to show."""
    if isinstance(frames, int):
        if frames < 1:
            raise ValueError(f"frames is {frames}: pass how many frames to show, 1 or more")
        return sorted({round(t) for t in np.linspace(0, longest - 1, frames).tolist()})
    times = [int(t) for t in frames]
    if not times or min(times) < 0 or max(times) >= longest:
        raise ValueError(
            f"frames {times} asked for, but the longest video has {longest}: "
            f"pass numbers from 0 to {longest - 1}"
        )
    return times


def _strip_figure(clips: Sequence[tuple[str, Frames]], times: Sequence[int], scale: int) -> Figure:
    """Draw the strip so that every video pixel is `scale` picture pixels, exactly."""
    height = max(clip.shape[1] for _, clip in clips)
    width = max(clip.shape[2] for _, clip in clips)
    high, wide = height + _GAP, width + _GAP
    sheet = np.full((len(clips) * high - _GAP, len(times) * wide - _GAP, 3), 255, np.uint8)
    for row, (_, clip) in enumerate(clips):
        for column, t in enumerate(times):
            if t < len(clip):
                _, h, w, _ = clip.shape
                sheet[row * high : row * high + h, column * wide : column * wide + w] = clip[t]
    names = [textwrap.fill(label, 18) for label, _ in clips]
    margin = 6 + max(_text_width(name) for name in names)
    size = (margin + sheet.shape[1] * scale, _TOP + sheet.shape[0] * scale)
    fig = Figure(figsize=(size[0] / _DPI, size[1] / _DPI), dpi=_DPI)
    fig.set_layout_engine("none")
    fig.set_facecolor("white")
    drawn = sheet.repeat(scale, 0).repeat(scale, 1)
    fig.figimage(drawn, xo=margin, yo=0, origin="upper")

    def write(x: float, y: float, text: str, ha: Literal["center", "right"]) -> None:
        place = (x / size[0], y / size[1])
        fig.text(*place, text, ha=ha, va="center", fontproperties=_FONT, color="black")

    for column, t in enumerate(times):
        x = margin + (column * wide + width / 2) * scale
        write(x, size[1] - _TOP / 2, str(t), "center")
    for row, name in enumerate(names):
        y = size[1] - _TOP - (row * high + height / 2) * scale
        write(margin - 8, y, name, "right")
    return fig


def _text_width(text: str) -> int:
    """Return the width of a label in picture pixels, with its margin; 0 for no label."""
    if not text:
        return 0
    points = max(
        TextPath((0, 0), line, prop=_FONT).get_extents().width for line in text.split("\n")
    )
    return int(np.ceil(points * _DPI / 72)) + 8
