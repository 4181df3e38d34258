"""Sounds under each other, each with a control that plays it without a kernel."""

from __future__ import annotations

import html
import io
import wave
from collections.abc import Mapping
from typing import Any

import numpy as np

from abplib.show._output import Bundle, checked_alt, emit, encoded

LOUDEST = 0.9  # of full scale; all sounds of one output are scaled alike


def sounds(
    tracks: Mapping[str, Any], rate: int, *, alt: str, caption: str | None = None, columns: int = 2
) -> None:
    """Display sounds that can be played: a label and a control each, the sound in the page itself.

    Args:
        tracks: sounds by label, each (samples,) or (1, samples), in [-1, 1]. They are made louder
            together, so that the loudest peaks near full scale.
        rate: samples a second.
        alt: what is to be heard, in words.
        caption: text below.
        columns: sounds in one row, where the page is wide enough.

    Raises:
        ValueError: no sound, a sound of another shape or with values that are not finite, a rate
            below 3,000 (browsers play no less), a blank `alt`, or columns below one.

    >>> sounds({"a tone": np.sin(np.arange(800.0))}, 8000, alt="A short beep.")
    <1 sounds: A short beep.>
    """
    emit(sounds_bundle(tracks, rate, checked_alt(alt), caption, columns))


def sounds_bundle(
    tracks: Mapping[str, Any], rate: int, alt: str, caption: str | None = None, columns: int = 2
) -> Bundle:
    """Return the sounds as one display output; the arguments are those of `sounds`."""
    if rate < 3000 or columns < 1:
        raise ValueError(f"rate {rate}, columns {columns}: expected 3,000 and 1 at least")
    waves = {label: _samples(label, track) for label, track in tracks.items()}
    if not waves:
        raise ValueError("there is no sound: pass at least one, such as {'hello': sound}")
    peak = max(float(np.abs(w).max()) for w in waves.values())
    scale = LOUDEST / peak if peak > 0 else 1.0
    cells = [
        f'<span style="display:block"><span class="abp-label">{html.escape(label)}</span>'
        f'<audio controls preload="metadata" aria-label="{html.escape(label)}" '
        f'style="width:100%;height:2.4em" src="data:audio/wav;base64,{_wav(scale * w, rate)}">'
        "</audio></span>"
        for label, w in waves.items()
    ]
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    grid = f"display:grid;gap:.4em 1em;grid-template-columns:repeat({columns},minmax(0,1fr))"
    markup = (
        f'<figure role="group" aria-label="{html.escape(alt)}" style="margin:.5em 0 1em;'
        f'text-align:left"><div style="{grid}">{"".join(cells)}</div>{below}</figure>'
    )
    return Bundle({"text/html": markup, "text/plain": f"<{len(waves)} sounds: {alt}>"})


def _samples(label: str, track: Any) -> np.ndarray[Any, Any]:
    samples = np.asarray(track, dtype=np.float64)
    if samples.ndim == 2 and len(samples) == 1:
        samples = samples[0]
    if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all():
        raise ValueError(
            f"{label!r} has shape {np.shape(track)}; expected finite samples (samples,) or (1, "
            "samples)"
        )
    return samples


def _wav(samples: np.ndarray[Any, Any], rate: int) -> str:
    """A mono WAV file of 16 bits, as base64."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((samples.clip(-1, 1) * 32767).round().astype("<i2").tobytes())
    return encoded(buffer.getvalue())
