"""Algorithm 1: eq. 3 where both sides are exact, maximum likelihood where it is known."""

import math
import re

import pytest
import torch

from abplib.abp import ABP, Settings, synthesise
from abplib.generators import LinearGenerator, Model2
from abplib.langevin import DivergenceError
from abplib.posterior import View, energy

SIGMA = 0.5


# --- eq. 3: the gradient of log p(I; W) is the posterior expectation of that of log p(I, Z; W) ---


def test_eq3_linear_model_exactly():
    """Left: autograd through log N(x; 0, A A' + s^2 I). Right: the exact posterior's moments."""
    torch.manual_seed(0)
    loading = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    x = torch.randn(7, 5, dtype=torch.float64)
    covariance = loading @ loading.T + SIGMA**2 * torch.eye(5, dtype=torch.float64)
    mean = torch.zeros(5, dtype=torch.float64)
    marginal = torch.distributions.MultivariateNormal(mean, covariance).log_prob(x).sum()
    (left,) = torch.autograd.grad(marginal, loading)
    a = loading.detach()
    precision = torch.eye(2, dtype=torch.float64) + a.T @ a / SIGMA**2
    z = x @ a @ torch.linalg.inv(precision) / SIGMA**2
    second = len(x) * torch.linalg.inv(precision) + z.T @ z
    right = (x.T @ z - a @ second) / SIGMA**2  # E[(x - A z) z'] / s^2, the expectation of eq. 5
    torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-9)  # fp64 and one inverse


def test_eq3_nonlinear_model_by_quadrature():
    """One latent, G(z) = tanh(z w + c): both integrals on the same fine grid, in fp64."""
    torch.manual_seed(1)
    grid = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    weights = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    x = torch.tensor([0.3, -0.4, 0.8], dtype=torch.float64)

    def log_joint(w):
        generated = torch.tanh(grid[:, None] * w[0] + w[1])
        likelihood = -(x - generated).square().sum(1) / (2 * SIGMA**2)
        return likelihood - 0.5 * grid.square()

    (left,) = torch.autograd.grad(torch.logsumexp(log_joint(weights), 0), weights)
    with torch.no_grad():
        posterior = torch.softmax(log_joint(weights), 0)
    (right,) = torch.autograd.grad((posterior * log_joint(weights)).sum(), weights)
    torch.testing.assert_close(left, right, rtol=1e-10, atol=1e-12)  # rounding in fp64
    assert left.abs().max() > 0.1


# --- linear generator: probabilistic PCA -----------------------------------------------------


def ppca_data(n: int = 400, rows: int = 6, d: int = 2) -> torch.Tensor:
    source = torch.Generator().manual_seed(0)
    loading = torch.randn(rows, d, generator=source, dtype=torch.float64)
    z = torch.randn(n, d, generator=source, dtype=torch.float64)
    noise = SIGMA * torch.randn(n, rows, generator=source, dtype=torch.float64)
    x = z @ loading.T + noise
    return x - x.mean(0)


def log_likelihood(loading: torch.Tensor, x: torch.Tensor) -> float:
    """Mean log p(x) under N(0, A A' + sigma^2 I), sigma known."""
    covariance = loading @ loading.T + SIGMA**2 * torch.eye(x.shape[1], dtype=x.dtype)
    mean = torch.zeros(x.shape[1], dtype=x.dtype)
    return float(torch.distributions.MultivariateNormal(mean, covariance).log_prob(x).mean())


def ppca_maximum(x: torch.Tensor, d: int) -> float:
    """Tipping and Bishop (1999): A = U_d (Lambda_d - sigma^2 I)^(1/2) at known sigma."""
    values, vectors = torch.linalg.eigh(x.T @ x / len(x))
    values, vectors = values.flip(0)[:d], vectors.flip(1)[:, :d]
    return log_likelihood(vectors * (values - SIGMA**2).clamp(min=0).sqrt(), x)


