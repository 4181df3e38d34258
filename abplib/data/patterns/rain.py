"""Rain: drops at many depths, drawn as streaks, in gusts."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .base import DriftingNoise, Family, SlowNoise, colour, resize
from .falling import Falling, Spots

DROPS = 200  # on the torus, which is larger than the frame
FARTHEST = 2.8  # depth of the farthest, in units of the nearest
SPEED = 0.084  # fall of the nearest drops, frame widths a frame
TRAIL = 2.1  # streaks are as long as a drop falls in so many frames: as the eye sees rain
WIND, GUSTS = 0.20, 0.11  # mean and spread of the wind over the speed of fall
WIDTHS = (0.0078, 0.0054, 0.0042)  # of streaks near, middle, far: standard deviations
POINTS = 24  # spots that make up a streak


class Rain(Family):
    """Slanting rain before dark cloud, driven by gusts."""

    name = "rain"
    description = "rain: motion-blurred drops at many depths, a gusty slant, drifting veils behind"
    stationary = ("space", "time")

    def __init__(self, size: int, seed: int) -> None:
        super().__init__(size, seed)
        self._drops = Falling(self, DROPS)
        self._depth = 1 + (FARTHEST - 1) * self.uniform(DROPS) ** 0.75
        self._speed = SPEED / self._depth * (0.88 + 0.24 * self.uniform(DROPS))
        self._layer = (self._depth > 1.5).long() + (self._depth > 2.1).long()
        self._spots = Spots(size, [_spot(width) for width in WIDTHS])
        width = torch.tensor(WIDTHS)[self._layer]
        bright = (0.6 + 0.8 * self.uniform(DROPS)) / self._depth
        # so many spots along the streak's length give this brightness at its middle
        self._weight = bright * self._speed * TRAIL / POINTS / (math.sqrt(2 * math.pi) * width)
        self._wind = SlowNoise(self, 1, memory=14.0)
        self._veils = DriftingNoise(self, 64, 1.6, _veil, memory=25.0, drift=(0.022, 0.005))
        self._fine = DriftingNoise(self, 160, 1.25, _sheet, memory=14.0, drift=(0.026, 0.006))

    def step(self) -> Tensor:
        """Advance by one frame and return it: (3, size, size), colours in [0, 1]."""
        slant = WIND + GUSTS * float(self._wind.step())
        self._drops.move(self._speed * slant, self._speed)
        back = torch.linspace(0, TRAIL, POINTS).view(-1, 1) * self._speed  # along the streak
        taper = torch.sin(torch.linspace(0.25, math.pi - 0.25, POINTS)).view(-1, 1) * 1.35
        x, y = self._drops.x - back * slant, self._drops.y - back
        weight, layer = (self._weight * taper).flatten(), self._layer.repeat(POINTS)
        white = 1 - torch.exp(-self._spots.draw(x.flatten(), y.flatten(), weight, layer))
        veil = resize(self._veils.step()[None, :40, :40], len(white))
        fine = resize(self._fine.step()[None, :128, :128], len(white))
        grey = 1 + 0.15 * veil + 0.10 * fine
        sky = colour(0.16, 0.205, 0.26) * grey
        return self._spots.pool(sky * (1 - white) + colour(0.86, 0.92, 0.98) * white)


def _spot(width: float) -> Callable[[Tensor], Tensor]:
    """Brightness of a spot by distance from its centre."""
    return lambda distance: torch.exp(-(distance**2) / (2 * width**2))


def _veil(ky: Tensor, kx: Tensor) -> Tensor:
    """Spectrum of the veils: patches a third of a frame wide."""
    return torch.exp(-((kx / 9.0) ** 2 + (ky / 6.0) ** 2) / 2)


def _sheet(ky: Tensor, kx: Tensor) -> Tensor:
    """Spectrum of the farthest rain, streaks too fine to tell apart: long along its slant."""
    along, across = ky + WIND * kx, kx - WIND * ky
    return torch.exp(-((along / 14.0) ** 2 + (across / 75.0) ** 2) / 2)
