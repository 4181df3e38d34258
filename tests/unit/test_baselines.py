"""Baselines: linear systems against their closed forms, a GAN against a known distribution."""

import math

import pytest
import torch
from torch import nn

from abplib.abp import Settings, synthesise
from abplib.baselines import (
    GAN,
    Discriminator,
    Framewise,
    FramewiseSettings,
    GANSettings,
    LinearDynamics,
    VectorAutoregression,
)
from abplib.generators import LinearGenerator, Model2, Model3
from abplib.langevin import DivergenceError, langevin
from abplib.posterior import View, energy


def rotation(radius: float, angle: float) -> torch.Tensor:
    """A 2 x 2 matrix with eigenvalues radius * exp(+- i angle)."""
    c, s = radius * math.cos(angle), radius * math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


def lyapunov(a: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """P = A P A' + Q, solved as one linear system in the entries of P."""
    n = len(a)
    system = torch.eye(n * n, dtype=a.dtype) - torch.kron(a, a)
    return torch.linalg.solve(system, q.flatten()).reshape(n, n)


# --- vector autoregression ----------------------------------------------------------------------


def known_autoregression() -> VectorAutoregression:
    """Order 2 in two dimensions, stationary."""
    first = rotation(0.9, 0.4)
    coefficients = torch.stack([first, -0.3 * torch.eye(2, dtype=torch.float64)])
    covariance = torch.tensor([[1.0, 0.5], [0.5, 2.0]], dtype=torch.float64)
    return VectorAutoregression(coefficients, torch.tensor([5.0, -3.0]).double(), covariance)


def test_autoregression_recovers_known_coefficients() -> None:
    truth = known_autoregression()
    series = truth.simulate(torch.zeros(2, 2), 10_000, seed=0)[100:]
    learned = VectorAutoregression.learn(series, order=2)
    # standard errors are about sqrt(1 / 10000) = 0.01 a coefficient; four of them
    torch.testing.assert_close(learned.coefficients, truth.coefficients, rtol=0, atol=0.04)
    # the mean's is at most sqrt(2 / 10000) / |1 - A_1 - A_2| = 0.025; a variance's 2 sqrt(2 / n)
    torch.testing.assert_close(learned.mean, truth.mean, rtol=0, atol=0.1)
    torch.testing.assert_close(learned.covariance, truth.covariance, rtol=0, atol=0.12)


def test_autoregression_without_noise_is_recovered_exactly() -> None:
    truth = VectorAutoregression(
        known_autoregression().coefficients, torch.zeros(2).double(), torch.zeros(2, 2).double()
    )
    series = truth.simulate(torch.eye(2).double(), 12)
    learned = VectorAutoregression.learn(series, order=2, centre=False)
    # fp64, least squares of twelve values that shrink by a factor of 100
    torch.testing.assert_close(learned.coefficients, truth.coefficients, rtol=0, atol=1e-9)
    assert learned.covariance.abs().max() < 1e-18


def test_simulated_covariance_solves_the_lyapunov_equation() -> None:
    a, q = rotation(0.95, 0.3), known_autoregression().covariance
    model = VectorAutoregression(a[None], torch.zeros(2).double(), q)
    series = model.simulate(torch.zeros(1, 2), 15_000, seed=1)[200:]
    expected = lyapunov(a, q)
    # about n (1 - r^2) = 1500 independent pairs: 1 / sqrt(1500) = 2.6% standard error; four of them
    assert torch.dist(torch.cov(series.T), expected) < 0.1 * expected.norm()


def test_spectral_radius_is_that_of_the_companion_matrix() -> None:
    assert VectorAutoregression(
        rotation(1.2, 1.0)[None], torch.zeros(2), torch.zeros(2, 2)
    ).spectral_radius == pytest.approx(1.2, rel=1e-12)
    # x_t = 1.5 x_{t-1} - 0.56 x_{t-2}: roots of s^2 - 1.5 s + 0.56 are 0.7 and 0.8
    coefficients = torch.tensor([1.5, -0.56], dtype=torch.float64).reshape(2, 1, 1)
    model = VectorAutoregression(coefficients, torch.zeros(1), torch.zeros(1, 1))
    assert model.spectral_radius == pytest.approx(0.8, rel=1e-9)


def test_stabilising_moves_the_unstable_eigenvalues_alone() -> None:
    a = torch.block_diag(rotation(1.1, 0.5), rotation(0.6, 1.0))
    growing = VectorAutoregression(a[None], torch.zeros(4).double(), torch.zeros(4, 4).double())
    series = growing.simulate(torch.ones(1, 4), 40)
    assert VectorAutoregression.learn(series, centre=False).spectral_radius > 1.09
    tamed = VectorAutoregression.learn(series, centre=False, stabilise=True)
    sizes = torch.linalg.eigvals(tamed.coefficients[0]).abs().sort().values
    expected = torch.tensor([0.6, 0.6, 0.99, 0.99], dtype=torch.float64)
    torch.testing.assert_close(sizes, expected, rtol=0, atol=1e-6)  # least squares in fp64


def test_stabilising_a_higher_order_scales_every_eigenvalue() -> None:
    # s^2 - 2.2 s + 1.2: roots 1.2 and 1.0
    growing = VectorAutoregression(
        torch.tensor([2.2, -1.2], dtype=torch.float64).reshape(2, 1, 1),
        torch.zeros(1).double(),
        torch.zeros(1, 1).double(),
    )
    series = growing.simulate(torch.tensor([[0.0], [1.0]]), 30)
    tamed = VectorAutoregression.learn(series, order=2, centre=False, stabilise=True)
    c = 0.99 / 1.2
    expected = torch.tensor([2.2 * c, -1.2 * c * c], dtype=torch.float64)
    torch.testing.assert_close(tamed.coefficients.flatten(), expected, rtol=0, atol=1e-5)
    same = VectorAutoregression.learn(torch.randn(50, 1), order=2)
    kept = VectorAutoregression.learn(torch.randn(50, 1), order=2, stabilise=True)
    assert max(same.spectral_radius, kept.spectral_radius) < 0.99  # white noise needs no taming


def test_autoregression_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"\(T, d\)"):
        VectorAutoregression.learn(torch.zeros(5))
    with pytest.raises(ValueError, match="order is 0"):
        VectorAutoregression.learn(torch.zeros(5, 1), order=0)
    with pytest.raises(ValueError, match="at least 42"):
        VectorAutoregression.learn(torch.zeros(41, 20), order=2)
    with pytest.raises(ValueError, match="expected \\(2, 2\\)"):
        known_autoregression().simulate(torch.zeros(1, 2), 3)
    assert known_autoregression().simulate(torch.zeros(2, 2), 0).shape == (0, 2)