@pytest.fixture(scope="module")
def learned():
    """ABP on a linear generator, and the average of its log-likelihood over the last iterations."""
    x = ppca_data()
    results = {}
    for name, noise in (("sampled", True), ("mode", False)):
        torch.manual_seed(0)
        g = LinearGenerator(0.1 * torch.randn(6, 2, dtype=torch.float64))
        g.offset.requires_grad_(False)
        view = View(g, x, sigma=SIGMA, bounded=False)
        settings = Settings(
            iterations=1000, langevin_steps=20, step_size=0.1, learning_rate=0.02, decay=0.3,
            noise=noise,
        )  # fmt: skip
        start = torch.randn(len(x), 2, dtype=torch.float64)
        run = ABP([view], start, settings)
        tail = []
        run.fit(
            progress=False,
            callback=lambda r, g=g, tail=tail: tail.append(g.loading.detach().clone()),
        )
        results[name] = sum(log_likelihood(a, x) for a in tail[-50:]) / 50
    return results, ppca_maximum(x, 2), log_likelihood(torch.zeros(6, 2).double(), x)


def test_abp_on_a_linear_generator_reaches_the_ppca_maximum(learned):
    """Gap below 0.03 nats a datum, of the several nats between no model and the maximum.

    Two things keep the gap above zero: the chains' discretisation bias (step 0.1 inflates the
    posterior covariance by 1 / (1 - 0.01 L / 4)), and sampling noise in the weights.
    """
    results, best, nothing = learned
    assert best - nothing > 1.0
    assert 0 <= best - results["sampled"] < 0.03


def test_without_noise_it_does_not(learned):
    """Descending to the mode is not sampling: the likelihood stops short of the maximum."""
    results, best, _ = learned
    assert best - results["mode"] > 5 * (best - results["sampled"])


# --- the loop --------------------------------------------------------------------------------


def small(norm="sequence"):
    torch.manual_seed(0)
    return Model2(4, width=1 / 32, frame_size=(16, 16), time_kernel=3, norm=norm)


def video(n=3):
    """Gratings that drift, each with a phase and a speed of its own: something to be learned."""
    t, y, x = torch.meshgrid(*[torch.arange(16.0)] * 3, indexing="ij")
    clips = [torch.sin(0.4 * (x + y) + (0.3 + 0.1 * i) * t + i) for i in range(n)]
    return 0.8 * torch.stack(clips)[:, None].expand(n, 3, 16, 16, 16)


def run(iterations=4, seed=0, **settings):
    g = small()
    view = View(g, video(), weight=1 / 16)
    options = Settings(iterations=iterations, langevin_steps=2, step_size=0.05, **settings)
    return ABP([view], g.latent_shape(16, 16, 16), options, seed=seed)


def test_inline_algorithm_equals_the_library():
    """Algorithm 1 in fifteen lines, and ABP, give the same latents and weights bit for bit."""
    data, g = video(), small()
    random = torch.Generator().manual_seed(0)
    z = torch.randn(3, *g.latent_shape(16, 16, 16), generator=random)
    adam = torch.optim.Adam(g.parameters(), lr=2e-4, betas=(0.5, 0.999))
    for _ in range(4):
        for _ in range(2):  # inferential step, eq. 4
            z.requires_grad_(True)
            u = (data - g(z)).square().flatten(1).sum(1) / 2 / 16 + z.square().flatten(1).sum(1) / 2
            (gradient,) = torch.autograd.grad(u.sum(), z)
            noise = torch.randn(z.shape, generator=random)
            z = z.detach() - 0.05**2 / 2 * gradient + 0.05 * noise
        adam.zero_grad()  # learning step, eq. 5
        (((data - g(z)).square().flatten(1).sum(1)) / 2 / 16).mean().backward()
        adam.step()
    library = run()
    library.fit(progress=False)
    # Same operations; only the order of a factor may differ, so a few units in the last place.
    torch.testing.assert_close(library.z, z, rtol=1e-4, atol=1e-5)
    theirs = dict(library.views[0].generator.named_parameters())
    for name, p in g.named_parameters():
        torch.testing.assert_close(theirs[name], p, rtol=1e-3, atol=1e-5)


def test_same_seed_same_run_bit_for_bit():
    a, b, c = run(seed=1), run(seed=1), run(seed=2)
    for r in (a, b, c):
        r.fit(progress=False)
    assert torch.equal(a.z, b.z)
    assert a.history == b.history
    assert not torch.equal(a.z, c.z)
    weights = zip(a.views[0].generator.parameters(), b.views[0].generator.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in weights)


def test_learning_lowers_the_error_and_every_video_keeps_its_chain():
    r = run(iterations=60, learning_rate=5e-3, batch_size=2)
    start = r.z.clone()
    moved = []
    r.fit(progress=False, callback=lambda r: moved.append((r.z != start).flatten(1).any(1)))
    assert moved[0].sum() == 2  # one batch of two: the third chain waits
    assert moved[-1].all()
    errors = [h["error"] for h in r.history]
    assert sum(errors[-5:]) < 0.9 * sum(errors[:5])


