"""Levels of sound, the distance between them, and the lips' opening seen in pictures."""

from __future__ import annotations

import pytest
import torch

from abplib.lips import lip_correlation, lip_opening
from abplib.spectra import LogSpectrum, griffin_lim, log_spectral_distance, soft_sound


def noise(n: int = 2, samples: int = 8000, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(n, 1, samples, generator=torch.Generator().manual_seed(seed))


def tone(frequency: float, phase: float = 0.0, rate: int = 8000) -> torch.Tensor:
    return torch.sin(2 * torch.pi * frequency * torch.arange(rate) / rate + phase)[None, None]


def test_a_sine_of_full_scale_is_one_and_silence_is_minus_one():
    levels = LogSpectrum(256, 80)
    assert abs(float(levels(tone(1000)).max()) - 1) < 1e-3
    assert torch.allclose(levels(torch.zeros(1, 1, 8000)), torch.tensor(-1.0))
    # 20 dB less is a quarter of the range of 80 dB, which is two units long.
    assert abs(float(levels(0.1 * tone(1000)).max()) - 0.5) < 1e-3
    assert abs(float(levels.decibels(0.1 * tone(1000)).max()) + 20) < 0.1


def test_levels_do_not_depend_on_phase_but_samples_do():
    a, b = tone(440), tone(440, phase=1.5)
    levels = LogSpectrum(256, 80)
    inside = slice(5, -5)  # the ends are reflected, and a reflection knows the phase
    assert (levels(a) - levels(b))[..., inside].abs().mean() < 0.01
    assert (a - b).abs().mean() > 0.5


def test_levels_have_a_gradient_everywhere_also_in_silence():
    sound = torch.zeros(1, 1, 1000, requires_grad=True)
    LogSpectrum(128, 32)(sound).sum().backward()
    assert torch.isfinite(sound.grad).all()


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_the_distance_is_in_decibels_at_any_rate(rate):
    a = noise(samples=rate)
    assert torch.allclose(log_spectral_distance(a, 0.5 * a, rate), torch.tensor(6.02), atol=0.05)
    assert log_spectral_distance(a, a, rate).max() == 0
    # Two noises of one spectrum differ by 7.9 dB: each level has a deviation of 5.57 dB.
    assert torch.allclose(
        log_spectral_distance(a, noise(samples=rate, seed=1), rate), torch.tensor(7.9), atol=0.3
    )


def test_silence_is_far_from_speech_however_small_its_error():
    a = noise()
    assert log_spectral_distance(a, 0 * a, 8000).min() > 30
    assert (a - 0 * a).abs().mean() < (a - noise(seed=1)).abs().mean()


def test_griffin_lim_finds_a_sound_of_the_wanted_levels():
    spectrum = LogSpectrum(256, 64)
    sound = torch.cat([tone(300)[..., :4000] * 0.3, tone(900)[..., :4000] * 0.1], 2)
    found = griffin_lim(spectrum(sound), spectrum, 8000)
    assert found.shape == sound.shape
    away = log_spectral_distance(found, sound, 8000)
    assert away < 0.35 * log_spectral_distance(0 * sound, sound, 8000)


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="1 <= hop <= window"):
        LogSpectrum(128, 256)
    with pytest.raises(ValueError, match="expected one"):
        log_spectral_distance(noise(), noise(1), 8000)
    with pytest.raises(ValueError, match=r"\(N, 3, T, H, W\)"):
        lip_opening(torch.zeros(1, 1, 4, 8, 8))
    with pytest.raises(ValueError, match="opening has shape"):
        lip_correlation(torch.zeros(1, 3, 4, 8, 8), torch.zeros(1, 5))


def test_an_opening_dark_gap_is_seen():
    video = torch.zeros(1, 3, 6, 20, 20)
    video[:, 0], video[:, 1] = 0.4, 0.0  # skin
    for frame in range(6):
        video[:, :, frame, 10 : 10 + frame] = -0.9  # darkness
    opening = lip_opening(video)
    assert (opening.diff() > 0).all()
    truth = torch.arange(6.0)[None]
    assert torch.allclose(lip_correlation(video, truth), torch.ones(1), atol=1e-4)
    assert torch.allclose(lip_correlation(video, -truth), -torch.ones(1), atol=1e-4)


def test_a_soft_sound_costs_less_where_phases_are_unknown_and_keeps_most_levels():
    """The truth is one of two sounds of the same levels: y or -y."""
    spectrum = LogSpectrum(256, 80)
    truth = 0.3 * tone(300) + 0.003 * noise(1)
    levels, draws = spectrum(truth), 0.3 * tone(300, phase=1.0)[None]

    def error(x: torch.Tensor) -> float:
        return float(((x - truth).abs() + (x + truth).abs()).mean() / 2)

    def distance(x: torch.Tensor) -> float:
        return float(log_spectral_distance(x, truth, 8000))

    cheap, dear = (soft_sound(levels, draws, spectrum, price=price) for price in (0.0, 3000.0))
    assert error(dear) < error(cheap)
    assert distance(dear) < distance(torch.zeros_like(truth)) / 2
    assert abs(error(cheap) - float(torch.maximum(cheap.abs(), truth.abs()).mean())) < 1e-6


def test_a_soft_sound_needs_a_price_and_a_draw_of_each_sound():
    spectrum = LogSpectrum(256, 80)
    levels = spectrum(noise(2))
    with pytest.raises(ValueError, match="price of 0 or more"):
        soft_sound(levels, noise(2)[None], spectrum, price=-1.0)
    with pytest.raises(ValueError, match="one sound for each"):
        soft_sound(levels, noise(3)[None], spectrum, price=1.0)
