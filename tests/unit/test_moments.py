"""Moment matching: zero where a draw varies as the video does; elsewhere a pull towards that."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from abplib import ABP, Settings, View, moments, presets
from abplib.data import patterns
from abplib.moments import MomentMatching

SHAPE = (3, 600, 4, 4)


def noise(seed: int = 0) -> torch.Tensor:
    return torch.randn((1, *SHAPE), generator=torch.Generator().manual_seed(seed))


class Louder(nn.Module):
    """G(z) = a z: a video of white noise, whose size is to be learned."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.3))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.a * z


@pytest.mark.parametrize("in_space", [False, True])
def test_the_video_itself_is_right(in_space):
    video = 0.2 + 0.5 * noise()
    same = MomentMatching(lambda z: video, video, SHAPE, in_space=in_space)
    assert same(0, video) == 0
    shuffled = video[:, :, torch.randperm(600, generator=torch.Generator().manual_seed(1))]
    other = MomentMatching(lambda z: shuffled, video, SHAPE, in_space=in_space)
    # White noise in another order: only the differences in time change, by their sampling error.
    assert 0 < other(0, video) < 1e-2 * MomentMatching(lambda z: 0 * video, video, SHAPE)(0, video)


def test_weight_is_that_of_an_error_in_each_value():
    """Where only the first moment's size is off, by e at each place, the term is V e^2 / 2."""
    video = torch.tensor([1.0, -1.0]).repeat(10)[:, None, None].expand(1, 1, 20, 3, 3)
    term = MomentMatching(lambda z: 0.9 * video, video, (1,), weight=2.0)
    # The departure is off by 0.1 and the difference in time by 0.2; in space nothing changes.
    expected = 2.0 * 0.5 * 180 * (0.1**2 + 0.2**2)
    assert term(0, video).item() == pytest.approx(
        expected, rel=1e-3
    )  # SMALLEST moves a root by 1e-5


def test_it_teaches_the_size_of_the_motion():
    generator = Louder()
    term = MomentMatching(generator, 0.8 * noise(), SHAPE, weight=0.01)
    optimizer = torch.optim.Adam(generator.parameters(), lr=0.05)
    for iteration in range(60):
        optimizer.zero_grad()
        term(iteration, noise()).backward()
        optimizer.step()
    assert generator.a.item() == pytest.approx(0.8, abs=0.02)  # 600 frames: sampling error 0.01


def test_draws_follow_from_seed_and_iteration():
    first = MomentMatching(lambda z: z, noise(), SHAPE, seed=1, first=3)
    again = MomentMatching(lambda z: z, noise(), SHAPE, seed=1)
    z = noise()
    assert first(2, z) == 0
    assert first(3, z) == again(3, z) != again(4, z)
    assert first(3, z) != MomentMatching(lambda z: z, noise(), SHAPE, seed=2)(3, z)


def test_wrong_videos():
    with pytest.raises(ValueError, match="T at least 2"):
        MomentMatching(lambda z: z, torch.zeros(1, 3, 1, 4, 4), SHAPE)


def test_learning_step_adds_the_term():
    """Without a data term's pull (the error is zero at a = 0) the extra term alone moves a."""
    generator = Louder()
    view = View(generator, torch.zeros(1, *SHAPE), weight=1e-6)
    term = MomentMatching(generator, 0.8 * noise(), SHAPE, weight=1.0)
    settings = Settings(60, langevin_steps=0, learning_rate=0.05)
    run = ABP([view], SHAPE, settings, extra=term)
    run.fit(progress=False)
    assert generator.a.item() == pytest.approx(0.8, abs=0.02)


def test_own_means_leave_still_differences_out():
    """Two still clips of different brightness: no motion about their own means."""
    clips = torch.tensor([-0.5, 0.5])[:, None, None, None, None].expand(2, 3, 4, 2, 2)
    for own_mean, size in ((True, 0.0), (False, 0.5)):
        term = MomentMatching(lambda z: z, clips, (3, 4, 2, 2), own_mean=own_mean)
        assert term.wanted[0].max().item() == pytest.approx(size, abs=0.004)  # sqrt of SMALLEST


@pytest.mark.parametrize("reach", [None, 1])
def test_a_restored_run_goes_on_the_same(reach, monkeypatch):
    """Also where the law of the draws is fitted, and was fitted before the stop."""
    monkeypatch.setattr(moments, "REFIT", 4)
    preset = replace(
        presets.MODEL2["ci"],
        moments=1.0,
        moments_from=0.25,
        iterations=8,
        width=1 / 16,
        reach=reach,
    )
    clip = patterns.fire(preset.clip_frames)
    whole = preset.start(clip, seed=4)
    whole.fit(progress=False)
    stopped = preset.start(clip, seed=4)
    for _ in range(6):
        stopped.iterate()
    resumed = preset.start(clip, seed=4)
    resumed.restore(stopped.state())
    resumed.fit(progress=False)
    assert torch.equal(whole.z, resumed.z)
    plain = replace(preset, moments=0.0).start(clip, seed=4)
    plain.fit(progress=False)
    assert plain.history[:2] == whole.history[:2]  # the term sets in at iteration 2
    assert plain.history[-1] != whole.history[-1]
