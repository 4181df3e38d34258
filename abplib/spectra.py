"""Sound as a listener takes it: the level in each band of frequency, whatever the phase.

Two recordings of the same word never agree as waveforms, because the phase of a tone is a matter of
chance. Their spectrograms do agree. `LogSpectrum` is a fixed map that can stand behind a generator
of sound, so that a view (section 3.5) may compare levels instead of samples.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

FLOOR = -80.0  # dB below a sine of full scale; what is softer counts as silent


class LogSpectrum(nn.Module):
    """Short-time levels of sound: (N, 1, samples) to (N, 1, frequencies, stretches) in [-1, 1].

    1 is the level of a sine of full scale, -1 is `floor` dB below it.

    Args:
        window: samples of one stretch, tapered by a Hann window.
        hop: samples from one stretch to the next.
        floor: in dB, the softest level that is told from silence.

    Raises:
        ValueError: for a hop that is not 1 to `window`, and a floor that is not below zero.

    >>> LogSpectrum(256, 80)(torch.zeros(1, 1, 8000)).shape
    torch.Size([1, 1, 129, 101])
    >>> tone = torch.sin(torch.arange(8000) * torch.pi / 8)
    >>> round(float(LogSpectrum(256, 80)(tone.reshape(1, 1, -1)).max()), 2)
    1.0
    """

    taper: Tensor

    def __init__(self, window: int, hop: int, floor: float = FLOOR) -> None:
        super().__init__()
        if not 1 <= hop <= window or not floor < 0:
            raise ValueError(
                f"window {window}, hop {hop}, floor {floor}; expected 1 <= hop <= window and a "
                "floor below 0 dB"
            )
        self.window, self.hop, self.floor = window, hop, floor
        self.register_buffer("taper", torch.hann_window(window), persistent=False)

    def forward(self, sound: Tensor) -> Tensor:
        """See the class."""
        taper = self.taper.to(sound)
        spectrum = torch.stft(
            sound.flatten(0, 1), self.window, self.hop, window=taper, return_complex=True
        )
        power = torch.view_as_real(spectrum).square().sum(-1) * (2 / taper.sum()) ** 2
        level = 10 * torch.log10(power + 10 ** (self.floor / 10))
        return (1 - 2 * level / self.floor)[:, None]

    def decibels(self, sound: Tensor) -> Tensor:
        """The same in dB below a sine of full scale, from `floor` to 0."""
        return (1 - self(sound)) * self.floor / 2


def griffin_lim(levels: Tensor, spectrum: LogSpectrum, samples: int, *, rounds: int = 60) -> Tensor:
    """Sound whose levels come near those that are wanted (Griffin and Lim, 1984).

    Magnitudes are given and phases are not: in turn, phases are taken from a sound, and a sound is
    made from magnitudes and phases.

    Args:
        levels: (N, 1, frequencies, stretches), as `spectrum` makes them.
        spectrum: the map that made them.
        samples: length of the sound.
        rounds: how often to repeat.

    Returns:
        (N, 1, samples) in [-1, 1].

    >>> spectrum = LogSpectrum(128, 32)
    >>> tone = torch.sin(torch.arange(1024) * 0.3)[None, None] / 2
    >>> found = griffin_lim(spectrum(tone), spectrum, 1024)
    >>> bool((spectrum(found) - spectrum(tone)).abs().mean() < 0.1)
    True
    """
    taper = spectrum.taper.to(levels)
    decibels = (1 - levels[:, 0].clamp(-1, 1)) * spectrum.floor / 2
    power = (10 ** (decibels / 10) - 10 ** (spectrum.floor / 10)).clamp(min=0)
    magnitude = power.sqrt() * taper.sum() / 2
    size = spectrum.window, spectrum.hop
    random = torch.Generator().manual_seed(0)
    angle = 2 * torch.pi * torch.rand(magnitude.shape, generator=random).to(magnitude)
    phases = torch.polar(torch.ones_like(angle), angle)
    for _ in range(rounds):
        sound = torch.istft(magnitude * phases, *size, window=taper, length=samples)
        found = torch.stft(sound, *size, window=taper, return_complex=True)
        phases = found / found.abs().clamp(min=1e-8)
    sound = torch.istft(magnitude * phases, *size, window=taper, length=samples)
    return sound[:, None].clamp(-1, 1)


def soft_sound(
    levels: Tensor, draws: Tensor, spectrum: LogSpectrum, *, price: float, rounds: int = 100
) -> Tensor:
    """The sound that answers best where its phase is not known, by levels and by samples at once.

    Turned round by half a cycle, a sound has the same levels. So if y may be the true sound, -y may
    be as well, and the expected error of a sample x is (|x - y| + |x + y|) / 2 = max(|x|, |y|): it
    grows as soon as x is louder than y. The sound returned has the least

        distance to the levels in dB + price * mean of max(|x|, |y|) over samples and draws y

    that so many steps of Adam find from Griffin and Lim's sound. At price 0 it is about that sound;
    the higher the price, the less of the strongest tones is left.

    Args:
        levels: (N, 1, frequencies, stretches) that are wanted, as `spectrum` makes them.
        draws: (K, N, 1, samples), what the true sound may be.
        spectrum: the map that made the levels.
        price: in dB for a unit of expected error.
        rounds: steps of Adam.

    Returns:
        (N, 1, samples) in [-1, 1].

    Raises:
        ValueError: for a price below zero, or draws of another number of sounds.

    >>> spectrum = LogSpectrum(128, 32)
    >>> tone = torch.sin(torch.arange(1024) * 0.3)[None, None] / 2
    >>> draws = 0.2 * tone[None]  # the truth may well be softer than the levels say
    >>> cheap, dear = (
    ...     soft_sound(spectrum(tone), draws, spectrum, price=price).abs().mean()
    ...     for price in (0, 1000)
    ... )
    >>> bool(dear < 0.9 * cheap)
    True
    """
    if price < 0 or draws.shape[1:2] != levels.shape[:1]:
        raise ValueError(
            f"price {price}, {draws.shape[1]} sounds in each draw, {len(levels)} levels; expected "
            "a price of 0 or more and one sound for each"
        )
    loudness = draws.abs()
    start = griffin_lim(levels, spectrum, draws.shape[-1])
    with torch.enable_grad():
        sound = start.detach().clone().requires_grad_(True)
        optimizer = torch.optim.Adam([sound], lr=2e-3)
        for _ in range(rounds):
            off = (spectrum(sound) - levels) * spectrum.floor / 2
            distance = (off.square().mean(2) + 1e-3).sqrt().mean((1, 2))
            error = torch.stack([torch.maximum(sound.abs(), one) for one in loudness]).mean(0)
            optimizer.zero_grad()
            (distance + price * error.mean((1, 2))).sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return sound.detach().clamp(-1, 1)


def log_spectral_distance(a: Tensor, b: Tensor, rate: int) -> Tensor:
    """Log-spectral distance in dB of sounds (N, 1, samples), one number a sound: (N,).

    In stretches of 32 ms, 10 ms apart, the root mean square over frequencies of the difference of
    levels in dB, then the mean over stretches (Gray and Markel, 1976). Levels below -80 dB of
    full scale count as silent.

    Args:
        a, b: sounds of one shape, in [-1, 1].
        rate: samples a second.

    Raises:
        ValueError: where shapes differ.

    >>> a = torch.randn(1, 1, 8000, generator=torch.Generator().manual_seed(0)) / 4
    >>> round(float(log_spectral_distance(a, a / 2, 8000)), 1)  # half the amplitude: 6 dB
    6.0
    """
    if a.shape != b.shape or a.ndim != 3:
        raise ValueError(f"shapes {tuple(a.shape)} and {tuple(b.shape)}; expected one (N, 1, S)")
    levels = LogSpectrum(round(0.032 * rate), round(0.010 * rate)).to(a.device)
    difference = levels.decibels(a) - levels.decibels(b)
    return difference.square().mean(2).sqrt().mean((1, 2))
