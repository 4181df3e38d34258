"""3D VAE: the PPCA maximum, the exact bound, iterative imputation, masks, resume."""

import itertools
import re

import pytest
import torch

from abplib.abp import Settings
from abplib.baselines.amortised import divergence
from abplib.baselines.vae import VAE
from abplib.generators import LinearGenerator, Model3
from abplib.inference_nets import Encoder, GaussianEncoder
from abplib.langevin import DivergenceError
from abplib.posterior import View
from tests.unit import linear_case
from tests.unit.linear_case import SIGMA


@pytest.fixture(scope="module")
def learned():
    """A VAE on a linear generator, with its loading averaged over the last iterations."""
    x = linear_case.data()
    g = linear_case.generator()
    view = View(g, x, sigma=SIGMA, bounded=False)
    run = VAE(view, (2,), Settings(iterations=2000, learning_rate=0.02, decay=0.3))
    tail = []
    run.fit(progress=False, callback=lambda r: tail.append(g.loading.detach().clone()))
    return run, x, tail


def test_a_linear_vae_reaches_the_ppca_maximum(learned):
    """Its posterior is not diagonal in general, but the maximum likelihood has a rotation free.

    The bound is tight where the columns of A are orthogonal, and the VAE turns them so. Gaps: the
    draws of q (2000 steps of Adam) leave well below a hundredth of a nat.
    """
    run, x, tail = learned
    best = linear_case.maximum(x)
    reached = sum(linear_case.log_likelihood(a, x) for a in tail[-50:]) / 50
    assert 0 <= best - reached < 0.01
    bound = float(run.bound(draws=300).mean())
    assert 0 < best - bound < 0.02
    loading = run.generator.loading.detach()
    gram = loading.T @ loading
    cosine = gram[0, 1] / (gram[0, 0] * gram[1, 1]).sqrt()
    assert abs(float(cosine)) < 0.05  # orthogonal
    mean, log_variance = run.encode(x)
    expected, covariance = linear_case.posterior(loading, x)
    torch.testing.assert_close(mean, expected, rtol=0, atol=0.05)
    exact = covariance[0].diagonal().expand_as(log_variance)
    torch.testing.assert_close(log_variance.exp(), exact, rtol=0.2, atol=0)


def test_the_bound_equals_the_log_likelihood_where_q_is_the_posterior(learned):
    """And falls short of it by KL(q || posterior) where it is not, to the nat."""
    run, x, _ = learned
    loading = run.generator.loading.detach()
    mean, covariance = linear_case.posterior(loading, x)
    marginal = linear_case.log_likelihood(loading, x)
    q = covariance[0].diagonal()
    posterior = torch.distributions.MultivariateNormal(torch.zeros(2).double(), covariance[0])
    off = torch.distributions.MultivariateNormal(torch.zeros(2).double(), torch.diag(q))
    gap = torch.distributions.kl_divergence(off, posterior)

    class Exact(torch.nn.Linear):  # its weights are not used
        def forward(self, data, observed=None):
            return mean[: len(data)], q.log().expand(len(data), 2)

    exact = VAE(run.view, (2,), network=Exact(1, 1))
    # 400 videos by 300 draws: the mean's standard error is below 0.005
    bound = float(exact.bound(draws=300).mean())
    assert bound == pytest.approx(marginal - float(gap), abs=0.02)


def test_imputation_converges_to_the_exact_posterior_mean(learned):
    """A linear encoder that is right for whole videos, iterated, is right for incomplete ones."""
    _, x, _ = learned
    source = torch.Generator().manual_seed(3)
    loading = torch.randn(6, 2, generator=source, dtype=torch.float64)
    g = linear_case.generator(loading)
    encoder = GaussianEncoder(g)
    precision = torch.eye(2) + loading.T @ loading / SIGMA**2
    with torch.no_grad():
        encoder.layers[0].weight[:2] = torch.linalg.solve(precision, loading.T) / SIGMA**2
    view = View(g, x, sigma=SIGMA, bounded=False)
    run = VAE(view, (2,), network=encoder)
    seen = torch.rand(x.shape, generator=source) > 0.5
    seen[:, 0] = True
    hidden = torch.where(seen, x, torch.full((), torch.nan).double())
    expected, _ = linear_case.posterior(loading, x, seen)
    # the map contracts by the share of the information that is hidden, 0.99 at worst here
    found = run.infer(hidden, seen, sweeps=3000)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    first = (run.infer(hidden, seen, sweeps=0) - expected).abs().mean()
    tenth = (run.infer(hidden, seen, sweeps=10) - expected).abs().mean()
    assert tenth < 0.5 * first
    torch.testing.assert_close(run.impute(hidden, seen, sweeps=3000), expected @ loading.T)


def test_divergence_equals_torchs():
    mean, log_variance = torch.randn(2, 4, 3, 1, generator=torch.Generator().manual_seed(0))
    q = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    p = torch.distributions.Normal(torch.zeros(()), torch.ones(()))
    expected = torch.distributions.kl_divergence(q, p).flatten(1).sum(1)
    torch.testing.assert_close(divergence(mean, log_variance), expected)


# --- on videos --------------------------------------------------------------------------------


def clips(n=6):
    t, y, x = torch.meshgrid(*[torch.arange(16.0)] * 3, indexing="ij")
    made = [torch.sin(0.4 * (x + y) + (0.3 + 0.1 * i) * t + i) for i in range(n)]
    return 0.8 * torch.stack(made)[:, None].expand(n, 3, 16, 16, 16)


