"""Eq. 4 against exact numbers: means, covariances with discretisation bias, stability, guard.

Every test of a distribution runs R independent chains and allows five standard errors: an entry of
the mean has variance S_ii / R, an entry of the covariance (S_ii S_jj + S_ij^2) / R. A right sampler
fails such a test once in 10^6 per entry; seeds are fixed, so it fails always or never.
"""

import math

import pytest
import torch

from abplib.generators import LinearGenerator
from abplib.langevin import (
    DivergenceError,
    curvature,
    langevin,
    linear_posterior,
    stable_step,
)
from abplib.posterior import View, energy

R = 20_000
SIGMA = 0.5


def problem(seed: int = 0, rows: int = 6, d: int = 3):
    source = torch.Generator().manual_seed(seed)
    loading = 0.5 * torch.randn(rows, d, generator=source, dtype=torch.float64)
    x = torch.randn(1, rows, generator=source, dtype=torch.float64)
    return loading, x


def view_of(loading, x, observed=None, sigma=SIGMA, weight=1.0):
    data = x.expand(R, -1)
    mask = None if observed is None else observed.expand(R, -1)
    return View(LinearGenerator(loading), data, mask, sigma=sigma, weight=weight, bounded=False)


def run(views, d, *, step_size, steps=300, seed=1, prior=True):
    def explain(z):
        u = energy(z, *views)
        return u if prior else u - 0.5 * z.square().sum(1)

    start = torch.zeros(R, d, dtype=torch.float64)
    source = torch.Generator().manual_seed(seed)
    return langevin(explain, start, steps=steps, step_size=step_size, generator=source)


def check(z, mean, covariance):
    """Sample mean and covariance of R chains within five standard errors of the theory."""
    spread = covariance.diagonal()
    mean_gap = (z.mean(0) - mean).abs() / (spread / R).sqrt()
    se = ((torch.outer(spread, spread) + covariance**2) / R).sqrt()
    cov_gap = (torch.cov(z.T) - covariance).abs() / se
    assert mean_gap.max() < 5, f"mean is {mean_gap.max():.1f} standard errors off"
    assert cov_gap.max() < 5, f"covariance is {cov_gap.max():.1f} standard errors off"


MASK = torch.tensor([[True, False, True, True, False, False]])


@pytest.mark.parametrize("observed", [None, MASK], ids=["fully observed", "partly observed"])
@pytest.mark.parametrize("fraction", [0.2, 0.7])
def test_one_view_mean_and_covariance_with_discretisation_bias(observed, fraction):
    loading, x = problem()
    rows = slice(None) if observed is None else observed[0]
    exact = linear_posterior((loading[rows], x[:, rows], SIGMA))
    step = fraction * exact.largest_stable_step
    steps = math.ceil(40 / (step**2 * float(torch.linalg.eigvalsh(exact.precision)[0])))
    z = run([view_of(loading, x, observed)], 3, step_size=step, steps=steps)
    check(z, exact.mean[0], exact.chain_covariance(step))
    if fraction > 0.5:  # the bias is real: without it the same check fails
        with pytest.raises(AssertionError, match="covariance"):
            check(z, exact.mean[0], exact.covariance)


def test_two_views_share_one_latent():
    first, x = problem(0)
    second, y = problem(7, rows=4)
    exact = linear_posterior((first, x, SIGMA), (second, y, 1.0))
    step = 0.3 * exact.largest_stable_step
    views = [view_of(first, x), view_of(second, y, sigma=1.0)]
    check(run(views, 3, step_size=step), exact.mean[0], exact.chain_covariance(step))
    # The second view matters: the posterior of the first alone is not what the chains have.
    alone = linear_posterior((first, x, SIGMA))
    assert (alone.mean - exact.mean).abs().max() > 0.1


def test_likelihood_weight_acts_like_a_larger_sigma():
    loading, x = problem()
    exact = linear_posterior((loading, x, SIGMA / math.sqrt(0.25)))
    step = 0.3 * exact.largest_stable_step
    z = run([view_of(loading, x, weight=0.25)], 3, step_size=step)
    check(z, exact.mean[0], exact.chain_covariance(step))


@pytest.mark.parametrize("factor", [0.98, 1.02])
def test_stability_limit_on_both_sides(factor):
    """Just below 2 / sqrt(lambda_max) the chain stays near the mean; just above it explodes."""
    loading, x = problem()
    exact = linear_posterior((loading, x, SIGMA))
    step = factor * exact.largest_stable_step
    view = view_of(loading, x)
    if factor < 1:
        z = run([view], 3, step_size=step, steps=800)
        assert float(z.abs().max()) < 100
        exact.chain_covariance(step)
    else:
        with pytest.raises(DivergenceError):
            run([view], 3, step_size=step, steps=800)
        with pytest.raises(ValueError, match="no stationary distribution"):
            exact.chain_covariance(step)


