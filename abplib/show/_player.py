"""A light video player over one sprite; it needs no kernel, no codec and no network."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass

import numpy as np

from abplib.show._output import (
    STYLE,
    Bundle,
    checked_alt,
    content_id,
    emit,
    figcaption,
    webp,
    webp_uri,
)
from abplib.show._video import Frames, Videos, labelled_frames

_EDGE = 2  # each frame's edge is repeated this often, so that scaling never shows its neighbour
_PAGE = 720  # CSS pixels: a row of videos should not be wider
_QUALITY = 60  # of WebP: about 60 kB for 64 real frames of 64 x 64
_LARGEST = 16383  # pixels: the largest side that WebP can hold

SCRIPT = """
(function () {
  var here = document.currentScript || document.body;
  here.getRootNode().querySelectorAll("figure.abp-player").forEach(function (figure) {
    if (figure.abpReady) return;
    figure.abpReady = true;
    var tiles = figure.querySelectorAll(".abp-tile"), timer = null;
    var button = figure.querySelector(".abp-play"), scrub = figure.querySelector(".abp-scrub");
    var output = figure.querySelector("output");
    function show() {
      var t = Number(scrub.value);
      tiles.forEach(function (tile) {
        // sheet width and height, frame width and height, edge, top, columns, frames
        var g = tile.dataset.grid.split(" ").map(Number), k = t % g[7];
        var x = g[4] + (k % g[6]) * (g[2] + 2 * g[4]);
        var y = g[5] + g[4] + Math.floor(k / g[6]) * (g[3] + 2 * g[4]);
        tile.style.backgroundPosition =
          100 * x / (g[0] - g[2]) + "% " + 100 * y / (g[1] - g[3]) + "%";
      });
      output.textContent = "frame " + t;
      scrub.setAttribute("aria-valuetext", "frame " + t);
    }
    function pause() {
      clearInterval(timer);
      timer = null;
      button.textContent = "Play";
    }
    function play() {
      if (timer !== null || scrub.max === "0") return;
      button.textContent = "Pause";
      timer = setInterval(function () {
        if (!figure.isConnected) return pause();
        scrub.value = (Number(scrub.value) + 1) % (Number(scrub.max) + 1);
        show();
      }, 1000 / Number(figure.dataset.fps));
    }
    button.addEventListener("click", function () { timer === null ? play() : pause(); });
    scrub.addEventListener("input", function () { pause(); show(); });
    show();
    if ("autoplay" in figure.dataset && window.IntersectionObserver
        && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
      var watch = new IntersectionObserver(function (seen) {
        if (seen.some(function (s) { return s.isIntersecting; })) { watch.disconnect(); play(); }
      }, {threshold: 0.3});
      watch.observe(figure);
    }
  });
})();
""".strip()


@dataclass(frozen=True)
class _Tile:
    """Where one video's frames lie in the sprite, in pixels."""

    label: str
    height: int
    width: int
    top: int
    columns: int
    frames: int


def player(
    videos: Videos,
    *,
    alt: str,
    caption: str | None = None,
    fps: float = 12,
    scale: int | None = None,
    columns: int | None = None,
    autoplay: bool = False,
) -> None:
    """Display videos side by side and in step, with a play button and a range to scrub.

    Time runs over the longest video; a shorter one starts again at its own end. Without JavaScript
    the first frames are shown.

    Args:
        videos: one video (C, T, H, W), a batch (N, C, T, H, W), a sequence, or a mapping from label
            to video; pixels in [-1, 1]; sizes and lengths may differ.
        alt: what is to be seen, in words.
        caption: text below the player.
        fps: frames a second.
        scale: page pixels for one video pixel where the page is wide enough; by default a video is
            96 to 192 wide, or more where its own size asks for it.
        columns: videos in one row; by default as many as fit.
        autoplay: start when scrolled into view, unless the reader prefers reduced motion.

    Raises:
        ValueError: a bad video, a blank `alt`, too many frames for one picture, or `fps`, `scale`
            or `columns` not positive.

    >>> player({"noise": np.zeros((1, 9, 8, 8))}, alt="Grey noise.")
    <player: Grey noise.>
    """
    emit(player_bundle(videos, checked_alt(alt), caption, fps, scale, columns, autoplay))