def masks():
    return torch.rand(6, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0)) > 0.3


def small(seed=0, masked=False, data=None, iterations=6, **options):
    torch.manual_seed(0)
    g = Model3(4, frame_size=(16, 16), frames=16, width=1 / 32, norm="none", slope=0.2)
    view = View(g, clips() if data is None else data, masks() if masked else None, sigma=0.3)
    settings = Settings(iterations=iterations, learning_rate=2e-3, batch_size=3, decay=0.5)
    return VAE(view, (4, 1, 1, 1), settings, seed, **options)


def test_one_step_raises_the_bound_by_both_networks_and_learning_goes_on():
    run = small(iterations=150)
    before = [p.clone() for m in (run.generator, run.network) for p in m.parameters()]
    start = float(run.bound(draws=8).mean())
    run.iterate()
    after = [p for m in (run.generator, run.network) for p in m.parameters()]
    moved = [not torch.equal(p, q) for p, q in zip(before, after, strict=True)]
    assert all(moved)
    run.fit(progress=False)
    assert float(run.bound(draws=8).mean()) > start + 100
    assert run.history[-1]["error"] < 0.8 * run.history[0]["error"]
    assert run.summary().startswith("150 iterations: rms error 0.")


def test_encoding_and_imputing_leave_no_gradient_and_move_nothing():
    run = small(masked=True)
    before = [p.clone() for m in (run.generator, run.network) for p in m.parameters()]
    run.impute(clips(), masks(), sweeps=2)
    run.bound()
    after = [p for m in (run.generator, run.network) for p in m.parameters()]
    assert all(torch.equal(p, q) for p, q in zip(before, after, strict=True))
    assert all(p.grad is None and p.requires_grad for p in after)


def test_hidden_pixels_have_no_influence():
    hidden = torch.where(masks(), clips(), torch.full((), torch.nan))
    a, b = small(masked=True), small(masked=True, data=hidden)
    assert a.fit(progress=False) == b.fit(progress=False)
    assert torch.equal(a.impute(clips(), masks()), b.impute(hidden, masks()))
    drawn = b.impute(hidden, masks(), seed=1)
    assert torch.isfinite(drawn).all()
    assert torch.equal(drawn, b.impute(hidden, masks(), seed=1))
    assert not torch.equal(drawn, b.impute(hidden, masks(), seed=2))


def test_resume_goes_on_exactly():
    whole, first, second = small(masked=True), small(masked=True), small(seed=9, masked=True)
    whole.fit(progress=False)
    for _ in range(3):
        first.iterate()
    second.restore(first.state())
    second.fit(progress=False)
    assert second.history == whole.history
    for ours, theirs in ((second.generator, whole.generator), (second.network, whole.network)):
        pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
        assert all(torch.equal(p, q) for p, q in pairs)


def test_warm_up_raises_the_weight_of_the_kl_term_from_nothing():
    """With a loading of zero only the KL term reaches V: at weight 0 V stands still."""
    still = {}
    for warm_up in (0.0, 1.0):
        view = View(LinearGenerator(torch.zeros(3, 2)).requires_grad_(False), torch.ones(4, 3))
        run = VAE(view, (2,), Settings(iterations=10, learning_rate=0.01), warm_up=warm_up)
        weights = [run.network.layers[0].weight.detach().clone()]
        for _ in range(2):
            run.iterate()
            weights.append(run.network.layers[0].weight.detach().clone())
        still[warm_up] = [torch.equal(a, b) for a, b in itertools.pairwise(weights)]
    assert still == {0.0: [False, False], 1.0: [True, False]}


def test_the_encoder_can_have_a_rate_of_its_own():
    run = small(network_rate=5e-4)
    run.iteration = 5  # of 6, after decay began at 3
    run.iterate()
    rate = run.settings.rate(5)
    assert rate < 2e-3
    assert run.optimizer.param_groups[0]["lr"] == rate
    assert run.network_optimizer.param_groups[0]["lr"] == pytest.approx(rate / 4)


def test_initialise_is_the_mean_and_serves_langevin():
    run = small()
    mean, _ = run.encode(clips())
    assert torch.equal(run.initialise(clips()), mean)
    completed = torch.where(masks(), clips(), run.decode(run.initialise(clips(), masks())))
    again = run.encode(completed)[0]
    torch.testing.assert_close(run.initialise(clips(), masks(), sweeps=1), again)


def test_errors_say_what_to_do():
    g = Model3(4, frame_size=(16, 16), frames=16, width=1 / 32, norm="none")
    view = View(g, clips())
    with pytest.raises(ValueError, match="warm_up is 3"):
        VAE(view, (4, 1, 1, 1), warm_up=3)
    with pytest.raises(ValueError, match=re.escape("the latent is (5, 1, 1, 1)")):
        VAE(view, (5, 1, 1, 1))
    with pytest.raises(ValueError, match="bare function"):
        VAE(View(torch.tanh, torch.zeros(2, 3)), (3,))
    with pytest.raises(ValueError, match="of other networks"):
        small().restore(small(network=GaussianEncoder(g, mask_channel=True)).state())
    with pytest.raises(ValueError, match="mean and a log-variance"):
        VAE(view, (4, 1, 1, 1), network=Encoder(g))
    run = VAE(View(LinearGenerator(torch.eye(3, 2)), torch.ones(2, 3)), (2,))
    with torch.no_grad():
        run.generator.loading.fill_(torch.nan)
    with pytest.raises(DivergenceError, match="lower learning_rate"):
        run.iterate()
