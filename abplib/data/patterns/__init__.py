"""Procedural dynamic textures: endless, seeded video patterns made by small simulations.

Each family lives in one module and is one class with a `step` method; `FAMILIES` lists them.
A clip is ``fire(64)``; an endless stream is ``stream("fire")``. Pixels are in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .base import Family
from .fire import Fire
from .flag import Flag
from .ocean import Ocean

__all__ = ["FAMILIES", "Family", "clip", "fire", "flag", "ocean", "stream"]

FAMILIES: dict[str, type[Family]] = {family.name: family for family in (Fire, Ocean, Flag)}
"""Every family by name, with its ``description`` and the axes it is ``stationary`` in."""

SMALLEST = 16


def stream(name: str, *, size: int = 64, seed: int = 0) -> Iterator[Tensor]:
    """Endless frames of one pattern.

    The same name, size and seed give the same frames, bit for bit, on one machine. A larger size
    shows the same scene in more pixels, moving at the same speed in frame widths a frame.

    Args:
        name: a key of `FAMILIES`.
        size: height and width in pixels, 16 or more.
        seed: seed of the pattern.

    Returns:
        An iterator that never ends, of frames (3, size, size), float32 in [-1, 1].

    Raises:
        ValueError: if the name is unknown or the size is below 16.

    Example:
        >>> frames = stream("ocean", size=32, seed=1)
        >>> next(frames).shape
        torch.Size([3, 32, 32])
    """
    if name not in FAMILIES:
        known = ", ".join(sorted(FAMILIES))
        raise ValueError(f"unknown pattern {name!r}: expected one of {known}")
    if size < SMALLEST:
        raise ValueError(f"size is {size}: expected {SMALLEST} pixels or more")
    return _frames(FAMILIES[name](size, seed))


def _frames(pattern: Family) -> Iterator[Tensor]:
    """Step a pattern for ever, with colours from [0, 1] brought to [-1, 1]."""
    while True:
        yield pattern.step().clamp(0, 1) * 2 - 1


def clip(name: str, frames: int = 64, *, size: int = 64, seed: int = 0) -> Tensor:
    """The first frames of a stream, as one video.

    Args:
        name: a key of `FAMILIES`.
        frames: number of frames, 1 or more.
        size: height and width in pixels, 16 or more.
        seed: seed of the pattern.

    Returns:
        Video (3, frames, size, size), float32 in [-1, 1].

    Raises:
        ValueError: if the name is unknown, there is no frame to make, or the size is below 16.

    Example:
        >>> clip("flag", 4, size=16).shape
        torch.Size([3, 4, 16, 16])
    """
    if frames < 1:
        raise ValueError(f"frames is {frames}: expected 1 or more")
    pattern = stream(name, size=size, seed=seed)
    return torch.stack([next(pattern) for _ in range(frames)], dim=1)


def fire(frames: int = 64, *, size: int = 64, seed: int = 0) -> Tensor:
    """A fire of many tongues that never goes out; stationary in time. See `clip`.

    Args:
        frames: number of frames, 1 or more.
        size: height and width in pixels, 16 or more.
        seed: seed of the pattern.

    Returns:
        Video (3, frames, size, size), float32 in [-1, 1].

    Raises:
        ValueError: if there is no frame to make or the size is below 16.

    Example:
        >>> fire(2, size=32).shape
        torch.Size([3, 2, 32, 32])
    """
    return clip("fire", frames, size=size, seed=seed)


def ocean(frames: int = 64, *, size: int = 64, seed: int = 0) -> Tensor:
    """Open sea from afar; stationary in space and time. See `clip`.

    Args:
        frames: number of frames, 1 or more.
        size: height and width in pixels, 16 or more.
        seed: seed of the pattern.

    Returns:
        Video (3, frames, size, size), float32 in [-1, 1].

    Raises:
        ValueError: if there is no frame to make or the size is below 16.

    Example:
        >>> ocean(2, size=32).shape
        torch.Size([3, 2, 32, 32])
    """
    return clip("ocean", frames, size=size, seed=seed)


def flag(frames: int = 64, *, size: int = 64, seed: int = 0) -> Tensor:
    """A flag on its pole, waving before the sky; stationary in time. See `clip`.

    Args:
        frames: number of frames, 1 or more.
        size: height and width in pixels, 16 or more.
        seed: seed of the pattern.

    Returns:
        Video (3, frames, size, size), float32 in [-1, 1].

    Raises:
        ValueError: if there is no frame to make or the size is below 16.

    Example:
        >>> flag(2, size=32).shape
        torch.Size([3, 2, 32, 32])
    """
    return clip("flag", frames, size=size, seed=seed)
