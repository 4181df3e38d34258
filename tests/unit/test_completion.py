"""The generator where a video moves, linear interpolation in time where it stands still."""

import math

import pytest
import torch

from abplib import masks
from abplib.baselines.interpolation import linear_in_time
from abplib.completion import choose, follow_motion, motion_weight
from abplib.metrics import recovery_error
from abplib.recover import add_residual


def drifting(n: int = 2, seed: int = 0) -> torch.Tensor:
    """Smooth videos (n, 3, 12, 16, 16): a wave that runs over the right half, the left is still."""
    t = torch.arange(12.0).view(1, 1, -1, 1, 1)
    x = torch.arange(16.0).view(1, 1, 1, 1, -1)
    phase = torch.rand(n, 3, 1, 1, 1, generator=torch.Generator().manual_seed(seed)) * 6
    wave = 0.8 * torch.sin(0.9 * t + 0.7 * x + phase)
    return torch.where(x < 8, torch.full_like(wave, 0.2), wave).repeat(1, 1, 1, 16, 1)


@pytest.fixture
def case():
    truth = drifting()
    observed = masks.salt_and_pepper((2, 12, 16, 16), 0.5, seed=1)
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(2))
    return truth, observed, (truth + 0.1 * noise).clamp(-1, 1)


def test_its_two_ends_are_the_interpolated_residual_and_linear_interpolation(case):
    truth, observed, generated = case
    residual = add_residual(generated, truth, observed, fill=linear_in_time)
    generator_everywhere = follow_motion(generated, truth, observed, threshold=0.0)
    assert torch.allclose(generator_everywhere, residual, atol=1e-5)  # the order of float sums
    line = linear_in_time(truth, observed)
    weight = motion_weight(truth, observed, math.inf)
    assert not weight.any()
    assert torch.equal(follow_motion(generated, truth, observed, threshold=math.inf), line)


def test_it_beats_both_where_a_part_stands_still_and_a_part_moves(case):
    truth, observed, generated = case
    threshold, fill = choose(generated, truth, observed)
    best = recovery_error(
        follow_motion(generated, truth, observed, threshold=threshold, fill=fill), truth, observed
    )
    assert 0 < threshold < math.inf
    line = recovery_error(linear_in_time(truth, observed), truth, observed)
    added = recovery_error(
        add_residual(generated, truth, observed, fill=linear_in_time), truth, observed
    )
    assert best < 0.9 * min(line, added)


def test_observed_pixels_are_kept_and_hidden_ones_have_no_influence(case):
    truth, observed, generated = case
    spoilt = torch.where(observed, truth, torch.full_like(truth, math.nan))
    a = follow_motion(generated, truth, observed)
    assert torch.equal(a, follow_motion(generated, spoilt, observed))
    assert torch.equal(a[observed.expand_as(a)], truth[observed.expand_as(a)])


def test_errors(case):
    truth, observed, generated = case
    with pytest.raises(ValueError, match="threshold is -1"):
        motion_weight(truth, observed, -1)
    with pytest.raises(ValueError, match="generated is"):
        follow_motion(generated[:1], truth, observed)
