"""Masks for incomplete videos (section 4.2): bool tensors (N, 1, T, H, W), True = observed.

Every function takes the shape (N, T, H, W) of the videos: N examples, T frames of H x W pixels. The
examples of a batch get masks of their own. The same seed gives the same mask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

Shape = Sequence[int]


def salt_and_pepper(shape: Shape, fraction: float = 0.5, seed: int = 0) -> Tensor:
    """Hide scattered pixels, the same number in every frame: M0.5 of section 4.2.

    `fraction` in [0, 1] is the hidden share of each frame, rounded to whole pixels. Returns bool
    (N, 1, T, H, W). Raises ValueError for a bad shape or fraction, and where nothing stays visible.

    >>> salt_and_pepper((1, 8, 4, 4)).float().mean().item()
    0.5
    """
    n, t, h, w = _shape(shape)
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction is {fraction}; expected the hidden share, from 0 to 1")
    hidden = round(fraction * h * w)
    if hidden == h * w:
        raise ValueError(
            f"fraction {fraction} hides all {h * w} pixels of a {h} x {w} frame: nothing would be "
            "observed; use a smaller fraction"
        )
    order = torch.rand(n, t, h * w, generator=_generator(seed)).argsort(-1)
    observed = torch.ones(n, t, h * w, dtype=torch.bool)
    observed.scatter_(-1, order[..., :hidden], False)
    return observed.reshape(n, 1, t, h, w)


def patch(shape: Shape, size: int | tuple[int, int] = 20, seed: int = 0) -> Tensor:
    """Hide one patch in every frame, placed anew in each: P20 of section 4.2.

    `size` is in pixels, one int for a square or (height, width). Returns bool (N, 1, T, H, W).
    Raises ValueError for a bad shape and a patch that does not fit or covers the frame.

    >>> (~patch((2, 5, 16, 16), size=4)).sum((1, 3, 4))[0]
    tensor([16, 16, 16, 16, 16])
    """
    n, t, h, w = _shape(shape)
    height, width = (size, size) if isinstance(size, int) else size
    _fits("patch height", height, h)
    _fits("patch width", width, w)
    if (height, width) == (h, w):
        raise ValueError(f"a {height} x {width} patch covers the frame: nothing would be observed")
    generator = _generator(seed)
    rows = _interval(h, height, (n, t), generator)  # (N, T, H)
    columns = _interval(w, width, (n, t), generator)  # (N, T, W)
    return ~(rows[..., :, None] & columns[..., None, :])[:, None]


def block(shape: Shape, height: int, width: int, frames: int, seed: int = 0) -> Tensor:
    """Hide one block in space and time, somewhere in each video: B35 and B25 of section 4.2.

    The block is `height` x `width` pixels and lasts `frames` frames. Returns bool (N, 1, T, H, W).
    Raises ValueError for a bad shape and a block that does not fit or covers the video.

    >>> (~block((1, 32, 64, 64), 35, 35, 20)).sum().item() == 35 * 35 * 20
    True
    """
    n, t, h, w = _shape(shape)
    _fits("block height", height, h)
    _fits("block width", width, w)
    _fits("block frames", frames, t)
    if (frames, height, width) == (t, h, w):
        raise ValueError(
            f"a block of {height} x {width} x {frames} frames covers the video: nothing would be "
            "observed"
        )
    generator = _generator(seed)
    times = _interval(t, frames, (n,), generator)[:, :, None, None]
    rows = _interval(h, height, (n,), generator)[:, None, :, None]
    columns = _interval(w, width, (n,), generator)[:, None, None, :]
    return ~(times & rows & columns)[:, None]


def consecutive(shape: Shape, frames: int = 8) -> Tensor:
    """Hide the middle `frames` frames, one run of them: the consecutive block of Table 1.

    Where the rest is odd, one more frame stays after the run than before it. Returns bool
    (N, 1, T, H, W). Raises ValueError unless a frame stays observed on either side.

    >>> consecutive((1, 6, 1, 1), frames=2).flatten().tolist()
    [True, True, False, False, True, True]
    """
    t = _shape(shape)[1]
    _fits("frames", frames, t)
    if frames > t - 2:
        raise ValueError(
            f"hiding {frames} of {t} frames leaves none to interpolate from on one side: "
            f"hide {t - 2} or fewer"
        )
    first = (t - frames) // 2
    return frames_missing(shape, range(first, first + frames))


def random_blocks(shape: Shape, frames: int = 3, count: int = 3, seed: int = 0) -> Tensor:
    """Hide `count` runs of `frames` frames at random times: the random block of Table 1.

    Runs neither overlap nor touch, and never hold the first or last frame, so that every run has an
    observed frame on either side; all such placements are equally likely. Returns bool
    (N, 1, T, H, W). Raises ValueError for a bad shape or number and where the runs do not fit.

    >>> (~random_blocks((1, 32, 1, 1))).sum().item()
    9
    """
    n, t, h, w = _shape(shape)
    _fits("frames", frames, t)
    _fits("count", count, t)
    # c_0 < ... < c_{count-1} out of `places` give runs that begin at 1 + c_k + k * frames.
    places = t - 1 - count * frames
    if places < count:
        raise ValueError(
            f"{count} runs of {frames} frames need {count * (frames + 1) + 1} frames with an "
            f"observed one on either side of each; the video has {t}: hide fewer or shorter runs"
        )
    generator = _generator(seed)
    observed = torch.ones(n, t, dtype=torch.bool)
    for example in observed:
        chosen = torch.randperm(places, generator=generator)[:count].sort().values
        for k, place in enumerate(chosen.tolist()):
            first = 1 + place + k * frames
            example[first : first + frames] = False
    return observed[:, None, :, None, None].repeat(1, 1, 1, h, w)


def frames_missing(shape: Shape, indices: Iterable[int]) -> Tensor:
    """Hide whole frames by index, the same in every example: bool (N, 1, T, H, W).

    Raises ValueError for a bad shape, an index outside 0 .. T - 1, and where no frame would stay.

    >>> frames_missing((1, 4, 1, 1), [1]).flatten().tolist()
    [True, False, True, True]
    """
    n, t, h, w = _shape(shape)
    hidden = sorted(set(indices))
    outside = [index for index in hidden if not 0 <= index < t]
    if outside:
        raise ValueError(f"frames {outside} are outside the video: use indices from 0 to {t - 1}")
    if len(hidden) == t:
        raise ValueError(f"all {t} frames would be hidden: leave at least one observed")
    observed = torch.ones(n, 1, t, h, w, dtype=torch.bool)
    observed[:, :, hidden] = False
    return observed


def named(name: str, shape: Shape, seed: int = 0) -> Tensor:
    """Make a mask by the paper's name for it: bool (N, 1, T, H, W).

    "M0.5", "P20", "B35", "B25" or "B25x25x15" (Tables 2 and 3), "consecutive" and "random" (Table
    1). The paper's sizes are for 32 frames of 64 x 64: patches and blocks shrink or grow with the
    size of the video (rounded, at least 1), so that the hidden share stays about the same. The two
    masks of whole frames keep 8, and 3 times 3, frames. "consecutive" has no randomness and ignores
    the seed.
    Raises ValueError for an unknown name and as the mask's own function does.

    >>> (~named("P20", (1, 1, 32, 32))).sum().item()  # a 10 x 10 patch
    100
    """
    _, t, h, w = _shape(shape)

    def scaled(pixels: int, frames: int) -> tuple[int, int, int]:
        return (
            max(1, round(pixels * h / 64)),
            max(1, round(pixels * w / 64)),
            max(1, round(frames * t / 32)),
        )

    makers: dict[str, Callable[[], Tensor]] = {
        "M0.5": lambda: salt_and_pepper(shape, 0.5, seed),
        "P20": lambda: patch(shape, scaled(20, 1)[:2], seed),
        "B35": lambda: block(shape, *scaled(35, 20), seed),
        "B25": lambda: block(shape, *scaled(25, 15), seed),
        "B25x25x15": lambda: block(shape, *scaled(25, 15), seed),
        "consecutive": lambda: consecutive(shape),
        "random": lambda: random_blocks(shape, seed=seed),
    }
    if name not in makers:
        raise ValueError(f"there is no mask {name!r}: use one of {', '.join(makers)}")
    return makers[name]()


def occlude(video: Tensor, observed: Tensor, fill: float = 0.0) -> Tensor:
    """Replace hidden pixels by `fill`; the others stay as they are.

    `video` is (N, C, T, H, W) and `observed` bool, broadcastable to it; returns a new tensor shaped
    as `video`. Raises ValueError where the mask is not bool or does not fit the video.

    >>> occlude(torch.ones(1, 1, 3, 1, 1), frames_missing((1, 3, 1, 1), [1]), -1).flatten()
    tensor([ 1., -1.,  1.])
    """
    if observed.dtype != torch.bool:
        raise ValueError(f"observed is {observed.dtype}; expected bool, True = observed")
    try:
        visible = observed.expand_as(video)
    except RuntimeError as error:
        raise ValueError(
            f"observed has shape {tuple(observed.shape)}, which does not broadcast to the video's "
            f"{tuple(video.shape)}: make the mask with the video's (N, T, H, W)"
        ) from error
    return torch.where(visible, video, torch.full_like(video, fill))


def _shape(shape: Shape) -> tuple[int, int, int, int]:
    sizes = tuple(shape)
    if len(sizes) != 4 or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ValueError(f"shape is {sizes}; expected (N, T, H, W), four positive whole numbers")
    return sizes[0], sizes[1], sizes[2], sizes[3]


def _fits(what: str, size: int, room: int) -> None:
    if not 1 <= size <= room:
        raise ValueError(f"{what} is {size}; the video has room for 1 to {room}")


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _interval(room: int, size: int, batch: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Bool (*batch, room), True on a run of `size` at a uniformly random place in each."""
    first = torch.randint(room - size + 1, (*batch, 1), generator=generator)
    index = torch.arange(room)
    return (index >= first) & (index < first + size)
