"""A fitted prior draws latents with the moments of those it was fitted to."""

import math

import pytest
import torch

from abplib.priors import FittedPrior, MixturePrior


def autoregression(n: int, steps: int, seed: int) -> torch.Tensor:
    """(n, 2, steps, 1, 1): a rotating AR(1) of unit variance, so that lags k and -k differ."""
    random = torch.Generator().manual_seed(seed)
    turn, memory = 0.9, 0.8
    rotate = memory * torch.tensor(
        [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    )
    z = torch.randn(n, 2, generator=random)
    path = []
    for _ in range(steps):
        z = z @ rotate.T + math.sqrt(1 - memory**2) * torch.randn(n, 2, generator=random)
        path.append(z)
    return torch.stack(path, -1)[..., None, None]


def test_moments_of_draws_are_those_of_the_fit():
    prior = FittedPrior.fit(
        torch.tensor([1.0, -2.0])[:, None, None, None] + autoregression(500, 40, 0), 6
    )
    drawn = FittedPrior.fit(prior.draw((2, 40, 1, 1), 500, seed=1), 6)
    # 20,000 dependent values a moment: a standard error of about 0.02; cut at lag 6, where the
    # memory is 0.8^7 = 0.2, so that negative parts of the spectrum are clipped: another 0.05.
    assert torch.allclose(drawn.mean, torch.tensor([1.0, -2.0]).double(), atol=0.05)
    assert torch.allclose(drawn.covariance, prior.covariance, atol=0.09)
    # The rotation has a direction: the covariance at lag 1 is not symmetric.
    lag1 = prior.covariance[7, 0, 0]
    assert (lag1[1, 0] - lag1[0, 1]) > 0.5
    assert torch.allclose(prior.covariance[5, 0, 0], lag1.T)


def test_space_and_time_lags():
    """A moving average over neighbours in time, rows and columns comes back on each axis."""
    random = torch.Generator().manual_seed(0)
    white = torch.randn(40, 1, 9, 9, 9, generator=random)
    for axis in (2, 3, 4):
        white = white.narrow(axis, 1, 8) + 0.5 * white.narrow(axis, 0, 8)
    prior = FittedPrior.fit(white, 1)
    drawn = FittedPrior.fit(prior.draw((1, 8, 8, 8), 200, seed=3), 1)
    # Variance 1.25^3 = 1.95, neighbours 0.5 / 1.25 = 0.4 of it; 100,000 values: error under 0.03.
    assert torch.allclose(drawn.covariance, prior.covariance, atol=0.06)
    assert abs(drawn.covariance[2, 1, 1] / drawn.covariance[1, 1, 1] - 0.4) < 0.02


def test_standard_latents_give_the_standard_prior():
    random = torch.Generator().manual_seed(0)
    prior = FittedPrior.fit(torch.randn(3000, 3, 1, 1, 1, generator=random))
    assert prior.reach == (0, 0, 0)
    z = prior.draw((3, 1, 1, 1), 3000, seed=2).flatten(1)
    # 3,000 values: standard errors of 0.02 for a mean and 0.03 for a covariance, twice over.
    assert torch.allclose(torch.cov(z.T), torch.eye(3), atol=0.12)
    assert z.mean(0).abs().max() < 0.1


def test_seeds_and_sizes():
    prior = FittedPrior.fit(autoregression(20, 6, 0))
    a, b = (prior.draw((2, 30, 1, 1), 2, seed=s) for s in (1, 1))
    assert torch.equal(a, b)
    assert a.shape == (2, 2, 30, 1, 1)
    assert not torch.equal(a, prior.draw((2, 30, 1, 1), 2, seed=2))
    assert not torch.equal(a[0], a[1])


def test_errors():
    with pytest.raises(ValueError, match="at least two values"):
        FittedPrior.fit(torch.zeros(1, 2, 1, 1, 1))
    prior = FittedPrior.fit(torch.randn(5, 2, 1, 1, 1))
    with pytest.raises(ValueError, match="latent has 3 channels; the prior was fitted to 2"):
        prior.draw((3, 1, 1, 1))


def test_mixture_draws_its_islands_in_proportion():
    random = torch.Generator().manual_seed(0)
    spread = torch.tensor([[0.3, 0.0], [0.2, 0.1]])
    centres = torch.tensor([[4.0, 0.0], [-4.0, 0.0], [-4.0, 0.0]])  # a third and two thirds
    z = centres.repeat(200, 1) + torch.randn(600, 2, generator=random) @ spread.T
    prior = MixturePrior.fit(z[:, :, None, None, None], components=2)
    drawn = prior.draw((2, 1, 1, 1), 3000, seed=1).flatten(1)
    right = drawn[:, 0] > 0
    assert abs(right.float().mean() - 1 / 3) < 0.04  # 3,000 draws: a standard error of 0.009
    island = drawn[~right]
    # 600 points fitted, 2,000 drawn: errors of a covariance of 0.09 are under 0.01.
    assert torch.allclose(torch.cov(island.T), spread @ spread.T, atol=0.02)
    assert torch.equal(drawn, prior.draw((2, 1, 1, 1), 3000, seed=1).flatten(1))


def test_mixture_errors():
    with pytest.raises(ValueError, match="30 components need"):
        MixturePrior.fit(torch.randn(50, 2, 1, 1, 1))
    with pytest.raises(ValueError, match="5 components need"):
        MixturePrior.fit(torch.randn(50, 2, 3, 1, 1), components=5)
    prior = MixturePrior.fit(torch.randn(50, 2, 1, 1, 1), components=2)
    with pytest.raises(ValueError, match=r"expected \(2, 1, 1, 1\)"):
        prior.draw((3, 1, 1, 1))
