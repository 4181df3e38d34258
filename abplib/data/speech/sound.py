"""Sound from a score: a source, and a vocal tract that filters it (Fant, 1960).

The source is the air that the vocal folds let through, a pulse a cycle, and noise. The tract is a
cascade of resonances, the formants, that follow the score. Filtering is done on short stretches of
sound, in the frequency domain.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.signal import resample_poly
from torch import Tensor
from torch.nn import functional as F

from abplib.data.speech.score import Score, hash_of

FULL_RATE = 48000  # samples a second at which sound is made
WINDOW = 1024  # samples that are filtered at once: 21 ms
HOP = 256
LEVEL = 0.24  # of the whole sound: the loudest vowels stay within full scale
ROOM = 0.0007  # root mean square of the room's noise; full scale is 1
HIGHER = ((3500.0, 160.0), (4500.0, 220.0), (6000.0, 500.0), (8000.0, 900.0))
"""Formants above the third and their bandwidths, in Hz; they do not move."""


def sound(score: Score, rate: int = FULL_RATE) -> Tensor:
    """The sound of a score: (1, samples), in [-1, 1].

    Args:
        score: what is said; see `abplib.data.speech.score`.
        rate: samples a second. The sound is made at 48,000 and resampled.

    Raises:
        ValueError: for a rate above 48,000 or below 2,000.

    >>> from abplib.data.speech import score
    >>> sound(score("Hello"), 8000).shape
    torch.Size([1, 8000])
    """
    if not 2000 <= rate <= FULL_RATE:
        raise ValueError(f"rate is {rate}; expected 2,000 to {FULL_RATE:,} samples a second")
    count = round(score.seconds * FULL_RATE)
    random = torch.Generator().manual_seed(hash_of(score.phrase, score.speaker.seed, score.take, 1))
    noise = torch.randn(3, count, generator=random)
    voice = _pulses(score, count) * _at(score.voice, count)
    breath = 0.05 * noise[0] * _at(score.breath + 0.02 * score.voice, count)
    hiss = 0.16 * noise[1] * _at(score.hiss, count)
    spectra = _stft(torch.stack([voice + breath, hiss]))
    frequencies = torch.linspace(0, FULL_RATE / 2, spectra.shape[1])
    tract, constriction = _tract(score, frequencies, spectra), _band(score, frequencies, spectra)
    whole = _istft(spectra[0] * tract + spectra[1] * constriction, count)
    whole = LEVEL * whole + ROOM * _hum(noise[2])
    if rate != FULL_RATE:
        share = math.gcd(rate, FULL_RATE)
        resampled = resample_poly(whole.double().numpy(), rate // share, FULL_RATE // share)
        whole = torch.from_numpy(np.ascontiguousarray(resampled)).float()
    return whole.clamp(-1, 1)[None]


def _at(curve: Tensor, count: int) -> Tensor:
    """A curve of the score at `count` places: (T,) to (count,), straight between values."""
    return F.interpolate(curve[None, None], count, mode="linear")[0, 0]


def _pulses(score: Score, count: int) -> Tensor:
    """The derivative of the air flow between the vocal folds (Rosenberg's pulse)."""
    cycles = (_at(score.pitch, count).double() / FULL_RATE).cumsum(0)
    offset = (hash_of(score.phrase, score.speaker.seed, score.take, 2) % 1000) / 1000
    phase = ((cycles + offset) % 1).float() / score.speaker.open_quotient
    return torch.where(phase < 1, 2 * phase - 3 * phase.square(), torch.zeros(()))


def _stft(signal: Tensor) -> Tensor:
    window = torch.hann_window(WINDOW)
    return torch.stft(signal, WINDOW, HOP, window=window, return_complex=True)


def _istft(spectrum: Tensor, count: int) -> Tensor:
    return torch.istft(spectrum, WINDOW, HOP, window=torch.hann_window(WINDOW), length=count)


def _resonance(frequency: Tensor, centre: Tensor, width: Tensor) -> Tensor:
    """A pair of poles, of gain one at frequency zero; see Fant's vocal tract."""
    s = 1j * frequency[:, None]
    pole = -0.5 * width + 1j * centre
    return (pole * pole.conj()) / ((s - pole) * (s - pole.conj()))


def _tract(score: Score, frequency: Tensor, spectra: Tensor) -> Tensor:
    """Response of the vocal tract: (frequencies, stretches)."""
    stretches = spectra.shape[-1]
    response = torch.ones(len(frequency), stretches, dtype=spectra.dtype)
    nasal = _at(score.nasal, stretches)
    for k, width in enumerate((60.0, 90.0, 130.0)):
        centre = _at(score.formants[:, k], stretches)
        response = response * _resonance(frequency, centre, width * (1 + 1.5 * nasal))
    for fixed, width in HIGHER:
        centre = torch.tensor(fixed * score.speaker.tract)
        response = response * _resonance(frequency, centre, torch.tensor(width))
    muffle = 1 / (1 + (frequency[:, None] / 900.0))
    return response * (1 - nasal + nasal * muffle)


def _band(score: Score, frequency: Tensor, spectra: Tensor) -> Tensor:
    """Response of a narrow place in the mouth: a hump around the hiss's frequency."""
    stretches = spectra.shape[-1]
    place = _at(score.place, stretches) * (0.5 + 0.5 * score.speaker.tract)
    band = _at(score.band, stretches)
    return torch.exp(-(((frequency[:, None] - place) / band) ** 2)).to(spectra.dtype)


def _hum(noise: Tensor) -> Tensor:
    """The room: noise with more low than high frequencies, of root mean square one."""
    spectrum = torch.fft.rfft(noise)
    slope = 1 / (1 + torch.linspace(0, FULL_RATE / 2, len(spectrum)) / 800.0)
    hum = torch.fft.irfft(spectrum * slope, len(noise))
    return hum / hum.square().mean().sqrt()