def test_without_the_prior_unseen_directions_walk_away():
    """As printed, eq. 4 lacks -Z. Where no pixel sees a direction of z, nothing pulls it back.

    There the chain is a random walk and its variance after n steps is n delta^2; the exact
    posterior keeps variance 1.
    """
    loading, x = problem()
    observed = torch.tensor([[True, True, False, False, False, False]])  # two pixels, three latents
    exact = linear_posterior((loading[:2], x[:, :2], SIGMA))
    step, steps = 0.3, 400
    with_prior = run([view_of(loading, x, observed)], 3, step_size=step, steps=steps)
    without = run([view_of(loading, x, observed)], 3, step_size=step, steps=steps, prior=False)
    unseen = torch.linalg.svd(loading[:2])[2][-1]  # the direction that these two pixels miss
    check(with_prior, exact.mean[0], exact.chain_covariance(step))
    walked = float((without @ unseen).var())
    expected = steps * step**2
    assert abs(walked / expected - 1) < 5 * math.sqrt(2 / R)  # five standard errors of a variance
    assert float((with_prior @ unseen).var()) < 1.2


def test_one_step_is_equation_4():
    z = torch.tensor([[1.0, -2.0]])
    noise = torch.empty_like(z).normal_(generator=torch.Generator().manual_seed(3))
    by_hand = z - 0.5 * 0.1**2 * (z * torch.tensor([1.0, 4.0])) + 0.1 * noise
    u = lambda z: 0.5 * (z * torch.tensor([1.0, 4.0]) * z).sum(1)  # noqa: E731
    source = torch.Generator().manual_seed(3)
    assert torch.equal(langevin(u, z, steps=1, step_size=0.1, generator=source), by_hand)


def test_same_seed_same_chain_and_the_start_is_left_alone():
    u = lambda z: 0.25 * z.pow(4).sum(1)  # noqa: E731
    start = torch.randn(5, 2)
    kept = start.clone()
    a, b, c = (
        langevin(u, start, steps=50, step_size=0.1, generator=torch.Generator().manual_seed(s))
        for s in (1, 1, 2)
    )
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.equal(start, kept)
    assert not a.requires_grad


def test_callback_sees_every_state_and_energy():
    seen = []
    u = lambda z: 0.5 * z.square().sum(1)  # noqa: E731
    start = torch.ones(2, 3)
    langevin(u, start, steps=4, step_size=0.1, callback=lambda *a: seen.append(a))
    assert [s for s, _, _ in seen] == [0, 1, 2, 3]
    assert torch.equal(seen[0][1], start)
    assert torch.equal(seen[2][2], u(seen[2][1]))


def test_curvature_equals_the_largest_eigenvalue():
    loading, x = problem()
    exact = linear_posterior((loading, x, SIGMA))
    top = torch.linalg.eigvalsh(exact.precision)[-1]
    view = View(LinearGenerator(loading), x, sigma=SIGMA, bounded=False)
    found = curvature(lambda z: energy(z, view), torch.zeros(1, 3).double(), iterations=200)
    # 200 power iterations shrink the second eigenvalue's share below fp64 rounding here.
    torch.testing.assert_close(found[0].double(), top, rtol=1e-5, atol=0)
    assert stable_step(float(top)) == pytest.approx(exact.largest_stable_step)


def test_curvature_is_the_largest_even_where_a_negative_one_is_larger_in_magnitude():
    bend = torch.tensor([-9.0, 4.0, 1.0])
    found = curvature(lambda z: 0.5 * (z * bend * z).sum(1), torch.zeros(2, 3), iterations=100)
    # 100 iterations on the shifted spectrum 0, 13, 10: the rest is (10/13)^200, far below fp32.
    torch.testing.assert_close(found, torch.tensor([4.0, 4.0]), rtol=1e-4, atol=0)


def test_divergence_is_caught_at_once_and_explained():
    calls = []
    u = lambda z: 5e3 * z.square().sum(1)  # noqa: E731
    with pytest.raises(DivergenceError) as error:
        langevin(
            u, torch.ones(3, 2), steps=1000, step_size=0.1, callback=lambda *a: calls.append(a)
        )
    assert len(calls) < 10
    for word in ("step_size=0.1", "4 / step_size^2 = 400", "shorter step_size", "larger sigma"):
        assert word in str(error.value)


def test_nan_in_the_energy_is_caught():
    with pytest.raises(DivergenceError, match="diverged at step 1"):
        langevin(lambda z: z.sum(1) * float("nan"), torch.ones(1, 2), steps=3, step_size=0.1)


@pytest.mark.parametrize(("steps", "step_size"), [(-1, 0.1), (1, 0.0), (1, -1.0), (1, math.nan)])
def test_bad_settings(steps, step_size):
    with pytest.raises(ValueError, match="expected >= 0 and > 0"):
        langevin(lambda z: z.sum(1), torch.ones(1, 1), steps=steps, step_size=step_size)
