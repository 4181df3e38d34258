"""Measures of a recovery on cases with known answers."""

import pytest
import torch

from abplib.masks import consecutive, named
from abplib.metrics import recovery_error
from abplib.recovery_metrics import coverage, moving_error, sharpness

SHAPE = (1, 16, 8, 8)


def video(seed: int = 0):
    source = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, *SHAPE[1:], generator=source) * 2 - 1


def test_moving_error_looks_at_moving_hidden_pixels_alone():
    truth, observed = video(), consecutive(SHAPE, frames=4)
    truth[..., :4] = truth[:, :, :1, :, :4]  # the left half stands still
    recovered = truth.clone()
    recovered[..., :4] += 0.3
    assert moving_error(recovered, truth, observed) == 0.0
    recovered[..., 4:] += 0.1
    assert moving_error(recovered, truth, observed) == pytest.approx(0.1, rel=1e-5)
    assert recovery_error(recovered, truth, observed) == pytest.approx(0.2, rel=1e-5)
    recovered[:, :, 0] += 1.0  # an observed frame
    assert moving_error(recovered, truth, observed) == pytest.approx(0.1, rel=1e-5)


def test_a_still_video_has_no_moving_error():
    still = video()[:, :, :1].expand(1, 3, *SHAPE[1:])
    with pytest.raises(ValueError, match="no hidden pixel moves"):
        moving_error(still, still, consecutive(SHAPE, frames=4))


@pytest.mark.parametrize("name", ["M0.5", "B35", "random"])
def test_sharpness_scales_with_contrast_and_falls_with_blur(name):
    truth, observed = video(), named(name, SHAPE)
    assert sharpness(truth, truth, observed) == 1.0
    assert sharpness(0.25 * truth + 0.5, truth, observed) == pytest.approx(0.25, rel=1e-5)
    blurred = torch.nn.functional.avg_pool3d(truth, (1, 3, 3), 1, (0, 1, 1))
    assert sharpness(blurred, truth, observed) < 0.6
    elsewhere = torch.where(observed, -truth, truth)  # observed pixels do not count
    assert sharpness(elsewhere, truth, observed) == 1.0


def test_sharpness_needs_a_structured_truth():
    flat = torch.zeros(1, 3, *SHAPE[1:])
    with pytest.raises(ValueError, match="the truth is flat"):
        sharpness(flat, flat, consecutive(SHAPE, frames=4))


def test_coverage_counts_hidden_values_within():
    truth, observed = video(), named("M0.5", SHAPE)
    within = torch.rand(truth.shape, generator=torch.Generator().manual_seed(1)) < 0.7
    low = torch.where(within, truth - 0.1, truth + 0.1)
    share = within[~observed.expand_as(truth)].float().mean()
    assert coverage(low, low + 0.2, truth, observed) == pytest.approx(float(share), rel=1e-6)
    with pytest.raises(ValueError, match="nothing is hidden"):
        coverage(low, low, truth, torch.ones_like(observed))
