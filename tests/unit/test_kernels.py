"""The fast forms compute what the plain layers compute: outputs and both gradients.

Tolerances: a layer adds up 8 products a channel in another order. In float32 the difference is a
few roundings (6e-8 each) of sums of up to 8 * 64 terms of size one, so a few 1e-5 of the largest
value. The float64 result is compared with both, so that neither counts as the truth.
"""

import pytest
import torch
from torch import nn

from abplib import ABP, Model1, Model2, Model3, Settings, View, curvature, energy
from abplib.kernels import ThinDeconvolution, accelerate, is_thin

PADDINGS = [(1, 1, 1), (2, 1, 1), (2, 2, 2), (1, 2, 1)]
SIZES = [(4, 4, 4), (5, 3, 7), (3, 9, 4), (18, 16, 16)]


def layers(inputs: int, outputs: int, padding) -> tuple[nn.ConvTranspose3d, ThinDeconvolution]:
    torch.manual_seed(0)
    plain = nn.ConvTranspose3d(inputs, outputs, 4, 2, padding, bias=False)
    nn.init.normal_(plain.weight, 0, 0.1)
    return plain, ThinDeconvolution(plain)


def with_gradients(layer, x, weight):
    """Output, and gradients with respect to input and weight, of one random projection of it."""
    x = x.detach().requires_grad_()
    y = layer(x)
    torch.manual_seed(1)
    direction = torch.randn(y.shape).to(y.dtype)
    return y.detach(), *torch.autograd.grad((y * direction).sum(), (x, weight))


def close(a, b):
    return torch.allclose(a.double(), b.double(), rtol=0, atol=2e-5 * float(b.abs().max()))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_thin_layer_equals_plain_layer(padding, size, n):
    plain, thin = layers(16, 3, padding)
    torch.manual_seed(2)
    x = torch.randn(n, 16, *size)
    ours = with_gradients(thin, x, thin.weight)
    theirs = with_gradients(plain, x, plain.weight)
    exact = nn.ConvTranspose3d(16, 3, 4, 2, padding, bias=False).double()
    exact.load_state_dict(plain.state_dict())
    truth = with_gradients(exact, x.double(), exact.weight)
    assert ours[0].is_contiguous() or ours[0].shape == theirs[0].shape
    for a, b, c in zip(ours, theirs, truth, strict=True):
        assert a.shape == b.shape
        assert close(a, c)
        assert close(b, c)


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (4, 1), (64, 3), (7, 8)])
def test_other_numbers_of_channels(inputs, outputs):
    plain, thin = layers(inputs, outputs, (2, 1, 1))
    x = torch.randn(2, inputs, 5, 6, 7)
    for a, b in zip(
        with_gradients(thin, x, thin.weight), with_gradients(plain, x, plain.weight), strict=True
    ):
        assert close(a, b)


