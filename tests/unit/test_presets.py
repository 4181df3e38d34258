"""Presets name every number, and a run made from one depends on nothing else."""

from dataclasses import fields, replace

import pytest
import torch

from abplib import Settings, presets
from abplib.data import patterns
from abplib.kernels import ThinDeconvolution

CI = presets.MODEL2["ci"]


def test_every_setting_is_named():
    """A setting that a preset did not name would fall back on a default in silence."""
    assert {f.name for f in fields(Settings)} - {"noise"} <= {f.name for f in fields(CI)}
    for preset in presets.MODEL2.values():
        settings = preset.settings()
        assert settings.noise
        for f in fields(Settings):
            assert f.name == "noise" or getattr(settings, f.name) == getattr(preset, f.name)


def test_paper_is_the_paper():
    """Section 4.1: 500 iterations, l = 20, delta = 0.1, Adam at 2e-4 with beta1 0.5, d = 20."""
    paper = presets.MODEL2["paper"]
    assert paper.differs_from_paper() == {}
    assert paper.settings() == Settings(500, 20, 0.1, 2e-4, 0.5)
    network = paper.generator()
    assert network.latent_shape(64, 64, 64) == (20, 4, 1, 1)
    assert not torch.nn.Module.state_dict(network)["bias"].any()


def test_differences_are_declared():
    for name in ("ci", "quick", "book"):
        preset = presets.MODEL2[name]
        for field, (ours, papers) in preset.differs_from_paper().items():
            assert ours == getattr(preset, field) != papers


def test_run_is_ready_and_follows_from_its_seed():
    clip = patterns.fire(CI.clip_frames)
    torch.manual_seed(5)
    run = CI.start(clip, seed=1)
    view = run.views[0]
    assert isinstance(view.generator.last, ThinDeconvolution)
    assert torch.equal(view.data[1], clip[:, CI.offsets[1] :][:, : CI.frames])
    assert (view.weight, view.sigma) == (1 / CI.frames, 1.0)
    # The output starts at the mean frame: tanh undoes atanh, except where it was clamped at 0.97.
    mean = view.data.mean((0, 2)).clamp(-0.97, 0.97)
    assert torch.allclose(torch.tanh(view.generator.bias[:, 0]), mean, atol=1e-5)
    state = torch.random.get_rng_state()
    again = CI.start(clip, seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)  # the caller's stream is left alone
    other = CI.start(clip, seed=2)
    weights = [r.views[0].generator.last.weight for r in (run, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert torch.equal(run.z, again.z)
    assert not torch.equal(weights[0], weights[2])


def test_clip_too_short():
    with pytest.raises(ValueError, match=rf"T at least {CI.clip_frames}: take more frames"):
        CI.start(torch.zeros(3, CI.clip_frames - 1, 64, 64))


def test_model3_starts_at_components_as_far_as_there_are_any():
    preset = replace(presets.MODEL3["ci"], components=True, latent_channels=6)
    random = torch.Generator().manual_seed(0)
    clips = torch.rand(4, 3, preset.frames, preset.size, preset.size, generator=random) * 2 - 1
    z = preset.start(clips).z.flatten(1)
    # Three components of four clips: whitened, so orthogonal and of unit variance.
    assert torch.allclose(torch.cov(z[:, :3].T, correction=0), torch.eye(3), atol=1e-3)
    assert torch.isfinite(z[:, 3:]).all()
    assert preset.start(clips[:1]).z.shape == (1, 6, 1, 1, 1)
