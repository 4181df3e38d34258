"""A slider over precomputed pictures; it needs no kernel and no network."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from abplib.show._output import (
    STYLE,
    Bundle,
    checked_alt,
    content_id,
    emit,
    figcaption,
    figure_png,
    png_bundle,
    webp,
    webp_uri,
)
from abplib.show._video import Array, Frames

Picture: TypeAlias = Figure | Array

SCRIPT = """
(function () {
  var here = document.currentScript || document.body;
  here.getRootNode().querySelectorAll("figure.abp-slider").forEach(function (figure) {
    if (figure.abpReady) return;
    figure.abpReady = true;
    var pictures = figure.querySelectorAll(".abp-frame img");
    var range = figure.querySelector("input"), output = figure.querySelector("output");
    function show() {
      pictures.forEach(function (p, k) { p.hidden = k !== Number(range.value); });
      var label = pictures[Number(range.value)].dataset.label;
      output.textContent = label;
      range.setAttribute("aria-valuetext", label);
    }
    range.addEventListener("input", show);
    show();
  });
})();
""".strip()


def slider(
    images: Sequence[Picture],
    labels: Sequence[object],
    *,
    name: str,
    alt: str,
    caption: str | None = None,
    start: int = 0,
    scale: int = 1,
) -> None:
    """Display precomputed pictures under a slider that needs no kernel.

    Viewers that drop HTML show the picture at `start`. Figures are closed.

    Args:
        images: matplotlib figures, or arrays (H, W) or (H, W, 3), uint8 or floats in [0, 1]; all of
            one size.
        labels: what each picture's value is called.
        name: what the slider changes.
        alt: what is to be seen, in words.
        caption: text below the slider.
        start: position of the picture shown first, from 0.
        scale: page pixels for one picture pixel.

    Raises:
        ValueError: no pictures, sizes that differ, labels that do not match, `start` out of range,
            pixels out of range, or a blank `alt` or `name`.

    >>> slider([np.zeros((4, 4)), np.ones((4, 4))], [0, 1], name="grey", alt="Black to white.")
    <slider over grey: Black to white.>
    """
    emit(slider_bundle(images, labels, name, checked_alt(alt), caption, start, scale))


def slider_bundle(
    images: Sequence[Picture],
    labels: Sequence[object],
    name: str,
    alt: str,
    caption: str | None = None,
    start: int = 0,
    scale: int = 1,
) -> Bundle:
    """Return the slider as one display output; the arguments are those of `slider`."""
    texts = [str(label) for label in labels]
    if not images or len(images) != len(texts):
        raise ValueError(
            f"{len(images)} images and {len(texts)} labels: pass at least one image, "
            "and one label for each"
        )
    if not 0 <= start < len(images):
        raise ValueError(f"start is {start}: pass a position from 0 to {len(images) - 1}")
    if not name.strip():
        raise ValueError("name is blank: say what the slider changes, such as 'step size'")
    if scale < 1:
        raise ValueError(f"scale is {scale}: pass a whole number of page pixels, 1 or more")
    pictures = [_pixels(image) for image in images]
    if len({picture.shape for picture in pictures}) > 1:
        sizes = sorted({f"{p.shape[1]} x {p.shape[0]}" for p in pictures})
        raise ValueError(
            f"images have sizes {', '.join(sizes)} (pixels), expected one size: "
            "give every figure the same figsize, without bbox_inches='tight'"
        )
    packed = [_packed(picture, image) for picture, image in zip(pictures, images, strict=True)]
    markup = _markup(packed, texts, pictures[0].shape, name, alt, caption, start, scale)
    still = _png(pictures[start])
    bundle = png_bundle(f"slider over {name}", still, alt, caption)
    bundle.data["text/html"] = markup
    return bundle


def _pixels(image: Picture) -> Frames:
    """Return a picture as (H, W, 3) uint8."""
    if isinstance(image, Figure):
        drawn = Image.open(io.BytesIO(figure_png(image)))
        return np.asarray(drawn.convert("RGB"))
    pixels = np.asarray(image)
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or not pixels.size:
        raise ValueError(
            f"an image has shape {pixels.shape}, expected (H, W) or (H, W, 3): "
            "move the colour axis last with permute(1, 2, 0)"
        )
    if pixels.dtype != np.uint8:
        if not np.isfinite(pixels).all() or pixels.min() < 0 or pixels.max() > 1:
            raise ValueError(
                f"an image of {pixels.dtype} is not within [0, 1]: rescale pixels in [-1, 1] with "
                "(x + 1) / 2, or pass uint8"
            )
        pixels = np.rint(pixels.astype(float) * 255).astype(np.uint8)
    grey = pixels if pixels.ndim == 3 else pixels[..., None]
    return np.ascontiguousarray(np.broadcast_to(grey, (*pixels.shape[:2], 3)))


def _packed(pixels: Frames, image: Picture) -> bytes:
    """Encode a picture as WebP: arrays exactly, figures in the smaller of two near-exact forms."""
    if not isinstance(image, Figure):
        return webp(pixels, quality=None)
    palette = Image.fromarray(pixels).quantize(
        256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
    )
    drawing = webp(np.asarray(palette.convert("RGB")), quality=None)  # smaller for lines and text
    return min(drawing, webp(pixels, quality=90), key=len)  # photographs


def _png(pixels: Frames) -> bytes:
    """Encode (H, W, 3) uint8 pixels as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _markup(
    packed: Sequence[bytes],
    labels: Sequence[str],
    shape: tuple[int, ...],
    name: str,
    alt: str,
    caption: str | None,
    start: int,
    scale: int,
) -> str:
    """Return the slider's HTML: all pictures, of which only one is not hidden."""
    uid = content_id(*packed, *labels, name, alt, caption or "", f"{start} {scale}")
    height, width = shape[0] * scale, shape[1] * scale
    pixelated = ";image-rendering:pixelated" * (scale > 1)
    pictures = "".join(
        f'<img src="{webp_uri(data)}" alt="" width="{width}" height="{height}" decoding="sync"'
        f' data-label="{html.escape(label)}" style="width:{width}px{pixelated}"'
        f"{' hidden' * (k != start)}>"
        for k, (data, label) in enumerate(zip(packed, labels, strict=True))
    )
    return (
        f'<figure class="abp-slider" id="{uid}" data-lm-suppress-shortcuts="true">'
        f'<style>{STYLE}</style><div class="abp-frame" role="img" aria-label="{html.escape(alt)}">'
        f'{pictures}</div><div class="abp-controls"><label for="{uid}-range">{html.escape(name)}'
        f'</label><input type="range" class="abp-scrub" id="{uid}-range" min="0"'
        f' max="{len(packed) - 1}" value="{start}" step="1" autocomplete="off"'
        f' aria-valuetext="{html.escape(labels[start])}">'
        f'<output for="{uid}-range" aria-live="off">{html.escape(labels[start])}</output></div>'
        "<noscript><p>One of the pictures is shown; the slider needs JavaScript.</p></noscript>"
        f"{figcaption(caption)}<script>{SCRIPT}</script></figure>"
    )
