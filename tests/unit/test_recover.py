"""Section 3.4 (1): recovery against the exact conditional of a linear generator, and intervals."""

import math

import pytest
import torch
from torch import nn

from abplib.baselines import linear_in_time
from abplib.generators import LinearGenerator, Model2
from abplib.langevin import linear_posterior
from abplib.masks import frames_missing
from abplib.recover import Recovery, add_residual, calibrate, recover

SIGMA, STEP = 0.6, 0.3
CHAINS = 4000


def problem(seed: int = 0, rows: int = 8, d: int = 3):
    source = torch.Generator().manual_seed(seed)
    loading = 0.7 * torch.randn(rows, d, generator=source, dtype=torch.float64)
    data = 0.8 * torch.randn(2, rows, generator=source, dtype=torch.float64)
    observed = torch.tensor([[1, 1, 0, 1, 0, 1, 0, 1], [0, 1, 1, 0, 1, 1, 1, 0]]).bool()
    return loading, data, observed


@pytest.fixture(scope="module")
def found():
    loading, data, observed = problem()
    options = dict(sigma=SIGMA, steps=150, step_size=STEP, chains=CHAINS, keep=0.2, bounded=False)
    hidden_junk = torch.where(observed, data, math.nan)
    return recover(LinearGenerator(loading), hidden_junk, observed, (3,), **options)


def exact(n: int):
    loading, data, observed = problem()
    rows = observed[n]
    posterior = linear_posterior((loading[rows], data[n : n + 1, rows], SIGMA))
    return loading, posterior


@pytest.mark.parametrize("n", [0, 1])
def test_mean_and_spread_are_those_of_the_exact_conditional(found, n):
    """Five standard errors of CHAINS draws; each chain's kept steps count as one draw only."""
    loading, posterior = exact(n)
    covariance = loading @ posterior.chain_covariance(STEP) @ loading.T
    std = covariance.diagonal().sqrt()
    gap = (found.mean[n] - (posterior.mean @ loading.T)[0]).abs()
    assert (gap < 5 * std / math.sqrt(CHAINS)).all()
    assert ((found.spread[n] / std - 1).abs() < 5 / math.sqrt(2 * CHAINS)).all()


@pytest.mark.parametrize("n", [0, 1])
def test_noise_is_what_the_observed_pixels_show(found, n):
    """E (x - G(Z))^2 over the posterior and the observed pixels: the M step for sigma^2."""
    loading, posterior = exact(n)
    _, data, observed = problem()
    covariance = loading @ posterior.chain_covariance(STEP) @ loading.T
    mean = (posterior.mean @ loading.T)[0]
    square = ((data[n] - mean).square() + covariance.diagonal())[observed[n]].mean()
    assert float(found.noise[n]) == pytest.approx(float(square.sqrt()), rel=0.03)
    expected = (found.spread[n].square() + found.noise[n].square()).sqrt()
    torch.testing.assert_close(found.std[n], expected)


def test_one_chain_and_no_averaging_is_the_paper_s_draw():
    loading, data, observed = problem()
    generator = LinearGenerator(loading)
    one = recover(
        generator, data, observed, (3,), steps=7, step_size=0.1, chains=1, keep=1 / 7, bounded=False
    )
    assert one.latents.shape == (2, 1, 3)
    torch.testing.assert_close(one.draw, generator(one.latents[:, 0]).detach())


def test_given_latents_are_where_the_chains_start():
    loading, data, observed = problem()
    generator = LinearGenerator(loading)
    start = torch.randn(2, 3, dtype=torch.float64)
    still = recover(generator, data, observed, start, steps=0, chains=3, bounded=False)
    torch.testing.assert_close(still.mean, generator(start).detach())
    assert float(still.spread.max()) < 1e-7
    apart = torch.randn(6, 3, dtype=torch.float64)
    each = recover(generator, data, observed, apart, steps=0, chains=3, bounded=False)
    torch.testing.assert_close(each.latents.flatten(0, 1), apart)
    with pytest.raises(ValueError, match="5 latents for 2 videos of 3 chains"):
        recover(generator, data, observed, torch.zeros(5, 3), steps=0, chains=3, bounded=False)


def test_same_seed_same_recovery_and_weights_stay():
    torch.manual_seed(0)
    generator = Model2(4, width=1 / 32, frame_size=(16, 16), time_kernel=1, norm="sequence")
    before = [p.clone() for p in generator.parameters()]
    data = torch.rand(1, 3, 32, 16, 16) * 2 - 1
    observed = frames_missing((1, 32, 16, 16), range(10, 14))
    shape = generator.latent_shape(32, 16, 16)
    runs = [
        recover(generator, data, observed, shape, weight=1 / 32, steps=5, chains=2, seed=s)
        for s in (0, 0, 1)
    ]
    assert torch.equal(runs[0].mean, runs[1].mean)
    assert not torch.equal(runs[0].mean, runs[2].mean)
    assert all(torch.equal(a, b) for a, b in zip(before, generator.parameters(), strict=True))
    assert all(p.requires_grad for p in generator.parameters())


