"""What every pattern family shares: the base class, slow random processes and colour helpers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional


class Family(ABC):
    """One endless pattern: a seeded state, and `step`, which advances it by one frame.

    A subclass names itself in three class attributes and writes `step`. Positions, speeds and
    random numbers are in units of the scene, so that ``size`` changes the resolution alone:
    the same seed shows the same scene, moving at the same speed, at every size.

    Args:
        size: height and width of a frame, in pixels.
        seed: seed of the family's own random generator.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    stationary: ClassVar[tuple[str, ...]]

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.generator = torch.Generator().manual_seed(seed)

    @abstractmethod
    def step(self) -> Tensor:
        """Advance by one frame and return it: (3, size, size), colours in [0, 1]."""

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers of the given shape, from this family's generator."""
        return torch.randn(shape, generator=self.generator, dtype=torch.float32)

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1) of the given shape, from this family's generator."""
        return torch.rand(shape, generator=self.generator, dtype=torch.float32)


class SlowNoise:
    """A vector of independent, smooth, stationary random processes of unit variance.

    Two first-order autoregressions in a row: x <- r x + e, y <- r y + x. The second makes the path
    smooth (a single one would jitter from frame to frame).

    Args:
        family: whose generator to draw from.
        count: number of processes.
        memory: time constant in steps; r = exp(-1 / memory).
    """

    def __init__(self, family: Family, count: int, memory: float) -> None:
        self._family, self._count = family, count
        self._r = math.exp(-1.0 / memory)
        r2 = self._r * self._r
        self._scale = math.sqrt((1 - r2) ** 3 / (1 + r2))  # 1 / standard deviation of y
        self._x = torch.zeros(count)
        self._y = torch.zeros(count)
        for _ in range(int(8 * memory)):  # the start is forgotten to within exp(-8)
            self.step()

    def step(self) -> Tensor:
        """Advance by one step and return the values: (count,)."""
        self._x = self._r * self._x + self._family.normal(self._count)
        self._y = self._r * self._y + self._x
        return self._y * self._scale


def colour(red: float, green: float, blue: float) -> Tensor:
    """A colour as a (3, 1, 1) tensor, ready to multiply images with."""
    return torch.tensor([red, green, blue], dtype=torch.float32).view(3, 1, 1)


def smoothstep(x: Tensor, low: float, high: float) -> Tensor:
    """The cubic step from 0 at ``low`` to 1 at ``high``: 3 t^2 - 2 t^3."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def resize(image: Tensor, size: int) -> Tensor:
    """Resample (C, H, W) to (C, size, size), without aliasing when it shrinks."""
    return functional.interpolate(
        image[None], size=(size, size), mode="bilinear", antialias=True, align_corners=False
    )[0]


def pixel_grid(count: int) -> tuple[Tensor, Tensor]:
    """Row and column coordinates of pixel centres in (0, 1): two (count, count) tensors."""
    centres = (torch.arange(count, dtype=torch.float32) + 0.5) / count
    rows, columns = torch.meshgrid(centres, centres, indexing="ij")
    return rows, columns