def player_bundle(
    videos: Videos,
    alt: str,
    caption: str | None = None,
    fps: float = 12,
    scale: int | None = None,
    columns: int | None = None,
    autoplay: bool = False,
) -> Bundle:
    """Return the player as one display output; the arguments are those of `player`."""
    clips = labelled_frames(videos)
    for name, value in (("fps", fps), ("scale", scale), ("columns", columns)):
        if value is not None and value <= 0:
            raise ValueError(f"{name} is {value}: pass a positive number")
    sheet, tiles = sprite([clip for _, clip in clips], [label for label, _ in clips])
    picture = webp(sheet, quality=_QUALITY)
    widest = max(tile.width for tile in tiles)
    fitting = _PAGE // (widest * min(columns or len(tiles), len(tiles)))
    scale = scale or max(1, round(96 / widest), min(round(192 / widest), fitting))
    columns = min(columns or max(1, (_PAGE + 8) // (widest * scale + 8)), len(tiles))
    labels = [tile.label for tile in tiles if tile.label]
    spoken = f"{alt} Videos: {', '.join(labels)}." if labels else alt
    uid = content_id(picture, spoken, caption or "", f"{fps} {scale} {columns} {autoplay}")
    grid = f"grid-template-columns:repeat({columns},minmax(0,{widest * scale}px))"
    last = max(tile.frames for tile in tiles) - 1
    markup = (
        f'<figure class="abp-player" id="{uid}" data-fps="{fps:g}"{" data-autoplay" * autoplay}'
        f' data-lm-suppress-shortcuts="true"><style>{STYLE}\n'
        f"#{uid} .abp-tile{{background-image:url({webp_uri(picture)})}}</style>"
        f'<div class="abp-frame" role="img" aria-label="{html.escape(spoken)}" style="{grid}">'
        + "".join(_tile_markup(tile, widest, sheet.shape) for tile in tiles)
        + '</div><div class="abp-controls"><button type="button" class="abp-play">Play</button>'
        f'<input type="range" class="abp-scrub" aria-label="Frame" min="0" max="{last}" value="0"'
        ' step="1" autocomplete="off"><output aria-live="off">frame 0</output></div>'
        "<noscript><p>The first frames are shown; playing them needs JavaScript.</p></noscript>"
        f"{figcaption(caption)}<script>{SCRIPT}</script></figure>"
    )
    return Bundle({"text/html": markup, "text/plain": f"<player: {alt}>"})


def sprite(clips: list[Frames], labels: list[str]) -> tuple[Frames, list[_Tile]]:
    """Lay the frames (T, H, W, 3) of all clips out in one picture, a block of rows each."""
    boxes = [(clip.shape[1] + 2 * _EDGE, clip.shape[2] + 2 * _EDGE) for clip in clips]
    area = sum(len(clip) * h * w for clip, (h, w) in zip(clips, boxes, strict=True))
    target = max(math.isqrt(area), *(w for _, w in boxes))
    across = [min(len(c), max(1, target // w)) for c, (_, w) in zip(clips, boxes, strict=True)]
    deep = [math.ceil(len(clip) / n) for clip, n in zip(clips, across, strict=True)]
    total = sum(rows * h for rows, (h, _) in zip(deep, boxes, strict=True))
    sheet_width = max(n * w for n, (_, w) in zip(across, boxes, strict=True))
    if max(total, sheet_width) > _LARGEST:
        raise ValueError(
            f"{sum(map(len, clips))} frames make a picture of {sheet_width} x {total} pixels, and "
            f"WebP holds {_LARGEST} a side: show fewer or smaller videos, such as video[:, ::2]"
        )
    sheet = np.zeros((total, sheet_width, 3), np.uint8)
    tiles, top = [], 0
    for clip, label, (h, w), n, rows in zip(clips, labels, boxes, across, deep, strict=True):
        padded = np.pad(clip, ((0, 0), (_EDGE, _EDGE), (_EDGE, _EDGE), (0, 0)), mode="edge")
        for k, frame in enumerate(padded):
            y, x = top + k // n * h, k % n * w
            sheet[y : y + h, x : x + w] = frame
        tiles.append(_Tile(label, clip.shape[1], clip.shape[2], top, n, len(clip)))
        top += rows * h
    return sheet, tiles


def _tile_markup(tile: _Tile, widest: int, sheet: tuple[int, ...]) -> str:
    """Return one video's element, which shows its first frame without any script."""
    h, w = tile.height, tile.width
    size = f"{100 * sheet[1] / w:.4f}% {100 * sheet[0] / h:.4f}%"
    x, y = 100 * _EDGE / (sheet[1] - w), 100 * (tile.top + _EDGE) / (sheet[0] - h)
    numbers = (sheet[1], sheet[0], w, h, _EDGE, tile.top, tile.columns, tile.frames)
    label = f'<span class="abp-label">{html.escape(tile.label)}</span>' if tile.label else ""
    return (
        f'<span>{label}<span class="abp-tile" data-grid="{" ".join(map(str, numbers))}" style="'
        f"width:{100 * w / widest:.4g}%;aspect-ratio:{w}/{h};background-size:{size};"
        f'background-position:{x:.4f}% {y:.4f}%"></span></span>'
    )