def test_residual_is_the_conditional_mean_under_correlated_noise():
    """Noise that walks at random in time: given its values at both ends, its mean is a line."""
    times = torch.arange(6, dtype=torch.float64)
    covariance = torch.minimum(times[:, None], times[None]) + 10.0  # random walk from a wide start
    ends, gap = [0, 5], [1, 2, 3, 4]
    rows = torch.linalg.solve(covariance[ends][:, ends], covariance[ends][:, gap]).T
    generated, data = (torch.randn(6, dtype=torch.float64) * 0.2 for _ in range(2))
    expected = generated[gap] + rows @ (data - generated)[ends]
    observed = torch.zeros(1, 1, 6, 1, 1, dtype=torch.bool)
    observed[:, :, ends] = True
    shape = (1, 1, 6, 1, 1)
    mixed = add_residual(generated.view(shape), data.view(shape), observed, fill=linear_in_time)
    torch.testing.assert_close(mixed.flatten()[gap], expected)
    torch.testing.assert_close(mixed.flatten()[ends], data[ends])


def test_shares_lie_on_the_line_between_filling_alone_and_the_full_residual():
    generated, data = (torch.rand(1, 3, 8, 4, 4) - 0.5 for _ in range(2))
    observed = frames_missing((1, 8, 4, 4), [2, 3, 6])
    parts = {
        a: add_residual(generated, data, observed, fill=linear_in_time, share=a)
        for a in (0, 0.3, 1)
    }
    torch.testing.assert_close(parts[0], linear_in_time(data, observed))
    torch.testing.assert_close(parts[0.3], 0.7 * parts[0] + 0.3 * parts[1])
    with pytest.raises(ValueError, match=r"share is 1\.5"):
        add_residual(generated, data, observed, fill=linear_in_time, share=1.5)


def test_a_recovery_with_residual_equals_the_residual_of_its_draws():
    loading, data, observed = problem()

    def double(generated, data, observed):
        return 2 * generated

    options = dict(sigma=SIGMA, steps=20, step_size=STEP, chains=5, bounded=False)
    plain = recover(LinearGenerator(loading), data, observed, (3,), **options)
    twice = recover(LinearGenerator(loading), data, observed, (3,), residual=double, **options)
    for a, b in ((plain.mean, twice.mean), (plain.spread, twice.spread), (plain.draw, twice.draw)):
        torch.testing.assert_close(2 * a, b)
    torch.testing.assert_close(plain.noise, twice.noise)  # of the generator itself


def made(mean, std):
    zero = torch.zeros_like(mean)
    return Recovery(mean, mean, zero, torch.full((len(mean),), std), mean)


def test_intervals_of_a_gaussian_hold_their_share():
    mean = torch.zeros(1, 200_000)
    truth = 0.1 * torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    low, high = made(mean, 0.1).interval(0.9)
    inside = ((truth >= low) & (truth <= high)).float().mean()
    assert float(inside) == pytest.approx(0.9, abs=5 * math.sqrt(0.09 / 200_000))


def test_calibration_repairs_a_wrong_scale_and_shape():
    """Laplace errors three times as wide as claimed: no Gaussian interval fits before."""
    source = torch.distributions.Laplace(0.0, 0.03)
    torch.manual_seed(0)
    mean, mask = torch.zeros(1, 50_000), torch.zeros(1, 1, dtype=torch.bool)
    aside, fresh = source.sample(mean.shape), source.sample(mean.shape)
    recovery = made(mean, 0.01)
    scale = calibrate([recovery], [aside], [mask], coverage=0.9)
    low, high = recovery.interval(0.9, scale)
    inside = ((fresh >= low) & (fresh <= high)).float().mean()
    assert float(inside) == pytest.approx(0.9, abs=5 * math.sqrt(0.09 / 50_000) * math.sqrt(2))
    assert scale > 3


def test_calibration_needs_hidden_pixels():
    mean = torch.zeros(1, 4)
    with pytest.raises(ValueError, match="nothing is hidden"):
        calibrate([made(mean, 0.1)], [mean], [torch.ones(1, 4, dtype=torch.bool)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": -1}, "steps is -1"),
        ({"chains": 0}, "chains 0"),
        ({"every": 0}, "every 0"),
        ({"keep": 0.0}, "keep is 0.0"),
    ],
)
def test_numbers_out_of_range_are_named(options, message):
    data = torch.zeros(1, 2)
    with pytest.raises(ValueError, match=message):
        recover(nn.Identity(), data, torch.tensor([[True, False]]), (2,), **options)


def test_interval_wants_a_share():
    with pytest.raises(ValueError, match="coverage is 90"):
        made(torch.zeros(1, 4), 0.1).interval(90)
