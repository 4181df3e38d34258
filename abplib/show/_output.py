"""One display output: a bundle of media types, and the encoders that fill it."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from abplib.show._video import Frames

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
.abp-player,.abp-slider{margin:.5em 0 1em;max-width:100%;color:inherit;text-align:left}
.abp-frame{display:grid;gap:8px;max-width:100%;align-items:end}
.abp-label{display:block;font-size:.85em;line-height:1.3;overflow-wrap:anywhere}
.abp-tile{display:block;max-width:100%;background-repeat:no-repeat;image-rendering:pixelated;
-webkit-print-color-adjust:exact;print-color-adjust:exact}
.abp-frame img{display:block;max-width:100%;height:auto;margin:0}
.abp-frame img[hidden]{display:none}
.abp-controls{display:flex;flex-wrap:wrap;align-items:center;gap:.4em .8em;margin:.5em 0;
max-width:36em}
.abp-controls input{flex:1 1 8em;min-width:0;height:1.5em;margin:0;accent-color:#3d7fc1}
.abp-controls output{min-width:5em;font-variant-numeric:tabular-nums}
.abp-play{min-width:5em;padding:.3em .8em;font:inherit;color:#fff;background:#1f5a94;\
border:1px solid #fff;border-radius:4px;cursor:pointer}
.abp-play:focus-visible,.abp-controls input:focus-visible\
{outline:3px solid currentColor;outline-offset:2px}
.abp-play:focus-visible{outline-color:#3d7fc1}
.abp-player figcaption,.abp-slider figcaption{font-size:.95em;margin:.3em 0 0}
""".strip()


class Bundle:
    """One display output in several media types, with metadata for each.

    >>> Bundle({"text/plain": "<figure: a line>"})
    <figure: a line>
    """

    def __init__(self, data: Mapping[str, str], metadata: Mapping[str, Any] | None = None) -> None:
        self.data = dict(data)
        self.metadata = dict(metadata or {})

    def __repr__(self) -> str:
        return self.data["text/plain"]

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        return self.data, self.metadata


def shell() -> Any:
    """Return the running IPython shell, or None outside of one; never imports IPython."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def emit(bundle: Bundle) -> None:
    """Display a bundle in a notebook; elsewhere print its plain text."""
    if shell() is None:
        print(bundle)
        return
    from IPython.display import display

    display(bundle)


def figure_png(fig: Figure) -> bytes:
    """Draw a matplotlib figure as PNG bytes, the same for the same figure, and close it."""
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=fig.dpi, metadata={"Software": None})
    plt.close(fig)
    return buffer.getvalue()


def save_png(png: bytes, path: str | Path) -> None:
    """Write PNG bytes to a file, making its folder where there is none."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(png)


def png_bundle(kind: str, png: bytes, alt: str, caption: str | None) -> Bundle:
    """Wrap PNG bytes as one image/png output that carries its alternative text and caption."""
    metadata: dict[str, Any] = {"alt": alt, "width": Image.open(io.BytesIO(png)).width}
    if caption:
        metadata["caption"] = caption
    data = {"image/png": encoded(png), "text/plain": f"<{kind}: {alt}>"}
    return Bundle(data, {"image/png": metadata})


def webp(pixels: Frames, *, quality: int | None) -> bytes:
    """Encode (H, W, 3) uint8 pixels as WebP; quality None keeps them exactly."""
    buffer = io.BytesIO()
    lossless = quality is None
    Image.fromarray(np.ascontiguousarray(pixels)).save(
        buffer, "WEBP", lossless=lossless, quality=80 if quality is None else quality, method=6
    )
    return buffer.getvalue()


def encoded(data: bytes) -> str:
    """Return bytes as base64 text."""
    return base64.b64encode(data).decode("ascii")


def webp_uri(data: bytes) -> str:
    """Return WebP bytes as a data URI."""
    return f"data:image/webp;base64,{encoded(data)}"


def content_id(*parts: str | bytes) -> str:
    """Return an element id that depends on nothing but the content.

    >>> content_id("a") == content_id("a") != content_id("b")
    True
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
        digest.update(b"\0")
    return f"abp-{digest.hexdigest()[:10]}"


def checked_alt(alt: str) -> str:
    """Return the alternative text, or raise ValueError where it is blank."""
    if not alt.strip():
        raise ValueError("alt is blank: say in a sentence what is to be seen")
    return alt


def figcaption(caption: str | None) -> str:
    """Return the caption as HTML, or nothing."""
    return f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
