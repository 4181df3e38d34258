"""Eq. 2: View and energy()."""

import math

import pytest
import torch

from abplib.generators import LinearGenerator, Model2
from abplib.langevin import langevin
from abplib.posterior import View, energy, frozen


def linear(rows: int = 5, d: int = 3, seed: int = 0) -> LinearGenerator:
    source = torch.Generator().manual_seed(seed)
    return LinearGenerator(torch.randn(rows, d, generator=source, dtype=torch.float64))


def model(norm: str = "sequence") -> Model2:
    torch.manual_seed(0)
    return Model2(4, width=1 / 32, frame_size=(16, 16), time_kernel=3, norm=norm)


def test_energy_is_the_negative_log_joint_up_to_a_constant():
    g, sigma = linear(), 0.7
    z, x = torch.randn(4, 3, dtype=torch.float64), torch.rand(4, 5, dtype=torch.float64)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    likelihood = torch.distributions.Normal(g(z), sigma).log_prob(x).sum(1)
    constant = 4 * math.log(math.sqrt(2 * math.pi)) * 2 + 5 * math.log(sigma)
    expected = -(prior + likelihood) - constant
    torch.testing.assert_close(energy(z, View(g, x, sigma=sigma)), expected)  # fp64 default


def test_views_add_and_weights_multiply():
    a, b = linear(seed=1), linear(rows=2, seed=2)
    z = torch.randn(4, 3, dtype=torch.float64)
    x, y = torch.rand(4, 5, dtype=torch.float64), torch.rand(4, 2, dtype=torch.float64)
    prior = 0.5 * z.square().sum(1)
    one, two = View(a, x, weight=0.25), View(b, y, sigma=2.0)
    apart = (energy(z, one) - prior) + (energy(z, two) - prior) + prior
    torch.testing.assert_close(energy(z, one, two), apart)
    by_hand = prior + 0.25 * (x - a(z)).square().sum(1) / 2 + (y - b(z)).square().sum(1) / 8
    torch.testing.assert_close(energy(z, one, two), by_hand)


@pytest.mark.parametrize("junk", [0.9, -1e30, float("nan"), float("inf")])
def test_occluded_pixels_have_no_influence_whatever(junk):
    """Neither on the energy, nor its gradients, nor a whole chain: equal bit for bit."""
    g = model()
    clean = torch.rand(2, 3, 16, 16, 16) * 2 - 1
    observed = torch.rand(2, 1, 16, 16, 16) > 0.4
    spoiled = torch.where(observed, clean, torch.tensor(junk))
    z = torch.randn(2, *g.latent_shape(16, 16, 16))
    results = []
    for data in (clean, spoiled):
        view = View(g, data, observed)
        start = z.clone().requires_grad_()
        value = energy(start, view)
        weights = list(g.parameters())
        gradients = torch.autograd.grad(value.sum(), [start, *weights])
        chain = langevin(
            lambda z, view=view: energy(z, view),
            z,
            steps=3,
            step_size=0.05,
            generator=torch.Generator().manual_seed(1),
        )
        results.append([value.detach(), *gradients, chain])
    for a, b in zip(*results, strict=True):
        assert torch.isfinite(a).all()
        assert torch.equal(a, b)


@pytest.mark.parametrize("norm", ["sequence", "none"])
def test_energy_of_one_example_does_not_depend_on_its_batch_mates(norm):
    g = model(norm).double()
    x = torch.rand(3, 3, 16, 16, 16, dtype=torch.float64)
    z = torch.randn(3, *g.latent_shape(16, 16, 16), dtype=torch.float64)
    together = energy(z, View(g, x))
    alone = energy(z[:1], View(g, x[:1]))
    # fp64; a batch may be summed in another order, which costs rounding only.
    torch.testing.assert_close(together[:1], alone, rtol=1e-12, atol=0)


def test_batch_norm_in_training_mode_couples_the_chains_and_in_evaluation_mode_does_not():
    g = model("batch").double()
    x = torch.rand(3, 3, 16, 16, 16, dtype=torch.float64)
    z = torch.randn(3, *g.latent_shape(16, 16, 16), dtype=torch.float64)
    gaps = []
    for mode in (True, False):
        g.train(mode)
        with frozen(g):
            together, alone = energy(z, View(g, x))[0], energy(z[:1], View(g, x[:1]))[0]
        gaps.append(float((together - alone).abs() / alone))
    assert gaps[0] > 1e-6
    assert gaps[1] < 1e-12


def test_frozen_leaves_no_gradient_and_no_trace_in_running_statistics():
    g = model("batch").train()
    before = {k: v.clone() for k, v in g.state_dict().items()}
    view = View(g, torch.rand(2, 3, 16, 16, 16))
    z = torch.randn(2, *g.latent_shape(16, 16, 16))
    with frozen(view):
        assert not any(p.requires_grad for p in g.parameters())
        langevin(lambda z: energy(z, view), z, steps=4, step_size=0.02)
    assert all(p.requires_grad and p.grad is None for p in g.parameters())
    after = g.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)
    g(z)  # outside the block the statistics move again, so the test above can fail
    assert not torch.equal(before["doubling.0.1.running_mean"], g.doubling[0][1].running_mean)


def test_frozen_restores_what_was_frozen_before():
    g = model()
    g.bias.requires_grad_(False)
    with pytest.raises(RuntimeError, match="inside"), frozen(g):
        raise RuntimeError("inside")
    assert not g.bias.requires_grad
    assert g.last.weight.requires_grad


def test_select_takes_the_mask_along():
    data, observed = torch.rand(3, 2, 4), torch.rand(3, 1, 4) > 0.2
    observed[:, :, 0] = True
    view = View(torch.nn.Identity(), data, observed)
    picked = view.select(torch.tensor([2, 0]))
    assert torch.equal(picked.observed, observed[[2, 0]])
    assert torch.equal(picked.data, view.data[[2, 0]])
    shared = View(torch.nn.Identity(), data, observed[:1]).select(torch.tensor([1]))
    assert torch.equal(shared.observed, observed[:1])


BAD = torch.zeros(2, 3)
NAN = torch.tensor([[0.0, float("nan")]])


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: View(model(), BAD.long()), TypeError, "expected floating point"),
        (lambda: View(model(), torch.zeros(3)), ValueError, "expected (N, C, ...)"),
        (lambda: View(model(), torch.zeros(0, 3)), ValueError, "expected (N, C, ...)"),
        (lambda: View(model(), NAN), ValueError, "NaN or infinity"),
        (lambda: View(model(), 255 * torch.ones(1, 3)), ValueError, "expected [-1, 1]"),
        (lambda: View(model(), BAD, sigma=0.0), ValueError, "above zero"),
        (lambda: View(model(), BAD, weight=-1.0), ValueError, "above zero"),
        (lambda: View(model(), BAD, BAD), TypeError, "expected bool"),
        (lambda: View(model(), BAD, torch.ones(2, 4).bool()), ValueError, "does not broadcast"),
        (
            lambda: View(model(), BAD, torch.tensor([[True], [False]])),
            ValueError,
            "example 1 has no observed pixel",
        ),
        (
            lambda: energy(torch.zeros(2, 3), View(torch.nn.Identity(), torch.zeros(2, 4))),
            ValueError,
            "the generator makes (2, 3) but the data is (2, 4)",
        ),
    ],
)
def test_errors_say_what_to_do(make, kind, message):
    with pytest.raises(kind) as error:
        make()
    assert message in str(error.value)
