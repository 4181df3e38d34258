"""Tests of the procedural patterns: seeds, shapes, stationarity, and that they are no loops."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from abplib.data import patterns

NAMES = ("fire", "ocean", "flag")
LONG = 400  # frames of the long run; the slowest waves have a period of about 30

# How far the mean colour of two halves of the long run lies apart, in standard deviations of the
# pixels. Over six seeds the root mean square of that gap was 0.058, 0.009 and 0.022; the tolerance
# is four times as much, so that it is not sampling error that fails, and a drift that is larger is.
MEAN_GAP = {"fire": 0.25, "ocean": 0.04, "flag": 0.09}
# The ratio of their temporal variances stayed within 0.91 to 1.17 over the same seeds.
VARIANCE_RATIO = 1.35


@pytest.fixture(scope="module")
def long_runs() -> dict[str, Tensor]:
    """400 frames of each family, (3, 400, 32, 32)."""
    return {name: patterns.clip(name, LONG, size=32, seed=0) for name in NAMES}


def gap(a: Tensor, b: Tensor, spread: Tensor) -> float:
    """Largest difference over channels of the mean colours of two videos, in units of spread."""
    difference = (a.mean((1, 2, 3)) - b.mean((1, 2, 3))).abs().max()
    return float(difference / spread)


def variance_ratio(a: Tensor, b: Tensor) -> float:
    """Ratio, at least 1, of the temporal variances of two videos."""
    ratio = float(a.var(1).mean() / b.var(1).mean())
    return max(ratio, 1 / ratio)


def halves(video: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The first and the second half of a video along one axis."""
    first, second = video.chunk(2, dim)
    return first, second


def test_families_describe_themselves() -> None:
    assert tuple(patterns.FAMILIES) == NAMES
    for name, family in patterns.FAMILIES.items():
        assert family.name == name
        assert len(family.description) > 10
    assert patterns.FAMILIES["ocean"].stationary == ("space", "time")
    assert patterns.FAMILIES["fire"].stationary == ("time",)
    assert patterns.FAMILIES["flag"].stationary == ("time",)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [16, 33, 64])
def test_shape_range_and_dtype(name: str, size: int) -> None:
    video = getattr(patterns, name)(3, size=size, seed=5)
    assert video.shape == (3, 3, size, size)
    assert video.dtype == torch.float32
    assert video.min() >= -1
    assert video.max() <= 1
    assert video.max() - video.min() > 1  # the range is used, not a grey picture


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_frames_bit_for_bit(name: str) -> None:
    make = getattr(patterns, name)
    again = make(10, size=32, seed=3)
    assert torch.equal(make(10, size=32, seed=3), again)
    other = make(10, size=32, seed=4)
    # two scenes, not one with noise: they differ by a good part of the spread of the pixels
    assert (other - again).square().mean().sqrt() > 0.2 * again.std()


@pytest.mark.parametrize("name", NAMES)
def test_fewer_frames_are_the_first_frames(name: str) -> None:
    make = getattr(patterns, name)
    longer = make(20, size=32, seed=1)
    assert torch.equal(make(10, size=32, seed=1), longer[:, :10])
    frames = patterns.stream(name, size=32, seed=1)
    assert torch.equal(torch.stack(list(itertools.islice(frames, 20)), 1), longer)


def test_default_clip_has_64_frames_of_64_pixels() -> None:
    assert patterns.ocean().shape == (3, 64, 64, 64)


@pytest.mark.parametrize("name", NAMES)
def test_streams_do_not_end_or_disturb_each_other(name: str) -> None:
    one, two = patterns.stream(name, size=16), patterns.stream(name, size=16)
    state = torch.get_rng_state()
    first = [next(one) for _ in range(120)]
    second = [next(two) for _ in range(120)]
    assert torch.equal(torch.stack(first), torch.stack(second))
    assert all(bool(frame.isfinite().all()) for frame in first)
    assert torch.equal(torch.get_rng_state(), state)  # the global generator is left alone
    assert len({frame.data_ptr() for frame in first}) == len(first)  # no frame is overwritten


@pytest.mark.parametrize("name", NAMES)
def test_size_changes_resolution_and_not_speed(name: str) -> None:
    """A clip at 64 pixels, averaged over 2 x 2 pixels, is the clip at 32 pixels."""
    small = patterns.clip(name, 16, size=32, seed=3)
    large = patterns.clip(name, 16, size=64, seed=3)
    pooled = functional.avg_pool2d(large.transpose(0, 1), 2).transpose(0, 1)
    # Edges are smoothed a little differently at each size: 0, 0.036 and 0.037 of the spread were
    # measured. A clip one frame late is 0.2 or more away, as the next lines show.
    error = (pooled - small).square().mean().sqrt() / small.std()
    late = (pooled[:, 1:] - small[:, :-1]).square().mean().sqrt() / small.std()
    assert error < 0.08
    assert late > 1.8 * error
    assert late > 0.12


