"""Masks: exact counts, places, seeds and refusals. Counting needs no tolerance."""

from __future__ import annotations

import math

import pytest
import torch

from abplib import masks

PAPER = (3, 32, 64, 64)  # N, T, H, W of section 4.2
NAMES = ("M0.5", "P20", "B35", "B25", "B25x25x15", "consecutive", "random")


def runs(hidden: list[bool]) -> list[tuple[int, int]]:
    """(first, length) of every run of hidden frames."""
    found: list[tuple[int, int]] = []
    for t, gone in enumerate(hidden):
        if gone and t and hidden[t - 1]:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        elif gone:
            found.append((t, 1))
    return found


def extent(hidden: torch.Tensor) -> list[tuple[int, int]]:
    """(first, length) of the bounding box of the hidden pixels along every axis."""
    places = hidden.nonzero()
    low, high = places.min(0).values.tolist(), places.max(0).values.tolist()
    return [(a, b - a + 1) for a, b in zip(low, high, strict=True)]


@pytest.mark.parametrize("name", NAMES)
def test_shape_dtype_and_that_something_is_hidden_and_something_seen(name):
    mask = masks.named(name, PAPER, seed=1)
    assert mask.shape == (3, 1, 32, 64, 64)
    assert mask.dtype == torch.bool
    for example in mask:
        assert example.any()
        assert not example.all()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "consecutive"])
def test_the_seed_decides_and_examples_differ(name):
    first = masks.named(name, PAPER, seed=5)
    torch.manual_seed(123)  # the global state plays no part
    assert torch.equal(first, masks.named(name, PAPER, seed=5))
    assert not torch.equal(first, masks.named(name, PAPER, seed=6))
    assert not torch.equal(first[0], first[1])


def test_the_global_random_state_is_left_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    for name in NAMES:
        masks.named(name, PAPER, seed=2)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.9])
def test_salt_and_pepper_hides_the_same_exact_number_in_every_frame(fraction):
    hidden = ~masks.salt_and_pepper((2, 5, 9, 11), fraction, seed=0)
    assert (hidden.sum((-2, -1)) == round(fraction * 99)).all()


def test_salt_and_pepper_is_scattered_and_new_in_each_frame():
    mask = masks.salt_and_pepper((1, 2, 64, 64), 0.5, seed=0)[0, 0]
    # Independent frames agree on half of the 4096 pixels, with a standard deviation of 32 pixels
    # (0.8%); 5% is over six of them. Neighbours likewise.
    assert abs((mask[0] == mask[1]).float().mean() - 0.5) < 0.05
    assert abs((mask[:, 1:] == mask[:, :-1]).float().mean() - 0.5) < 0.05


@pytest.mark.parametrize(("size", "sides"), [(7, (7, 7)), ((3, 12), (3, 12)), ((16, 1), (16, 1))])
def test_patch_is_one_whole_rectangle_in_every_frame(size, sides):
    hidden = ~masks.patch((2, 10, 16, 20), size, seed=3)
    for frame in hidden.reshape(-1, 16, 20):
        (_, height), (_, width) = extent(frame)
        assert (height, width) == sides
        assert frame.sum() == height * width


def test_patch_moves_and_reaches_every_place():
    hidden = ~masks.patch((1, 400, 4, 4), 2, seed=0)[0, 0]
    corners = {tuple(first for first, _ in extent(frame)) for frame in hidden}
    # Nine equally likely places: one missing in 400 draws has probability 9 (8/9)^400 < 1e-19.
    assert corners == {(row, column) for row in range(3) for column in range(3)}


def test_block_is_one_whole_box():
    hidden = ~masks.block((4, 32, 64, 64), 35, 30, 20, seed=0)
    for example in hidden[:, 0]:
        assert [length for _, length in extent(example)] == [20, 35, 30]
        assert example.sum() == 20 * 35 * 30


def test_block_may_fill_some_axes_but_not_all():
    hidden = ~masks.block((1, 4, 6, 6), 6, 6, 3)
    assert hidden.sum() == 3 * 36
    with pytest.raises(ValueError, match="covers the video"):
        masks.block((1, 4, 6, 6), 6, 6, 4)


@pytest.mark.parametrize(("length", "frames", "first"), [(32, 8, 12), (9, 2, 3), (3, 1, 1)])
def test_consecutive_hides_the_middle(length, frames, first):
    mask = masks.consecutive((2, length, 3, 3), frames)
    hidden = ~mask[0, 0, :, 0, 0]
    assert runs(hidden.tolist()) == [(first, frames)]
    assert torch.equal(mask, mask[:1, :, :, :1, :1].expand_as(mask))


@pytest.mark.parametrize(("frames", "count", "length"), [(3, 3, 32), (3, 3, 13), (1, 5, 20)])
def test_random_blocks_are_disjoint_do_not_touch_and_spare_the_ends(frames, count, length):
    mask = masks.random_blocks((50, length, 2, 2), frames, count, seed=0)
    for example in mask:
        found = runs((~example[0, :, 0, 0]).tolist())
        # Runs that touched would show up as one longer run.
        assert [size for _, size in found] == [frames] * count
        assert found[0][0] >= 1
        assert found[-1][0] + frames <= length - 1
        assert torch.equal(example, example[:, :, :1, :1].expand_as(example))


