"""What every pattern family shares: the base class, slow random processes and colour helpers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
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


class DriftingNoise:
    """A smooth random picture that drifts and changes for ever: a Gaussian field on a torus.

    Each wave has a random weight that wanders like `SlowNoise`, in the frame of the drift. The
    picture has zero mean and unit variance at every place and time, and its first frame is no
    exception: the weights start as draws from their stationary law.

    Args:
        family: whose generator to draw from.
        cells: side of the grid.
        torus: side of the torus, in frame widths; the frame is any part of it.
        power: spectrum, from wave numbers down and across in radians a frame width.
        memory: time constant in steps; math.inf never changes.
        drift: motion down and across, in frame widths a step.
    """

    def __init__(
        self,
        family: Family,
        cells: int,
        torus: float,
        power: Callable[[Tensor, Tensor], Tensor],
        memory: float,
        drift: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self._family, self._cells = family, cells
        spacing = torus / cells
        ky = 2 * math.pi * torch.fft.fftfreq(cells, spacing).view(-1, 1)
        kx = 2 * math.pi * torch.fft.rfftfreq(cells, spacing).view(1, -1)
        r = math.exp(-1.0 / memory)
        angle = -(ky * drift[0] + kx * drift[1])
        self._turn = r * torch.polar(torch.ones_like(angle), angle)
        spread = power(ky, kx).sqrt()
        spread[0, 0] = 0.0
        share = torch.full_like(spread, 4.0)  # of the picture's variance: irfft2 adds c and its
        share[:, 0] = share[:, -1] = 1.0  # conjugate, but takes the real part of the end columns
        variance = (share * spread**2).sum() / cells**4
        self._spread = spread / variance.sqrt()
        self._start(r)

    def _start(self, r: float) -> None:
        """Draw both stages x and y of the weights from their stationary law."""
        still = r >= 1.0
        gain = 0.0 if still else 1 - r * r
        self._noise = math.sqrt(gain**3 / (1 + r * r))  # makes the variance of y one
        one, two = self._normal(), self._normal()
        if still:
            self._x, self._y = torch.zeros_like(one), one
            return
        spread_x = self._noise / math.sqrt(gain)
        shared = self._noise**2 / gain**2 / spread_x  # covariance of x and y over spread of x
        self._x = spread_x * one
        self._y = shared * one + math.sqrt(1 - shared**2) * two

    def _normal(self) -> Tensor:
        """One complex normal number a wave, with the spectrum's spread."""
        shape = self._spread.shape
        return self._spread * torch.complex(
            self._family.normal(*shape), self._family.normal(*shape)
        )

    def step(self) -> Tensor:
        """Advance by one step and return the picture: (cells, cells)."""
        self._x = self._turn * self._x + self._noise * self._normal()
        self._y = self._turn * self._y + self._x
        return torch.fft.irfft2(self._y, s=(self._cells, self._cells))


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