@pytest.mark.parametrize("name", NAMES)
def test_stationary_in_time(name: str, long_runs: dict[str, Tensor]) -> None:
    video = long_runs[name]
    first, second = halves(video, 1)
    assert gap(first, second, video.std()) < MEAN_GAP[name]
    assert variance_ratio(first, second) < VARIANCE_RATIO
    # the test can fail: a steady brightening by one standard deviation is noticed
    drift = torch.linspace(0, 1, LONG).view(1, -1, 1, 1) * video.std()
    first, second = halves(video + drift, 1)
    assert gap(first, second, video.std()) > MEAN_GAP[name]


def test_ocean_is_stationary_in_space(long_runs: dict[str, Tensor]) -> None:
    video = long_runs["ocean"]
    for dim in (2, 3):  # top against bottom, left against right
        first, second = halves(video, dim)
        # over six seeds the gap had a root mean square of 0.012, the ratio was 1.27 at most
        # (each half holds few independent waves at a time)
        assert gap(first, second, video.std()) < 0.05
        assert variance_ratio(first, second) < 1.5
    # no place has a look of its own: the mean image is nearly flat (0.02 to 0.03 measured)
    assert video.mean(1).std((1, 2)).mean() < 0.06 * video.std()


@pytest.mark.parametrize("name", ["fire", "flag"])
def test_fire_and_flag_are_not_stationary_in_space(name: str, long_runs: dict[str, Tensor]) -> None:
    video = long_runs[name]
    top, bottom = halves(video, 2)
    assert gap(top, bottom, video.std()) > 0.5  # 0.8 and 1.2 measured
    assert video.mean(1).std((1, 2)).mean() > 0.4 * video.std()


@pytest.mark.parametrize("name", NAMES)
def test_frames_do_not_recur(name: str, long_runs: dict[str, Tensor]) -> None:
    frames = long_runs[name].transpose(0, 1).flatten(1)
    distance = torch.cdist(frames, frames)
    index = torch.arange(LONG)
    apart = (index.view(-1, 1) - index).abs()
    step = distance.diagonal(1)
    # A loop of any period, whole or not, comes back to within half a frame of where it was: to
    # within half the distance of neighbouring frames. The nearest recurrence here is 0.9 or more.
    assert distance[apart > 16].min() > 0.6 * step.mean()
    assert step.min() > 0  # and it never stands still


@pytest.mark.parametrize("name", NAMES)
def test_motion_is_coherent(name: str, long_runs: dict[str, Tensor]) -> None:
    video = long_runs[name]
    step = (video[:, 1:] - video[:, :-1]).square().mean((0, 2, 3)).sqrt()
    far = (video[:, 40:] - video[:, :-40]).square().mean().sqrt()
    # neighbouring frames resemble each other (0.24 to 0.41 of the distance of far ones) ...
    assert step.mean() < 0.5 * far
    # ... and there is no cut: no step is far larger than the usual one
    assert step.max() < 3 * step.median()


def test_fire_never_goes_out(long_runs: dict[str, Tensor]) -> None:
    red, blue = long_runs["fire"][0], long_runs["fire"][2]
    lit = (red > 0).float().mean((1, 2))
    assert lit.min() > 0.15  # part of the frame in flames, at the worst moment
    assert lit.max() < 0.85  # and never a wall of plain orange
    assert blue.amax((1, 2)).min() > 0  # a hot core at all times
    assert lit[:40].mean() > 0.7 * lit.mean()  # it burns from the first frame on


@pytest.mark.parametrize("make", [patterns.stream, patterns.clip])
def test_unknown_name_lists_the_known_ones(make: Callable[[str], object]) -> None:
    with pytest.raises(ValueError, match=r"unknown pattern 'smoke'.*fire, flag, ocean"):
        make("smoke")


@pytest.mark.parametrize("name", NAMES)
def test_bad_lengths_and_sizes_are_refused(name: str) -> None:
    make = getattr(patterns, name)
    with pytest.raises(ValueError, match=r"frames is 0: expected 1 or more"):
        make(0)
    with pytest.raises(ValueError, match=r"size is 8: expected 16 pixels or more"):
        make(2, size=8)
    with pytest.raises(ValueError, match=r"size is 8"):
        patterns.stream(name, size=8)  # at once, not at the first frame
