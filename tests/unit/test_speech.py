"""Speech made here: sound and picture follow the score, and no two clips are alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.linalg import solve_toeplitz

from abplib.data import speech
from abplib.data.speech import PHRASES, clip, dataset, draw_speaker, picture, score, sound
from abplib.data.speech.score import RATE
from abplib.lips import lip_correlation

NAMES = list(PHRASES)


def formants(stretch: np.ndarray, rate: int, order: int = 10) -> np.ndarray:
    """Resonances of a stretch of sound in Hz by linear prediction (Makhoul, 1975)."""
    x = np.append(stretch[0], stretch[1:] - 0.9 * stretch[:-1]) * np.hamming(len(stretch))
    r = np.correlate(x, x, "full")[len(x) - 1 :][: order + 1]
    r[0] *= 1 + 1e-6
    a = np.concatenate([[1.0], -solve_toeplitz(r[:-1], r[1:])])
    roots = np.roots(a)
    roots = roots[roots.imag > 0]
    width = -np.log(np.abs(roots)) * rate / np.pi
    found = np.angle(roots[width < 500]) * rate / (2 * np.pi)
    return np.sort(found[found > 150])


def measured_formants(said: speech.Score, rate: int = 8000) -> tuple[np.ndarray, np.ndarray]:
    """F1 and F2 as scored and as measured, wherever a vowel is in full voice."""
    wave = sound(said, rate)[0].numpy().astype(float)
    pairs = []
    for step in range(20, len(said.voice) - 20, 4):
        around = slice(step - 8, step + 8)
        moving = float(said.formants[around, :2].std(0).max())
        steady = said.voice[around].min() > 0.6 and said.nasal[around].max() < 0.01
        if not steady or moving > 100:
            continue
        middle = round((step + 0.5) * rate / RATE)
        found = formants(wave[middle - 120 : middle + 120], rate)
        if len(found) >= 2:
            pairs.append((said.formants[step, :2].numpy(), found[:2]))
    both = np.array(pairs).reshape(-1, 2, 2)
    return both[:, 0], both[:, 1]


def test_formants_measured_from_the_sound_follow_the_score():
    low = replace(draw_speaker(3), pitch=105.0, tract=1.0, open_quotient=0.55)
    sides = [measured_formants(score(name, speaker=low, take=t)) for name in NAMES for t in (0, 1)]
    scored, found = (np.concatenate(side) for side in zip(*sides, strict=True))
    assert len(scored) > 150
    for k, tolerance in ((0, 0.05), (1, 0.03)):
        # A harmonic every 105 Hz is all that linear prediction sees; 2 and 1% were measured.
        error = np.abs(found[:, k] / scored[:, k] - 1)
        assert np.median(error) < tolerance
        assert np.corrcoef(scored[:, k], found[:, k])[0, 1] > 0.97


def test_a_shorter_tract_raises_the_measured_formants():
    voice = replace(draw_speaker(3), pitch=105.0, open_quotient=0.55)
    means = []
    for tract in (0.92, 1.18):
        _, found = measured_formants(score("How are you", speaker=replace(voice, tract=tract)))
        means.append(np.median(found[:, 1]))
    assert 1.1 < means[1] / means[0] < 1.5  # 1.28 in truth


def test_pitch_is_heard():
    for pitch in (100.0, 200.0):
        said = score("How are you", speaker=replace(draw_speaker(1), pitch=pitch))
        wave = sound(said, 8000)[0].numpy().astype(float)
        step = int(said.voice.argmax())
        middle = round(step / RATE * 8000)
        part = wave[middle - 320 : middle + 320]
        lags = np.correlate(part, part, "full")[639:]
        lag = 20 + int(np.argmax(lags[20:120]))
        assert abs(8000 / lag / float(said.pitch[step]) - 1) < 0.06


def test_an_s_is_noise_and_high_and_a_vowel_is_low():
    said = score("See you", speaker=2)
    wave = sound(said)[0]
    noisy, vowel = int(said.hiss.argmax()), int(said.voice.argmax())
    shares = []
    for step in (noisy, vowel):
        middle = round(step / RATE * 48000)
        power = torch.fft.rfft(wave[middle - 1200 : middle + 1200]).abs().square()
        shares.append(float(power[200:].sum() / power.sum()))  # above 4 kHz
    assert shares[0] > 0.8
    assert shares[1] < 0.1


def test_lip_opening_seen_in_the_pictures_follows_the_score():
    clips = dataset([11, 12, 13], takes=1, frames=32, size=48, rate=8000)
    found = lip_correlation(clips.videos, clips.opening)
    assert found.mean() > 0.95
    assert found.min() > 0.85


@pytest.mark.parametrize("phrase", NAMES)
def test_every_phrase_is_shut_at_rest_and_opens(phrase):
    said = score(phrase, speaker=5)
    assert said.opening.min() >= 0
    assert said.opening[:12].max() < 0.1
    assert said.opening.max() > 0.15
    assert said.sounds[0][0] > 0.02
    assert said.sounds[-1][1] < 0.98
    assert all(torch.isfinite(getattr(said, n)).all() for n in ("formants", "pitch", "place"))


def test_lips_close_for_m_b_and_open_wide_for_ah():
    said = score("Goodbye", speaker=4)
    shut = said.opening[int(RATE * said.sounds[5][0]) : int(RATE * said.sounds[5][1])]
    assert shut.min() < 0.06  # "b"
    assert said.opening.max() > 0.4  # "y"


def test_sounds_run_into_each_other():
    """Lips round before the vowel that asks for it: coarticulation."""
    said = score("See you", speaker=4)
    start = int(RATE * said.sounds[-1][0])  # of "oo"
    assert said.rounding[start - 12] > 0.1
    jumps = said.rounding.diff().abs().max()
    assert jumps < 0.1  # no steps: curves are smooth


def test_the_same_seeds_give_the_same_clip_and_others_give_others():
    first = clip("Hello", speaker=1, take=2, frames=4, size=16, rate=8000)
    again = clip("Hello", speaker=1, take=2, frames=4, size=16, rate=8000)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for other in ({"take": 3}, {"speaker": 2}):
        changed = {"speaker": 1, "take": 2} | other
        new = clip("Hello", frames=4, size=16, rate=8000, **changed)
        for a, b in zip(first, new, strict=True):
            assert (a - b).abs().mean() > 0.005
    longer = clip("Thank you", speaker=1, take=2, frames=4, size=16, rate=8000)
    assert not torch.equal(longer[1], first[1])


def test_no_two_clips_are_alike():
    clips = dataset([1, 2], takes=2, frames=4, size=16, rate=8000)
    for data in (clips.videos, clips.sounds):
        flat = data.flatten(1)
        gaps = torch.cdist(flat, flat) + 1e9 * torch.eye(len(flat))
        assert gaps.min() > 0.1


def test_ranges_shapes_and_labels():
    clips = dataset([7, 8], phrases=NAMES[:3], takes=2, frames=5, size=20, rate=16000)
    assert clips.videos.shape == (12, 3, 5, 20, 20)
    assert clips.sounds.shape == (12, 1, 16000)
    assert clips.opening.shape == (12, 5)
    assert clips.phrases.tolist() == [0, 0, 1, 1, 2, 2] * 2
    assert clips.speakers.tolist() == [7] * 6 + [8] * 6
    for data in (clips.videos, clips.sounds):
        assert data.abs().max() <= 1
        assert data.dtype == torch.float32
    assert clips.sounds.abs().amax(2).min() > 0.03
    one = clips.select(clips.speakers == 8)
    assert len(one) == 6


def test_loudest_sounds_stay_below_full_scale():
    peaks = [float(sound(score("How are you", speaker=s, take=0), 16000).abs().max())
             for s in range(12)]  # fmt: skip
    assert max(peaks) < 1
    assert min(peaks) > 0.1


def test_lower_rates_are_the_same_sound():
    said = score("Hello", speaker=6)
    full, low = sound(said)[0], sound(said, 8000)[0]
    spectra = [torch.fft.rfft(x.double()).abs()[:3000] / len(x) for x in (full, low)]
    assert float((spectra[0] - spectra[1]).norm() / spectra[0].norm()) < 0.02


def test_size_and_frames_are_resolution_alone():
    said = score("Hello", speaker=6)
    fine, coarse = picture(said, 8, 64), picture(said, 8, 32)
    pooled = torch.nn.functional.avg_pool2d(fine.transpose(0, 1), 2).transpose(0, 1)
    assert (pooled - coarse).abs().mean() < 0.03


def test_errors_say_what_is_expected():
    with pytest.raises(ValueError, match=r"unknown phrase 'Hi': expected one of Excuse me"):
        score("Hi")
    with pytest.raises(ValueError, match="length above zero"):
        score("Hello", seconds=0)
    with pytest.raises(ValueError, match="16 pixels or more"):
        picture(score("Hello"), 4, 8)
    with pytest.raises(ValueError, match="samples a second"):
        sound(score("Hello"), 96000)
    with pytest.raises(ValueError, match="at least one of each"):
        dataset([])
