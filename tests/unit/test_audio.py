"""The audio generator, and its fast layers."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from abplib import ABP, AudioGenerator, Model3, Settings, View
from abplib.generators import BatchNorm1d
from abplib.kernels import SoundDeconvolution, accelerate, is_sound
from abplib.posterior import frozen


def test_the_paper_size_has_the_notes_shape_and_weights():
    g = AudioGenerator(100)
    sizes = [(m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0], m.padding[0])
             for m in g.modules() if isinstance(m, nn.ConvTranspose1d)]  # fmt: skip
    assert sizes == [
        (100, 512, 48, 1, 0),
        (512, 256, 20, 10, 5),
        (256, 128, 20, 10, 5),
        (128, 1, 20, 10, 5),
    ]
    assert g(torch.zeros(1, 100, 1, 1, 1)).shape == (1, 1, 48000)
    assert [m for m in g.modules() if isinstance(m, BatchNorm1d)]


@pytest.mark.parametrize("samples", [8000, 16000, 48000])
@pytest.mark.parametrize("norm", ["batch", "sequence", "none"])
def test_every_rate_and_norm_makes_sound_in_range(samples, norm):
    torch.manual_seed(0)
    g = AudioGenerator(5, samples=samples, width=1 / 32, norm=norm, slope=0.2)
    z = torch.randn(3, *g.latent_shape(samples))
    sound = g(z)
    assert sound.shape == (3, 1, samples)
    assert sound.abs().max() < 1
    assert sound.std() > 1e-4
    assert torch.equal(sound, g(z.flatten(1)))  # (N, d) is the same latent


def test_the_scale_is_kept_through_the_layers_without_norm():
    torch.manual_seed(0)
    g = AudioGenerator(20, samples=16000, norm="none", slope=0.2, width=0.5)
    hidden = g.tenfold(g.top(torch.randn(4, 20, 1)))
    assert 0.5 < hidden.square().mean().sqrt() < 2  # He's variance: 1 up to chance


def test_sequences_have_their_own_statistics_and_batches_share_theirs():
    torch.manual_seed(0)
    z = torch.randn(4, 5, 1, 1, 1)
    own = AudioGenerator(5, samples=2000, width=1 / 32, norm="sequence")
    shared = AudioGenerator(5, samples=2000, width=1 / 32, norm="batch")
    with frozen(own, shared):
        assert torch.allclose(own(z)[:1], own(z[:1]), atol=1e-6)
        assert not torch.allclose(shared(z)[:1], shared(z[:2])[:1], atol=1e-6)


def test_running_statistics_stay_while_chains_run():
    g = AudioGenerator(5, samples=2000, width=1 / 32)
    norm = next(m for m in g.modules() if isinstance(m, BatchNorm1d))
    with frozen(g):
        g(torch.randn(4, 5, 1))
    assert torch.equal(norm.running_mean, torch.zeros_like(norm.running_mean))
    g(torch.randn(4, 5, 1))
    assert not torch.equal(norm.running_mean, torch.zeros_like(norm.running_mean))


@pytest.mark.parametrize("sample_bias", [False, True])
def test_the_output_bias_starts_at_the_mean(sample_bias):
    g = AudioGenerator(5, samples=1000, width=1 / 32, sample_bias=sample_bias)
    nn.init.zeros_(g.last.weight)
    sound = torch.rand(6, 1, 1000, generator=torch.Generator().manual_seed(0)) * 0.5
    g.start_at_mean(sound)
    expected = sound.mean(0) if sample_bias else sound.mean()
    assert torch.allclose(g(torch.zeros(2, 5))[0], expected.expand(1, 1000), atol=1e-5)


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match="multiples of 1000"):
        AudioGenerator(5, samples=44100)
    with pytest.raises(ValueError, match="expected one of 'batch', 'sequence', 'none'"):
        AudioGenerator(5, samples=1000, norm="group")  # type: ignore[arg-type]
    g = AudioGenerator(5, samples=1000, width=1 / 32)
    with pytest.raises(ValueError, match="one vector a sound"):
        g(torch.zeros(2, 5, 2))
    with pytest.raises(ValueError, match="samples=2000"):
        g.latent_shape(2000)


def test_two_views_learn_from_one_latent():
    torch.manual_seed(0)
    video = Model3(4, frames=16, frame_size=(16, 16), width=1 / 64, norm="none", slope=0.2)
    audio = AudioGenerator(4, samples=1000, width=1 / 32, norm="none", slope=0.2)
    level = torch.tensor([-0.4, 0.1, 0.5])
    data = [
        level.reshape(3, *[1] * n).expand(3, *s) for n, s in ((4, (3, 16, 16, 16)), (2, (1, 1000)))
    ]
    run = ABP(
        [View(video, data[0]), View(audio, data[1])],
        video.latent_shape(16, 16, 16),
        Settings(iterations=60, langevin_steps=2, step_size=0.01, learning_rate=2e-3),
    )
    history = run.fit(progress=False)
    assert history[-1]["error"] < 0.5 * history[0]["error"]


LAYERS = [(8, 3, 20, 10, 5, True), (8, 1, 20, 10, 5, False), (5, 4, 8, 4, 2, True)]


@pytest.mark.parametrize("shape", LAYERS)
@pytest.mark.parametrize("length", [1, 7])
def test_the_fast_layer_equals_the_plain_one_with_its_gradients(shape, length):
    torch.manual_seed(0)
    *sizes, bias = shape
    plain = nn.ConvTranspose1d(*sizes, bias=bias)
    fast = SoundDeconvolution(plain)
    x = torch.randn(3, sizes[0], length, requires_grad=True)
    outputs = plain(x), fast(x)
    # Sums of at most 2 x 8 products of order one, in float32.
    assert torch.allclose(*outputs, atol=1e-5)
    seed = torch.randn_like(outputs[0])
    wanted = [x, *plain.parameters()]
    gradients = [torch.autograd.grad(y, wanted, seed) for y in outputs]
    for a, b in zip(*gradients, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        assert torch.equal(fast(x.double().float()), fast(x))
    double = copy.deepcopy(plain).double()
    assert torch.equal(SoundDeconvolution(double)(x.double()), double(x.double()))


def test_accelerate_swaps_the_layers_and_keeps_weights_and_results():
    torch.manual_seed(0)
    plain = AudioGenerator(5, samples=4000, width=1 / 16, norm="sequence", slope=0.2)
    fast = accelerate(copy.deepcopy(plain))
    swapped = [m for m in fast.modules() if isinstance(m, SoundDeconvolution)]
    assert swapped == [fast.last]
    assert list(fast.state_dict()) == list(plain.state_dict())
    z = torch.randn(2, 5, 1, 1, 1)
    assert torch.allclose(fast(z), plain(z), atol=1e-5)
    again = accelerate(fast)
    assert [m for m in again.modules() if isinstance(m, SoundDeconvolution)] == swapped


def test_layers_of_another_form_are_refused():
    odd, wide = nn.ConvTranspose1d(4, 1, 20, 10, 4), nn.ConvTranspose1d(4, 64, 20, 10, 5)
    assert not is_sound(odd)
    assert not is_sound(wide)  # the plain form is the faster one
    with pytest.raises(ValueError, match="twice the stride"):
        SoundDeconvolution(odd)