def test_batches_visit_every_example_once_an_epoch():
    r = run(batch_size=1)
    for _ in range(3):
        assert sorted(int(r.next_batch()[0]) for _ in range(3)) == [0, 1, 2]


def test_resume_goes_on_exactly():
    whole = run(iterations=6, batch_size=2, decay=0.5)
    whole.fit(progress=False)
    first = run(iterations=6, batch_size=2, decay=0.5)
    for _ in range(3):
        first.iterate()
    second = run(iterations=6, batch_size=2, decay=0.5, seed=9)
    second.restore(first.state())
    second.fit(progress=False)
    assert torch.equal(second.z, whole.z)
    assert second.history == whole.history


def test_restore_refuses_a_foreign_state():
    state = run().state()
    state["latents"] = torch.zeros(1, 2)
    with pytest.raises(ValueError, match="build the run as it was built"):
        run().restore(state)


def test_no_weight_has_a_gradient_after_inference():
    r = run()
    r.infer(torch.arange(3))
    assert all(p.grad is None for p in r.views[0].generator.parameters())


def test_divergence_names_step_size_sigma_curvature_and_remedy():
    g = small()
    view = View(g, video(), sigma=0.001)
    r = ABP([view], g.latent_shape(16, 16, 16), Settings(iterations=5, step_size=0.3))
    with pytest.raises(DivergenceError) as error:
        r.fit(progress=False)
    for word in ("step_size=0.3", "sigma=0.001", "curvature where the chain started", "Remedies"):
        assert word in str(error.value)
    assert r.iteration == 0


def test_the_learning_rate_falls_in_a_straight_line():
    s = Settings(iterations=100, learning_rate=1.0, decay=0.5)
    assert s.rate(0) == s.rate(49) == 1.0
    assert s.rate(75) == pytest.approx(0.05 + 0.95 * 0.5)
    assert s.rate(99) == pytest.approx(0.05 + 0.95 * 0.02)
    assert Settings(learning_rate=1.0).rate(499) == 1.0


def test_progress_is_one_line_where_output_is_kept(capsys, monkeypatch):
    monkeypatch.setenv("ABPLIB_STATIC", "1")
    r = run()
    r.fit()
    line = capsys.readouterr().out
    assert line == r.summary() + "\n"
    assert line.startswith("4 iterations: rms error 0.")
    monkeypatch.delenv("ABPLIB_STATIC")
    run().fit()
    shown = capsys.readouterr().out
    assert "error=0." in shown
    assert "Z rms=" in shown
    assert shown.split("\r")[-1] == line  # the bar wipes itself; what stays is the same line


def test_synthesise_is_seeded_and_leaves_the_statistics():
    g = small("batch")
    before = {k: v.clone() for k, v in g.state_dict().items()}
    shape = g.latent_shape(32, 16, 16)
    a, b, c = (synthesise(g, shape, 2, seed=s) for s in (1, 1, 2))
    assert a.shape == (2, 3, 32, 16, 16)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert all(torch.equal(before[k], v) for k, v in g.state_dict().items())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Settings(iterations=-1), "must not be below zero"),
        (lambda: Settings(batch_size=0), "expected at least 1"),
        (lambda: Settings(decay=0.0), "fraction in (0, 1]"),
        (lambda: ABP([View(small(), video())], torch.zeros(2, 4, 5, 1, 1)), "2 latents for 3"),
        (lambda: ABP([View(small(), video())], (4, 6, 1, 1)), "choose the latent with"),
        (
            lambda: ABP([View(small(), video()), View(small(), video(2))], (4, 5, 1, 1)),
            "each must hold the same",
        ),
    ],
)
def test_errors_say_what_to_do(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_energy_of_two_views_trains_both_generators():
    a, b = small(), small()
    b.load_state_dict(a.state_dict())
    data = video()
    r = ABP(
        [View(a, data), View(b, data.flip(2))],
        a.latent_shape(16, 16, 16),
        Settings(iterations=2, step_size=0.02),
    )
    before = [p.clone() for p in (*a.parameters(), *b.parameters())]
    r.fit(progress=False)
    after = [*a.parameters(), *b.parameters()]
    assert all(not torch.equal(p, q) for p, q in zip(before, after, strict=True))
    assert math.isfinite(float(energy(r.z, *r.views).sum().detach()))
