"""Texture: zero for the same law of small windows, and it sees shape where moments are equal."""

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance_nd
from torch.nn import functional as F

from abplib import ABP, Settings, View, texture
from abplib.data import patterns
from abplib.moments import MomentMatching
from abplib.texture import Texture, filter_bank, ordered, pyramid, quantiles


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_quantiles_are_numpys():
    rows = torch.randn(3, 57, generator=random()).sort(1).values
    for count in (1, 7, 57, 200):
        places = (np.arange(count) + 0.5) / count
        expected = np.quantile(rows.numpy(), places, axis=1, method="hazen").T
        np.testing.assert_allclose(quantiles(rows, count).numpy(), expected, atol=1e-5)
    assert torch.allclose(quantiles(rows, 57), rows, atol=1e-5)


def test_distance_of_one_filter_is_wassersteins():
    """Two samples of as many values: the mean squared difference of the sorted ones."""
    a, b = (torch.randn(1, 1, 3, 7, 1024 + 6, generator=random(k)) for k in (1, 2))
    found = Texture(a, filters=1, at_once=1)
    (bank,) = found.filters
    rows = [ordered(v, bank) for v in (a, b)]
    seen = [F.conv3d(v, bank).flatten() for v in (a, b)]
    step = next(step for size, step in texture.STRIDES if size < 1030)
    for row, values in zip(rows, seen, strict=True):
        assert torch.allclose(row[0], values[::step].sort().values, atol=1e-5)
    # W_2 of equally many points is an assignment; in one dimension the sorted one (scipy: W_1).
    off = rows[0][0] - rows[1][0]
    few = [row[0, ::16, None].double().numpy() for row in rows]
    assert np.abs(few[0] - few[1]).mean() == pytest.approx(wasserstein_distance_nd(*few), rel=1e-6)
    places = [float(found.distance(b, random(k))) for k in range(60)]  # windows begin anywhere
    assert min(abs(place / float(off.square().mean()) - 1) for place in places) < 0.01


def test_scales_and_filters():
    sizes = [tuple(part.shape[3:]) for part in pyramid(torch.zeros(1, 1, 3, 48, 31))]
    assert sizes == [(48, 31), (24, 15), (12, 7)]
    assert len(pyramid(torch.zeros(1, 1, 3, 48, 27))) == 2
    bank = filter_bank(200, 3, random())
    assert torch.allclose(bank.flatten(1).norm(dim=1), torch.ones(200))
    inside = bank[:, :, 1, 3, 3].norm(dim=1).square()
    assert inside.min() < 0.2  # a filter that sees all 49 pixels
    assert inside.max() > 0.9  # and one that sees one


def test_a_video_of_the_same_law_is_near_and_noise_with_its_moments_is_not():
    """Snow in another order of phases: the same spectrum, so the same second moments of windows."""
    flakes = patterns.snow(96, size=64, seed=3)
    clip, later = flakes[None, :, :48], flakes[None, :, 48:]
    wave = torch.fft.fftn(clip, dim=(2, 3, 4))
    phases = torch.fft.fftn(torch.randn(clip.shape[2:], generator=random(5)))
    shuffled = torch.fft.ifftn(wave.abs() * phases / phases.abs(), dim=(2, 3, 4)).real
    found = Texture(clip)
    near, far = (float(found.distance(video, random(1))) for video in (later, shuffled))
    assert far > 4 * near
    sizes = MomentMatching(lambda z: shuffled, clip, (1,), in_space=True)
    assert sizes(0, clip) < 0.02 * MomentMatching(lambda z: 0 * clip, clip, (1,))(0, clip)


def test_it_teaches_shape():
    """Pixels that may be learned, and nothing to explain: they take on the law of the dots."""
    dots = (torch.rand(1, 1, 6, 16, 16, generator=random()) > 0.85).float()
    video = torch.nn.Parameter(0.15 + 0.2 * torch.randn(dots.shape, generator=random(1)))
    found = Texture(dots)
    before = found.distance(video, random(2)).detach()
    optimizer = torch.optim.Adam([video], lr=0.05)
    for step in range(150):
        optimizer.zero_grad()
        found.distance(video, random(step)).backward()
        optimizer.step()
    assert found.distance(video, random(2)) < 0.25 * before
    bright = (video > 0.75).float().mean()  # of the noise, one value in five hundred
    assert bright > 0.5 * dots.mean()


def test_follows_from_the_seed():
    video = torch.randn(1, 3, 4, 16, 16, generator=random())
    other = torch.randn(1, 3, 4, 16, 16, generator=random(1))
    first, again, third = (Texture(video, seed=seed) for seed in (1, 1, 2))
    assert first.distance(other, random(3)) == again.distance(other, random(3))
    assert first.distance(other, random(3)) != again.distance(other, random(4))
    assert first.distance(other, random(3)) != third.distance(other, random(3))


@pytest.mark.parametrize("shape", [(1, 3, 2, 16, 16), (1, 3, 8, 6, 16), (3, 8, 16, 16)])
def test_videos_too_small(shape):
    with pytest.raises(ValueError, match="at least 3 frames of 7 x 7"):
        Texture(torch.zeros(shape))


def test_the_term_counts_it_beside_the_moments():
    video = torch.randn(1, 3, 8, 16, 16, generator=random())
    plain = MomentMatching(lambda z: 0.5 * video, video, (1,), weight=2.0)
    both = MomentMatching(lambda z: 0.5 * video, video, (1,), weight=2.0, texture=3.0, seed=4)
    draws = random(1_000_003 * 4 + 7)
    expected = 2.0 * 3.0 * 0.5 * video[0].numel() * both.windows.distance(0.5 * video, draws)
    assert both(7, video) - plain(7, video) == pytest.approx(float(expected), rel=1e-4)


def test_adam_starts_anew_when_the_term_sets_in():
    """A term a thousand times as steep as what was learned before moves weights by one rate."""

    class Steep:
        first = 50

        def __call__(self, iteration, latents):
            return 1e3 * generator.weight.sum() if iteration >= self.first else torch.zeros(())

        def state(self):
            return {}

        def restore(self, state):
            pass

    generator = torch.nn.Linear(1, 1)
    view = View(generator, torch.zeros(4, 1), weight=1e-3)
    run = ABP([view], (1,), Settings(51, langevin_steps=0, learning_rate=0.01), extra=Steep())
    for _ in range(50):
        run.iterate()
    before = generator.weight.item()
    run.iterate()
    assert before - generator.weight.item() == pytest.approx(0.01, rel=1e-3)