def test_random_blocks_makes_all_placements_equally_likely():
    # Two runs of one frame within frames 1 to 5, not touching: six placements.
    mask = masks.random_blocks((3000, 7, 1, 1), frames=1, count=2, seed=0)
    placements = [tuple(t for t, _ in runs((~m.flatten()).tolist())) for m in mask]
    counts = {placement: placements.count(placement) for placement in set(placements)}
    assert set(counts) == {(1, 3), (1, 4), (1, 5), (2, 4), (2, 5), (3, 5)}
    # 500 each, with a standard deviation of sqrt(3000 * 5 / 36) = 20: allow five of them.
    assert all(abs(count - 500) < 100 for count in counts.values())


def test_frames_missing_hides_just_those():
    mask = masks.frames_missing((2, 6, 3, 4), [4, 1, 1])
    assert mask.shape == (2, 1, 6, 3, 4)
    assert (~mask).any((0, 1, 3, 4)).tolist() == [False, True, False, False, True, False]
    assert (~mask).sum() == 2 * 2 * 12
    assert masks.frames_missing((1, 3, 2, 2), []).all()


def test_named_gives_the_papers_sizes_at_the_papers_shape():
    def hidden(name: str) -> list[int]:
        return (~masks.named(name, PAPER)).sum((1, 2, 3, 4)).tolist()

    assert hidden("M0.5") == [32 * 64 * 64 // 2] * 3
    assert hidden("P20") == [32 * 20 * 20] * 3
    assert hidden("B35") == [35 * 35 * 20] * 3
    assert hidden("B25") == [25 * 25 * 15] * 3
    assert hidden("consecutive") == [8 * 64 * 64] * 3
    assert hidden("random") == [9 * 64 * 64] * 3


@pytest.mark.parametrize(
    ("name", "shape", "sides"),
    [
        ("P20", (1, 1, 32, 32), [1, 10, 10]),
        ("P20", (1, 1, 64, 128), [1, 20, 40]),
        ("B35", (1, 16, 32, 32), [10, 18, 18]),  # 17.5 rounds to the even 18
        ("B25", (1, 64, 128, 128), [30, 50, 50]),
        ("P20", (1, 1, 2, 2), [1, 1, 1]),  # never less than a pixel
    ],
)
def test_named_scales_with_the_video(name, shape, sides):
    hidden = ~masks.named(name, shape)[0, 0]
    assert hidden.sum() == math.prod(sides)
    assert [length for _, length in extent(hidden)] == sides


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: masks.salt_and_pepper((1, 2, 4, 4), 1.0), "nothing would be observed"),
        (lambda: masks.salt_and_pepper((1, 2, 4, 4), 0.99), "hides all 16 pixels"),
        (lambda: masks.salt_and_pepper((1, 2, 4, 4), 1.5), r"fraction is 1\.5"),
        (lambda: masks.salt_and_pepper((1, 2, 4, 4), float("nan")), "fraction is nan"),
        (lambda: masks.patch((1, 2, 4, 4), 5), "patch height is 5; the video has room for 1 to 4"),
        (lambda: masks.patch((1, 2, 4, 4), (2, 5)), "patch width is 5"),
        (lambda: masks.patch((1, 2, 4, 4), 4), "covers the frame"),
        (lambda: masks.patch((1, 2, 4, 4), 0), "patch height is 0"),
        (lambda: masks.block((1, 2, 4, 4), 2, 2, 3), "block frames is 3"),
        (lambda: masks.consecutive((1, 9, 4, 4), 8), "hide 7 or fewer"),
        (lambda: masks.consecutive((1, 9, 4, 4), 0), "frames is 0"),
        (lambda: masks.random_blocks((1, 12, 4, 4), 3, 3), "need 13 frames .* has 12"),
        (lambda: masks.frames_missing((1, 3, 4, 4), [3]), r"frames \[3\] are outside .* 0 to 2"),
        (lambda: masks.frames_missing((1, 3, 4, 4), [-1]), "outside the video"),
        (lambda: masks.frames_missing((1, 3, 4, 4), range(3)), "leave at least one observed"),
        (lambda: masks.named("P21", PAPER), "no mask 'P21': use one of M0.5, P20, B35"),
        (lambda: masks.named("M0.5", (3, 32, 64)), r"expected \(N, T, H, W\)"),
        (lambda: masks.patch((1, 0, 4, 4), 2), r"expected \(N, T, H, W\)"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_occlude_replaces_hidden_pixels_only():
    video = torch.randn(2, 3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    observed = masks.salt_and_pepper((2, 4, 5, 5), seed=1)
    kept = video.clone()
    result = masks.occlude(video, observed, fill=-1.0)
    where = observed.expand_as(video)
    assert torch.equal(result[where], video[where])
    assert (result[~where] == -1).all()
    assert torch.equal(video, kept)  # the input is not written to


def test_occlude_hides_even_nan():
    video = torch.full((1, 1, 2, 1, 1), float("nan"))
    video[0, 0, 0] = 0.25
    result = masks.occlude(video, masks.frames_missing((1, 2, 1, 1), [1]))
    assert result.flatten().tolist() == [0.25, 0.0]


def test_occlude_refuses_other_masks():
    video = torch.zeros(2, 3, 4, 5, 5)
    with pytest.raises(ValueError, match="expected bool"):
        masks.occlude(video, torch.ones(2, 1, 4, 5, 5))
    with pytest.raises(ValueError, match="does not broadcast"):
        masks.occlude(video, torch.ones(2, 1, 4, 5, 6, dtype=torch.bool))