# --- linear dynamical system --------------------------------------------------------------------


def linear_clip(frames: int, noise: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A clip (3, T, 8, 8) that obeys a known linear system with four states, and its A."""
    a = torch.block_diag(rotation(0.98, 0.3), rotation(0.9, 1.1))
    random = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(192, 4, generator=random, dtype=torch.float64)).Q
    q = noise**2 * torch.eye(4, dtype=torch.float64)
    model = VectorAutoregression(a[None], torch.zeros(4).double(), q)
    x = model.simulate(torch.ones(1, 4), frames, seed=seed)
    return (x @ basis.T).reshape(frames, 3, 8, 8).transpose(0, 1), a


def sorted_eigenvalues(a: torch.Tensor) -> torch.Tensor:
    values = torch.linalg.eigvals(a)
    return values[values.angle().argsort()]


def test_linear_dynamics_recovers_a_known_system_up_to_similarity() -> None:
    clip, a = linear_clip(4000, noise=0.02)
    model = LinearDynamics.learn(clip, states=4)
    learned = sorted_eigenvalues(model.dynamics.coefficients[0])
    # an eigenvalue of modulus r has standard error sqrt((1 - r^2) / n) <= 0.007; four of them
    assert (learned - sorted_eigenvalues(a)).abs().max() < 0.03
    assert model.spectral_radius == pytest.approx(0.98, abs=0.03)
    basis = model.basis.flatten(0, 2)
    torch.testing.assert_close(basis.T @ basis, torch.eye(4), rtol=0, atol=1e-5)  # float32
    rebuilt = model.render(model.states)
    torch.testing.assert_close(rebuilt, clip.float(), rtol=0, atol=1e-5)


def test_linear_synthesis_has_the_covariance_of_the_closed_form() -> None:
    clip, _ = linear_clip(500, noise=0.02)
    model = LinearDynamics.learn(clip, states=4)
    video = model.synthesise(10_000, seed=3, clamp=False)[:, 500:]
    states = (video - model.mean).transpose(0, 1).flatten(1) @ model.basis.flatten(0, 2)
    expected = lyapunov(model.dynamics.coefficients[0], model.dynamics.covariance)
    # 10000 (1 - 0.98^2) = 400 independent values of the slowest pair: 5%; four of them
    assert torch.dist(torch.cov(states.T.double()), expected) < 0.2 * expected.norm()


def test_linear_synthesis_explodes_unless_stabilised() -> None:
    random = torch.Generator().manual_seed(0)
    growth = 1.05 ** torch.arange(40.0)
    rows = torch.randn(40, 192, generator=random) * growth[:, None] / growth[-1]
    rows[:, 0] = growth / growth[-1]
    clip = rows.clamp(-1, 1).T.reshape(3, 8, 8, 40).movedim(-1, 1)
    wild = LinearDynamics.learn(clip)
    tame = LinearDynamics.learn(clip, stabilise=True)
    assert wild.spectral_radius > 1 > tame.spectral_radius
    far = wild.synthesise(800, seed=0, clamp=False)[:, -1].abs().max()
    near = tame.synthesise(800, seed=0, clamp=False)[:, -1].abs().max()
    assert far > 100 > near
    assert wild.synthesise(800, seed=0).abs().max() == 1  # clamped unless told otherwise


def test_linear_dynamics_is_seeded_and_of_any_length() -> None:
    model = LinearDynamics.learn(linear_clip(60, noise=0.1)[0], states=4)
    first = model.synthesise(7, seed=5)
    assert first.shape == (3, 7, 8, 8)
    assert torch.equal(first, model.synthesise(7, seed=5))
    # a longer one begins with the shorter, up to the order in which its pictures are summed
    torch.testing.assert_close(first, model.synthesise(500, seed=5)[:, :7], rtol=0, atol=1e-6)
    assert not torch.equal(first, model.synthesise(7, seed=6))
    assert not torch.equal(first, model.synthesise(7, seed=5, start=30))


def test_linear_dynamics_of_a_pattern_that_repeats_has_no_spurious_states() -> None:
    clip = torch.rand(3, 4, 8, 8, generator=torch.Generator().manual_seed(0)).repeat(1, 8, 1, 1)
    model = LinearDynamics.learn(clip, states=20)
    forecast = model.render(model.dynamics.simulate(model.states[-1:], 8, noise=False))
    torch.testing.assert_close(forecast, clip[:, :8], rtol=0, atol=1e-4)  # float32 pictures


def test_linear_dynamics_says_what_is_wrong() -> None:
    clip = torch.zeros(3, 20, 8, 8)
    with pytest.raises(ValueError, match="20 states from 20 frames"):
        LinearDynamics.learn(clip)
    with pytest.raises(ValueError, match="no 19 states"):
        LinearDynamics.learn(torch.rand(1, 20, 3, 3), states=19)
    with pytest.raises(ValueError, match="not finite"):
        LinearDynamics.learn(clip * torch.nan)
    with pytest.raises(ValueError, match="from 0 to 19"):
        LinearDynamics.learn(clip, states=2).synthesise(3, start=20)


# --- frame-wise ABP -----------------------------------------------------------------------------

SMALL = FramewiseSettings(
    latent_channels=2,
    width=1 / 16,
    norm="none",
    slope=0.2,
    sigma=0.3,
    mean_bias=True,
    abp=Settings(iterations=150, langevin_steps=3, step_size=0.03, learning_rate=5e-3),
)


def turning_clip(frames: int = 48) -> torch.Tensor:
    """A smooth blob that goes round in 12 frames: two states suffice."""
    side = torch.linspace(-1, 1, 16)
    angle = torch.arange(frames) * (2 * math.pi / 12)
    x, y = 0.4 * angle.cos(), 0.4 * angle.sin()
    blob = torch.exp(
        -4 * ((side - x[:, None, None]) ** 2 + (side[:, None] - y[:, None, None]) ** 2)
    )
    return (1.6 * blob - 0.8).expand(3, -1, -1, -1)


def test_framewise_model_explains_its_clip_and_its_latents_are_stepped_on() -> None:
    clip = turning_clip()
    model = Framewise(clip, SMALL, seed=0).fit(progress=False)
    made = model.run.reconstruct()[0][:, :, 0].transpose(0, 1)
    floor = (clip - clip.mean(1, keepdim=True)).square().mean()
    assert (made - clip).square().mean() < 0.1 * floor
    assert model.dynamics is not None
    expected = VectorAutoregression.learn(model.latents)
    torch.testing.assert_close(model.dynamics.coefficients, expected.coefficients, rtol=0, atol=0)
    states = model.dynamics.simulate(model.latents[5:6], 4, seed=2).float()
    with torch.no_grad():
        frames = model.generator(states[:, :, None, None, None])[:, :, 0].transpose(0, 1)
    assert torch.equal(model.synthesise(4, seed=2, start=5), frames)


def test_framewise_model_is_seeded() -> None:
    short = FramewiseSettings(**{**vars(SMALL), "abp": Settings(iterations=2)})
    runs = [Framewise(turning_clip(), short, seed=s).fit(progress=False) for s in (0, 0, 1)]
    assert torch.equal(runs[0].latents, runs[1].latents)
    assert not torch.equal(runs[0].latents, runs[2].latents)
    first, again = (run.synthesise(70, seed=4) for run in runs[:2])
    assert first.shape == (3, 70, 16, 16)
    assert torch.equal(first, again)
    assert not torch.equal(first, runs[0].synthesise(70, seed=5))


def test_framewise_model_of_higher_order_follows_the_frames_before_its_start() -> None:
    second = FramewiseSettings(**{**vars(SMALL), "order": 2, "abp": Settings(iterations=1)})
    model = Framewise(turning_clip(), second).fit(progress=False)
    assert model.synthesise(3, start=1).shape == (3, 3, 16, 16)
    with pytest.raises(ValueError, match="from 1 to 47"):
        model.synthesise(3, start=0)


def test_framewise_model_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="at least 21"):
        Framewise(torch.zeros(3, 20, 32, 32))
    with pytest.raises(ValueError, match="multiples of 16"):
        Framewise(torch.zeros(3, 30, 30, 32))
    with pytest.raises(ValueError, match=r"\(C, T, H, W\)"):
        Framewise(torch.zeros(30, 32, 32))
    with pytest.raises(ValueError, match="call fit"):
        Framewise(torch.zeros(3, 30, 32, 32)).synthesise(3)


# --- 3D GAN -------------------------------------------------------------------------------------

MEAN, SPREAD = 0.3, 0.15


def small_judge() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(1, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2),
        nn.Linear(32, 1), nn.Flatten(0),
    )  # fmt: skip


def test_gan_moves_its_generator_to_the_data() -> None:
    data = MEAN + SPREAD * torch.randn(2000, 1, generator=torch.Generator().manual_seed(0))
    generator = LinearGenerator(torch.tensor([[0.6]]), torch.tensor([-0.4]))
    settings = GANSettings(iterations=1500, learning_rate=2e-3, batch_size=128)
    history = GAN(generator, data.clamp(-1, 1), (1,), settings, 0, small_judge()).fit(
        progress=False
    )
    # the game circles its equilibrium; half a standard deviation and a factor of 1.5 hold it apart
    # from the start, where the mean was five standard deviations off and the spread four times it
    assert float(generator.offset.detach()) == pytest.approx(MEAN, abs=0.5 * SPREAD)
    assert SPREAD / 1.5 < abs(float(generator.loading.detach())) < 1.5 * SPREAD
    last = history[-200:]
    # at the equilibrium the discriminator can only guess
    assert sum(r["fake"] for r in last) / 200 == pytest.approx(0.5, abs=0.1)
    assert sum(r["discriminator"] for r in last) / 200 == pytest.approx(2 * math.log(2), abs=0.15)
    assert len(history) == 1500


def videos(n: int = 6, size: int = 16) -> torch.Tensor:
    return torch.rand(n, 3, 16, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def small_gan(seed: int = 0, iterations: int = 3) -> GAN:
    torch.manual_seed(0)
    generator = Model3(4, frame_size=(32, 32), frames=16, width=1 / 64)
    settings = GANSettings(iterations=iterations, batch_size=4, width=1 / 16)
    return GAN(generator, videos(size=32), (4, 1, 1, 1), settings, seed)


def test_gan_is_seeded_and_changes_both_networks() -> None:
    runs = [small_gan(seed) for seed in (0, 0, 1)]
    assert runs[0].discriminator is not None
    before = [p.clone() for p in (*runs[0].generator.parameters(), *runs[0]._judge.parameters())]
    histories = [run.fit(progress=False) for run in runs]
    assert histories[0] == histories[1] != histories[2]
    after = (*runs[0].generator.parameters(), *runs[0]._judge.parameters())
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_gan_does_not_depend_on_the_global_seed() -> None:
    runs = []
    for seed in (3, 4):
        run = small_gan(iterations=1)
        torch.manual_seed(seed)
        runs.append(run.fit(progress=False))
    assert runs[0] == runs[1]


@pytest.mark.parametrize("model", [Model2(4, frame_size=(32, 32), width=1 / 64), None])
def test_a_gans_generator_serves_langevin_and_synthesis(model: Model2 | None) -> None:
    generator = model or Model3(4, frame_size=(32, 32), frames=16, width=1 / 64)
    shape = generator.latent_shape(16, 32, 32)
    data = videos(size=32)
    GAN(generator, data, shape, GANSettings(iterations=1, width=1 / 64)).fit(progress=False)
    assert synthesise(generator, shape, n=2).shape == (2, 3, 16, 32, 32)
    assert all(p.requires_grad for p in generator.parameters())
    view = View(generator, data[:2], weight=1 / 16)
    z = torch.zeros(2, *shape)
    found = langevin(lambda z: energy(z, view), z, steps=2, step_size=0.05)
    assert torch.isfinite(found).all()
    assert not torch.equal(found, z)


def test_the_discriminator_mirrors_the_generator() -> None:
    judge = Discriminator((32, 64, 48), width=1 / 8, norm="sequence")
    assert judge(torch.zeros(3, 3, 32, 64, 48)).shape == (3,)
    convolutions = [m for m in judge if isinstance(m, nn.Conv3d)]
    assert [c.out_channels for c in convolutions] == [8, 16, 32, 64, 1]
    assert [c.stride for c in convolutions] == [(2, 2, 2)] * 4 + [(1, 1, 1)]
    assert convolutions[-1].kernel_size == (2, 4, 3)
    for norm in ("batch", "sequence", "none"):  # one place is left: still as many logits
        assert Discriminator((16, 16, 16), width=1 / 16, norm=norm)(videos()).shape == (6,)


def test_gan_says_what_is_wrong() -> None:
    generator = Model3(4, frame_size=(32, 32), frames=16, width=1 / 64)
    with pytest.raises(ValueError, match="choose the latent with latent_shape"):
        GAN(generator, videos(), (4, 1, 1, 1))
    with pytest.raises(ValueError, match="scale it"):
        GAN(generator, 2 * videos(size=32), (4, 1, 1, 1))
    with pytest.raises(ValueError, match="multiples of 16"):
        Discriminator((16, 20, 16))
    with pytest.raises(ValueError, match="norm is 'pixel'"):
        Discriminator((16, 16, 16), norm="pixel")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="batch_size is 0"):
        GANSettings(batch_size=0)
    with pytest.raises(ValueError, match="iterations is -1"):
        GANSettings(iterations=-1)


def test_gan_notices_that_it_diverged() -> None:
    run = small_gan()
    with torch.no_grad():
        next(run._judge.parameters()).fill_(torch.nan)
    with pytest.raises(DivergenceError, match="lower learning_rate"):
        run.iterate()
