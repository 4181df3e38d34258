"""Mirror encoders: shapes for every generator, what a hidden pixel does, what they start at."""

import pytest
import torch
from torch import nn

from abplib.generators import AudioGenerator, LinearGenerator, Model1, Model2, Model3
from abplib.inference_nets import Encoder, GaussianEncoder, SamePlane
from abplib.kernels import accelerate

SMALL = {"width": 1 / 32}


def generators():
    yield Model1(2, **SMALL), (32, 32, 48)
    yield Model1(2, padding="same", **SMALL), (32, 32, 48)
    yield Model2(4, frame_size=(32, 48), time_kernel=3, **SMALL), (48, 32, 48)
    yield Model2(4, frame_size=(32, 48), padding="same", **SMALL), (48, 32, 48)
    yield Model3(5, frame_size=(32, 48), frames=32, **SMALL), (32, 32, 48)
    yield Model3(5, frame_size=(32, 48), frames=16, padding="valid", **SMALL), (16, 32, 48)
    yield accelerate(Model3(5, frame_size=(32, 32), frames=16, norm="none", **SMALL)), (16, 32, 32)


@pytest.mark.parametrize(("generator", "size"), list(generators()))
@pytest.mark.parametrize("norm", ["batch", "sequence", "layer", "none"])
def test_the_mirror_of_every_generator_makes_its_latent(generator, size, norm):
    video = torch.rand(2, 3, *size) * 2 - 1
    latent = (2, *generator.latent_shape(*size))
    assert Encoder(generator, norm=norm)(video).shape == latent
    seen = torch.rand(2, 1, *size) > 0.5
    encoder = GaussianEncoder(generator, norm=norm, mask_channel=True)
    mean, log_variance = encoder(video, seen)
    assert mean.shape == log_variance.shape == latent
    assert torch.equal(log_variance, torch.zeros(latent))  # at first q's variance is the prior's
    assert mean.abs().max() > 0


def test_the_mirror_of_the_audio_generator_makes_its_latent():
    generator = AudioGenerator(5, samples=3000, width=1 / 32)
    mean, log_variance = GaussianEncoder(generator, mask_channel=True)(torch.zeros(2, 1, 3000))
    assert mean.shape == log_variance.shape == (2, *generator.latent_shape(3000))
    assert Encoder(generator)(torch.zeros(2, 1, 3000)).shape == mean.shape


def test_layers_are_the_generators_in_reverse():
    generator = Model3(20, width=0.25, norm="none", slope=0.2)
    there = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose3d)]
    back = [m for m in Encoder(generator).layers if isinstance(m, nn.Conv3d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size, c.stride) for c in back] == [
        (d.out_channels, d.in_channels, d.kernel_size, d.stride) for d in reversed(there)
    ]
    activations = [m for m in Encoder(generator).layers if isinstance(m, nn.LeakyReLU)]
    assert len(activations) == len(back) - 1  # none after the latent
    assert all(m.negative_slope == 0.2 for m in activations)


def test_hidden_pixels_have_no_influence_and_equal_the_centre():
    generator = Model3(4, frame_size=(32, 32), frames=16, frame_bias=True, **SMALL)
    video = torch.rand(3, 3, 16, 32, 32, generator=torch.Generator().manual_seed(0)) - 0.5
    generator.start_at_mean(video)
    seen = torch.rand(3, 1, 16, 32, 32, generator=torch.Generator().manual_seed(1)) > 0.5
    centre = torch.tanh(generator.bias.detach())[None].expand_as(video)
    for mask_channel in (False, True):
        encoder = Encoder(generator, mask_channel=mask_channel)
        code = encoder(video, seen)
        nothing = torch.where(seen, video, torch.full((), torch.nan))
        assert torch.equal(encoder(nothing, seen), code)
        filled = torch.where(seen, video, centre)
        same = torch.allclose(encoder(filled), code, atol=1e-6)
        assert same is not mask_channel  # only the mask channel tells hidden from mean
        code.sum().backward()
        assert all(torch.isfinite(p.grad).all() for p in encoder.parameters())


def test_the_linear_mirror_can_be_the_exact_posterior_mean():
    """With V = L^-1 A' / sigma^2 a linear mirror is the posterior mean, the offset taken off."""
    torch.manual_seed(0)
    loading, offset = torch.randn(6, 2).double(), torch.randn(6).double()
    x, sigma = torch.randn(5, 6).double(), 0.5
    encoder = Encoder(LinearGenerator(loading, offset))
    precision = torch.eye(2) + loading.T @ loading / sigma**2
    with torch.no_grad():
        encoder.layers[0].weight.copy_(torch.linalg.solve(precision, loading.T) / sigma**2)
    expected = (x - offset) @ loading @ torch.linalg.inv(precision) / sigma**2
    torch.testing.assert_close(encoder(x), expected)
    seen = torch.rand(5, 6) > 0.5
    assert Encoder(LinearGenerator(loading), mask_channel=True)(x, seen).shape == (5, 2)


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 2, 3), (2, 4, 4), (3, 8, 2)])
@pytest.mark.parametrize(("kernel", "padding"), [((1, 7, 7), (0, 3, 3)), ((3, 7, 7), (2, 3, 3))])
def test_idle_taps_change_nothing(size, kernel, padding):
    layer = SamePlane(2, 3, kernel, 1, padding).double()
    x = torch.randn(2, 2, *size, dtype=torch.float64, requires_grad=True)
    results = []
    for forward in (layer.forward, lambda x: nn.Conv3d.forward(layer, x)):
        made = forward(x)
        wanted = [x, *layer.parameters()]
        results.append([made, *torch.autograd.grad(made.square().sum(), wanted)])
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain)


def test_weights_follow_the_seed_alone():
    generator = Model3(4, frame_size=(16, 16), frames=16, **SMALL)
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    a, b, c = (Encoder(generator, seed=s).layers[0].weight for s in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_scale_survives_the_layers():
    """He's variance: the guess of a video of unit contrast has about the latent's size."""
    generator = Model3(50, frame_size=(32, 32), frames=16, width=0.25)
    video = torch.randn(20, 3, 16, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        rms = float(Encoder(generator)(video).square().mean().sqrt())
    assert 0.05 < rms < 3  # zeros around a 2 x 2 plane cost most of it


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match="norm is 'pixel'"):
        Encoder(Model1(**SMALL), norm="pixel")
    with pytest.raises(ValueError, match="no chain of deconvolutions"):
        Encoder(nn.Linear(2, 3))
    with pytest.raises(ValueError, match="expected bool"):
        Encoder(LinearGenerator(torch.eye(2)))(torch.zeros(1, 2), torch.ones(1, 2))
