"""PPCA on clips: the maximum of its likelihood, and exact conditional means."""

import pytest
import torch

from abplib.baselines.ppca import PPCA


@pytest.fixture
def clips() -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    loading = 0.2 * torch.randn(3, 24, generator=random)
    z = torch.randn(4000, 3, generator=random)
    noise = 0.05 * torch.randn(4000, 24, generator=random)
    return (0.1 + z @ loading + noise).view(4000, 1, 2, 3, 4)


def test_the_fit_has_the_covariance_of_the_data(clips):
    model = PPCA.fit(clips, 3)
    fitted = model.loading @ model.loading.T + model.sigma**2 * torch.eye(24)
    sample = torch.cov(clips.flatten(1).T, correction=0)
    # what PPCA leaves out is how the 21 noise eigenvalues differ: Marchenko-Pastur, 15% of 0.0025
    assert (fitted - sample).abs().max() < 5e-4
    assert model.sigma == pytest.approx(0.05, rel=0.02)


def test_recovery_is_the_conditional_mean_of_that_gaussian(clips):
    model = PPCA.fit(clips, 3)
    covariance = (model.loading @ model.loading.T).double()
    seen = torch.rand(5, 1, 2, 3, 4, generator=torch.Generator().manual_seed(1)) < 0.4
    answer = model.recover(clips[:5], seen)
    for clip, mask, got in zip(clips[:5], seen, answer, strict=True):
        o = mask.flatten()
        noisy = covariance[o][:, o] + model.sigma**2 * torch.eye(int(o.sum())).double()
        gain = covariance[:, o] @ torch.linalg.inv(noisy)
        exact = model.mean.flatten() + gain @ (clip - model.mean).flatten()[o].double()
        assert torch.allclose(got.flatten().double(), exact.clamp(-1, 1), atol=1e-4)


def test_hidden_pixels_have_no_influence_and_few_clips_are_refused(clips):
    model = PPCA.fit(clips[:50], 3)
    seen = torch.rand(2, 1, 2, 3, 4, generator=torch.Generator().manual_seed(1)) < 0.5
    spoilt = torch.where(seen, clips[:2], torch.full_like(clips[:2], torch.nan))
    assert torch.equal(model.recover(clips[:2], seen), model.recover(spoilt, seen))
    with pytest.raises(ValueError, match="3 or more"):
        PPCA.fit(clips[:2], 1)
