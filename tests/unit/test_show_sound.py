"""Sounds in a page: the samples that go in come out, and each has a label."""

from __future__ import annotations

import base64
import io
import re
import wave

import numpy as np
import pytest
import torch

from abplib.show._sound import sounds_bundle

TONE = 0.25 * np.sin(np.arange(400) / 3)


def test_the_page_holds_the_samples_scaled_alike():
    bundle = sounds_bundle({"true": TONE, "half": torch.tensor(TONE)[None] / 2}, 8000, "Tones.")
    markup = bundle.data["text/html"]
    found = []
    for text in re.findall(r"data:audio/wav;base64,([\w+/=]+)", markup):
        with wave.open(io.BytesIO(base64.b64decode(text))) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
            found.append(np.frombuffer(file.readframes(1000), "<i2") / 32767)
    scale = 0.9 / np.abs(TONE).max()
    for got, wanted in zip(found, (TONE, TONE / 2), strict=True):
        assert np.abs(got - scale * wanted).max() < 1e-4
    assert markup.count("<audio controls") == 2
    assert 'aria-label="true"' in markup
    assert repr(bundle) == "<2 sounds: Tones.>"


def test_labels_are_escaped_and_silence_stays_silent():
    markup = sounds_bundle({"<b>": np.zeros(10)}, 8000, "x", caption="a & b").data["text/html"]
    assert "<b>" not in markup
    assert "a &amp; b" in markup


@pytest.mark.parametrize(
    ("tracks", "rate", "message"),
    [
        ({}, 8000, "no sound"),
        ({"a": np.zeros((2, 5))}, 8000, "shape"),
        ({"a": np.array([np.nan])}, 8000, "finite"),
        ({"a": TONE}, 1000, "3,000"),
    ],
)
def test_what_cannot_be_played_is_refused(tracks, rate, message):
    with pytest.raises(ValueError, match=message):
        sounds_bundle(tracks, rate, "x")