def test_the_fast_form_runs_and_the_fallbacks_do_not_use_it():
    """The graph names the function that made a result, so the test sees which form ran."""
    plain, thin = layers(8, 3, 1)
    x = torch.randn(1, 8, 3, 4, 5, requires_grad=True)
    assert "Thin" in thin(x).grad_fn.name()
    double = ThinDeconvolution(plain.double())
    assert "Thin" not in double(x.double()).grad_fn.name()
    _, thin = layers(8, 3, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert thin(x).dtype == torch.bfloat16
    unbatched = thin(x[0])
    assert torch.allclose(unbatched, thin(x)[0], atol=1e-6)  # two forms, sums of 64 terms near 0.1


def test_one_layer_is_what_it_says():
    """Not strided, transposed or channels-last input changes the result."""
    plain, thin = layers(16, 3, (2, 1, 1))
    x = torch.randn(2, 16, 5, 6, 7)
    for form in (
        x.to(memory_format=torch.channels_last_3d),
        x.transpose(3, 4).contiguous().transpose(3, 4),
        x[:, :, 1:],
    ):
        assert close(thin(form).detach(), plain(form.contiguous()).detach())


@pytest.mark.parametrize(
    "layer",
    [
        nn.ConvTranspose3d(16, 3, 4, 2, 1),
        nn.ConvTranspose3d(16, 9, 4, 2, 1, bias=False),
        nn.ConvTranspose3d(16, 3, 3, 2, 1, bias=False),
        nn.ConvTranspose3d(16, 3, 4, 1, 1, bias=False),
        nn.ConvTranspose3d(16, 3, 4, 2, 0, bias=False),
        nn.ConvTranspose3d(16, 3, 4, 2, 3, bias=False),
        nn.ConvTranspose3d(4, 4, 4, 2, 1, groups=2, bias=False),
        nn.ConvTranspose3d(4, 4, 4, 2, 1, output_padding=1, bias=False),
        nn.Conv3d(16, 3, 4, 2, 1, bias=False),
    ],
)
def test_layers_without_a_thin_form_are_refused(layer):
    assert not is_thin(layer)
    with pytest.raises(ValueError, match="has no thin form; expected kernel 4"):
        ThinDeconvolution(layer)


GENERATORS = {
    "model1-valid": (lambda: Model1(2, width=1 / 16, padding="valid"), (2, 3, 4, 3)),
    "model1-same": (lambda: Model1(2, width=1 / 16, padding="same"), (2, 1, 2, 1)),
    "model2-valid": (lambda: Model2(3, frame_size=(32, 48), time_kernel=3, width=1 / 16), None),
    "model2-same": (lambda: Model2(3, frame_size=(32, 48), width=1 / 16, padding="same"), None),
    "model3": (lambda: Model3(5, frame_size=(32, 32), width=1 / 16), (5, 1, 1, 1)),
}


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("n", [1, 3])
def test_accelerated_generator_equals_plain_generator(name, n):
    make, shape = GENERATORS[name]
    torch.manual_seed(0)
    plain = make()
    # Weights of a size at which tanh is neither 0 nor 1: else a wrong layer would not show.
    nn.init.normal_(plain.last.weight, 0, 0.1)
    torch.manual_seed(0)
    fast = make()
    fast.load_state_dict(plain.state_dict())
    before = list(fast.parameters())
    assert accelerate(fast) is fast
    assert isinstance(fast.last, ThinDeconvolution)
    assert all(a is b for a, b in zip(fast.parameters(), before, strict=True))
    assert list(fast.state_dict()) == list(plain.state_dict())
    shape = shape or plain.latent_shape(16, 32, 48)
    z = torch.randn(n, *shape)
    data = torch.zeros_like(plain(z))
    assert torch.allclose(fast(z), plain(z), atol=1e-5)  # values in (-1, 1); see the head
    results = []
    for generator in (fast, plain):
        latent = z.clone().requires_grad_()
        loss = energy(latent, View(generator, data)).sum()
        results.append(torch.autograd.grad(loss, [latent, *generator.parameters()]))
    for a, b in zip(*results, strict=True):
        # The last layer's rounding (1e-6) passes through up to five normalised layers, each of
        # which may amplify it some times; a wrong gradient is wrong by its own size.
        assert (a - b).norm() <= 1e-3 * b.norm() + 1e-6


def test_accelerating_twice_changes_nothing_more():
    generator = accelerate(Model2(width=1 / 32))
    last = generator.last
    assert accelerate(generator).last is last


def test_second_derivatives_go_through():
    """`curvature` needs the Hessian: compare with the plain generator's, in float32."""
    make, _ = GENERATORS["model2-valid"]
    torch.manual_seed(0)
    plain = make()
    nn.init.normal_(plain.last.weight, 0, 0.1)
    fast = make()
    fast.load_state_dict(plain.state_dict())
    accelerate(fast)
    z = torch.randn(1, *plain.latent_shape(16, 32, 48))
    data = torch.zeros(1, 3, 16, 32, 48)
    views = [View(g, data, weight=1 / 16) for g in (fast, plain)]
    a, b = (curvature(lambda y, v=v: energy(y, v), z) for v in views)
    assert torch.allclose(a, b, rtol=1e-2)  # power iteration amplifies rounding between close modes
    assert b.abs() > 1  # of largest magnitude: it may be negative away from a minimum


def test_run_with_the_fast_layer_follows_the_plain_run():
    histories = []
    for form in (accelerate, lambda g: g):
        torch.manual_seed(0)
        network = form(Model2(3, frame_size=(16, 16), time_kernel=1, width=1 / 32))
        data = torch.rand(1, 3, 16, 16, 16) - 0.5
        shape = network.latent_shape(16, 16, 16)
        run = ABP([View(network, data, weight=1 / 16)], shape, Settings(5, 3))
        histories.append([record["error"] for record in run.fit(progress=False)])
    # Five iterations let rounding grow a little; a wrong gradient would part them at once.
    assert histories[0] == pytest.approx(histories[1], rel=1e-3)
