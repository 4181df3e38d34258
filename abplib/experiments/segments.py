"""Tables 2 and 3: long videos, cut into short segments to learn from and to recover.

Section 4.2 splits the segments of a video about 4:1. Here the first part of the footage is for
learning, the last fifth is for the test, and a few segments between them are set aside: what a
recovery must choose or calibrate is fitted on those. Windows to learn from may overlap; segments
set aside and test segments do not, with each other or with any window.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from abplib import masks
from abplib.data import Clip, folder, patterns
from abplib.data.video import read_video, windows

LOOKS = {"flag1": ("flag", 100), "flag2": ("flag", 200)}
"""Table 3's two flags: name -> (family, added to the seed)."""
MASKS = ("M0.5", "P20", "B35")
FEWEST = 6  # segments of a video: three to learn from, one aside, two for the test


@dataclass(frozen=True)
class Plan:
    """How much footage, and how it is cut.

    Args:
        frames: length of a segment, in frames.
        size: height and width in pixels.
        learn: segments' worth of footage to learn from.
        aside: segments set aside.
        test: segments to recover.
        hop: frames between the starts of neighbouring windows to learn from; `frames` for none
            that overlap.
    """

    frames: int = 16
    size: int = 32
    learn: int = 48
    aside: int = 4
    test: int = 12
    hop: int = 4

    def __post_init__(self) -> None:
        if min(self.learn, self.aside, self.test, self.hop) < 1:
            raise ValueError(f"{self}: expected at least 1 of each")


@dataclass(frozen=True)
class Segments:
    """Videos (N, 3, T, H, W) in [-1, 1]: windows to learn from, and the segments kept from them."""

    learn: Tensor
    aside: Tensor
    test: Tensor


def cut(video: Tensor, plan: Plan) -> Segments:
    """Cut a long video; see the head of this module.

    Args:
        video: (3, T, H, W), T at least ``(learn + aside + test) * frames``; the rest is not used.

    Raises:
        ValueError: for a video that is too short.

    >>> parts = cut(torch.zeros(3, 96, 16, 16), Plan(learn=3, aside=1, test=2, hop=8))
    >>> len(parts.learn), len(parts.aside), len(parts.test)
    (5, 1, 2)
    """
    t, needed = plan.frames, (plan.learn + plan.aside + plan.test) * plan.frames
    if video.shape[1] < needed:
        raise ValueError(f"video has {video.shape[1]} frames; the plan needs {needed}")
    first, second = plan.learn * t, (plan.learn + plan.aside) * t

    def part(begin: int, end: int, hop: int) -> Tensor:
        return windows(video[:, begin:end], t, offsets=tuple(range(0, end - begin - t + 1, hop)))

    return Segments(part(0, first, plan.hop), part(first, second, t), part(second, needed, t))


@lru_cache(maxsize=2)
def pattern(name: str, plan: Plan, seed: int) -> Segments:
    """Segments of one of the project's own families; each seed has its own scene.

    Args:
        name: a key of `abplib.data.patterns.FAMILIES`, or of `LOOKS`.

    >>> pattern("grid", Plan(size=16, learn=2, aside=1, test=1), 0).learn.shape
    torch.Size([5, 3, 16, 16, 16])
    """
    family, added = LOOKS.get(name, (name, 0))
    frames = (plan.learn + plan.aside + plan.test) * plan.frames
    return cut(patterns.clip(family, frames, size=plan.size, seed=seed + added), plan)


def footage(path: Path, plan: Plan) -> Segments:
    """Segments of a file, or of every file in a folder, each split by itself as `cut` says.

    Of a file with fewer segments than the plan a fifth is for the test, one in twelve is set aside.

    Raises:
        ValueError: where no file is long enough.
        FileNotFoundError: for a missing file or folder.
    """
    parts = []
    for clip in folder(path) if path.is_dir() else [Clip(path)]:
        video = read_video(clip.path, crop="square", size=plan.size)
        there = video.shape[1] // plan.frames
        if there < FEWEST:
            continue
        test, aside = min(plan.test, there // 5 or 1), min(plan.aside, there // 12 or 1)
        learn = min(plan.learn, there - test - aside)
        own = Plan(plan.frames, plan.size, learn, aside, test, plan.hop)
        parts.append(cut(video, own))
    if not parts:
        raise ValueError(
            f"{path} has no video of {FEWEST * plan.frames} frames or more, which make {FEWEST} "
            f"segments of {plan.frames}: take longer ones"
        )
    names = ("learn", "aside", "test")
    return Segments(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def segments(source: str | Path, plan: Plan, seed: int) -> Segments:
    """`footage` of a path, `pattern` of a name."""
    return footage(source, plan) if isinstance(source, Path) else pattern(source, plan, seed)


def mask(name: str, videos: Tensor, seed: int) -> Tensor:
    """A mask by the paper's name for a batch of segments: bool (N, 1, T, H, W), True = observed.

    >>> mask("B25x25x15", torch.zeros(2, 3, 16, 32, 32), seed=0).shape
    torch.Size([2, 1, 16, 32, 32])
    """
    n, _, t, h, w = videos.shape
    return masks.named(name.split("x")[0], (n, t, h, w), seed)
