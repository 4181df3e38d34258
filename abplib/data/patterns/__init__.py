"""Procedural dynamic textures: endless, seeded video patterns made by small simulations.

Each family lives in one module and is one class with a `step` method; `FAMILIES` lists them.
A clip is ``fire(64)``; an endless stream is ``stream("fire")``. Pixels are in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from .base import Family
from .caustics import Caustics
from .elevator import Elevator
from .fire import Fire
from .flag import Flag
from .flamingo import Flamingo
from .flower import Flower
from .grid import Grid
from .light import Light
from .ocean import Ocean
from .rain import Rain
from .snow import Snow
from .traffic import Traffic
from .waterfall import Waterfall
from .waterstone import Waterstone
from .windmill import Windmill

__all__ = [
    "FAMILIES",
    "Family",
    "caustics",
    "clip",
    "elevator",
    "fire",
    "flag",
    "flamingo",
    "flower",
    "grid",
    "light",
    "ocean",
    "rain",
    "snow",
    "stream",
    "traffic",
    "waterfall",
    "waterstone",
    "windmill",
]

FAMILIES: dict[str, type[Family]] = {
    "ocean": Ocean,
    "rain": Rain,
    "snow": Snow,
    "caustics": Caustics,
    "fire": Fire,
    "waterfall": Waterfall,
    "waterstone": Waterstone,
    "light": Light,
    "flag": Flag,
    "grid": Grid,
    "elevator": Elevator,
    "windmill": Windmill,
    "flower": Flower,
    "traffic": Traffic,
    "flamingo": Flamingo,
}
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


class Maker(Protocol):
    """What a family's function looks like: `clip` without the name."""

    def __call__(self, frames: int = 64, *, size: int = 64, seed: int = 0) -> Tensor: ...


def _maker(name: str) -> Maker:
    """The function ``name(frames, size=..., seed=...)`` of one family, with its docstring."""

    def make(frames: int = 64, *, size: int = 64, seed: int = 0) -> Tensor:
        return clip(name, frames, size=size, seed=seed)

    family = FAMILIES[name]
    summary = (family.__doc__ or "").splitlines()[0]
    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"""{summary} Stationary in {" and ".join(family.stationary)}.

    Args:
        frames: number of frames, 1 or more.
        size: height and width in pixels, 16 or more.
        seed: seed of the pattern.

    Returns:
        Video (3, frames, size, size), float32 in [-1, 1]; see `clip`.

    Raises:
        ValueError: if there is no frame to make or the size is below 16.

    Example:
        >>> {name}(2, size=32).shape
        torch.Size([3, 2, 32, 32])
    """
    return make


ocean = _maker("ocean")
rain = _maker("rain")
snow = _maker("snow")
caustics = _maker("caustics")
fire = _maker("fire")
waterfall = _maker("waterfall")
waterstone = _maker("waterstone")
light = _maker("light")
flag = _maker("flag")
grid = _maker("grid")
elevator = _maker("elevator")
windmill = _maker("windmill")
flower = _maker("flower")
traffic = _maker("traffic")
flamingo = _maker("flamingo")
