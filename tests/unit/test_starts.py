"""Starts at principal components: whitened, alike for alike video, in the right place."""

import pytest
import torch

from abplib.data import patterns
from abplib.starts import block_codes, component_scores


def test_scores_are_those_of_the_singular_values():
    random = torch.Generator().manual_seed(0)
    data = torch.randn(40, 7, generator=random) @ torch.randn(7, 7, generator=random)
    scores = component_scores(data, 3)
    left = torch.linalg.svd(data - data.mean(0), full_matrices=False).U[:, :3] * 40**0.5
    # The sign of a component is free; float32 products of 7 terms agree to 1e-4.
    assert torch.allclose((scores * left).mean(0).abs(), torch.ones(3), atol=1e-4)


def test_windows_share_the_codes_of_what_they_share():
    """Windows 16 frames apart see one latent step's stretch at neighbouring indices."""
    clip = patterns.flag(112, size=32, seed=0)
    videos = torch.stack([clip[:, :96], clip[:, 16:]])
    codes = block_codes(videos, (3, 8, 1, 1))
    assert codes.shape == (2, 3, 8, 1, 1)
    # Steps 2 to 5 of the first window lie well inside both; the ends see a mirror image.
    assert torch.allclose(codes[0, :, 3:6], codes[1, :, 2:5], atol=1e-4)
    assert not torch.allclose(codes[0, :, 2:5], codes[1, :, 2:5], atol=0.1)


def test_codes_in_space():
    clip = patterns.ocean(64, size=80, seed=0)
    videos = torch.stack([clip[:, :, :64, :64], clip[:, :, 16:, :64], clip[:, :, :64, 16:]])
    codes = block_codes(videos, (4, 6, 6, 6))
    assert torch.allclose(codes[0, :, 2, 3, 2], codes[1, :, 2, 2, 2], atol=1e-4)
    assert torch.allclose(codes[0, :, 2, 2, 3], codes[2, :, 2, 2, 2], atol=1e-4)
    # 650 steps that are far from independent: a standard deviation between 0.5 and 1.6.
    assert 0.5 < codes.std() < 1.6


def test_without_overlap_a_code_sees_its_own_step_alone():
    videos = torch.rand(2, 3, 32, 32, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    videos[1, :, :16, :16, :16] = videos[0, :, :16, :16, :16]
    alone, overlapping = (block_codes(videos, (4, 4, 4, 5), overlap=o) for o in (False, True))
    assert alone.shape == overlapping.shape == (2, 4, 4, 4, 5)
    assert torch.allclose(alone[0, :, 1, 1, 1], alone[1, :, 1, 1, 1], atol=1e-4)
    assert not torch.allclose(alone[0, :, 1, 1, 2], alone[1, :, 1, 1, 2], atol=0.1)
    assert not torch.allclose(overlapping[0, :, 1, 1, 1], overlapping[1, :, 1, 1, 1], atol=0.1)


def test_fewer_components_than_channels_leave_the_prior():
    steps = torch.linspace(-1, 1, 64)[None, None, :, None, None]
    ramp = steps.expand(1, 3, 64, 16, 16)  # two components of a windowed ramp: level and slope
    codes = block_codes(ramp, (9, 6, 1, 1), seed=1)
    assert torch.equal(codes, block_codes(ramp, (9, 6, 1, 1), seed=1))
    assert torch.isfinite(codes).all()
    assert 0.3 < codes[:, 5:].std() < 2


def test_steps_far_beyond_the_window_start_at_the_prior():
    videos = patterns.flag(48, size=32, seed=0)[None]
    near, wide = (block_codes(videos, (3, steps, 1, 1)) for steps in (5, 11))
    assert torch.allclose(near, wide[:, :, 3:8], atol=1e-4)
    other = block_codes(videos, (3, 11, 1, 1), seed=1)
    assert not torch.allclose(other[:, :, :3], wide[:, :, :3], atol=0.1)


def test_errors():
    with pytest.raises(ValueError, match="40 components need"):
        component_scores(torch.zeros(40, 50), 40)
    with pytest.raises(ValueError, match="each axis must be longer than 24"):
        block_codes(torch.zeros(2, 3, 16, 16, 16), (2, 3, 1, 1))
