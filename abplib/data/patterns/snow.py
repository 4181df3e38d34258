"""Snow: flakes at many depths that fall, sway and are blown about by a common wind."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .base import DriftingNoise, Family, SlowNoise, colour, resize
from .falling import Falling, Spots

FLAKES = 260  # on the torus, which is larger than the frame
NEAREST, FARTHEST = 1.0, 4.2  # depths, in units of the nearest
LAYERS = 6  # depths are drawn in so many sizes
RADIUS = 0.056  # of the nearest flakes, in frame widths; 1 / depth of it for the others
SPEED = 0.034  # fall of the nearest flakes, frame widths a frame
WIND, GUSTS = 0.010, 0.009  # mean and spread of the wind, at the nearest depth
SWAY = 0.020  # how far the nearest flakes swing to each side


class Snow(Family):
    """Snow falling through a blue dusk, near flakes large and far ones small."""

    name = "snow"
    description = "falling snow: flakes at many depths, each swaying, in a common gusty wind"
    stationary = ("space", "time")

    def __init__(self, size: int, seed: int) -> None:
        super().__init__(size, seed)
        self._flakes = Falling(self, FLAKES)
        share = self.uniform(FLAKES) ** 0.65  # far flakes are the most: there is more room
        self._depth = NEAREST + (FARTHEST - NEAREST) * share
        self._speed = SPEED / self._depth * (0.85 + 0.3 * self.uniform(FLAKES))
        self._phase = 2 * math.pi * self.uniform(FLAKES)
        self._swing = 0.09 + 0.14 * self.uniform(FLAKES)  # radians a frame
        nearness = 1 / self._depth
        steps = (1 - nearness) / (1 - 1 / FARTHEST) * LAYERS
        self._layer = steps.long().clamp(0, LAYERS - 1)
        radii = [RADIUS * (1 - (i + 0.5) / LAYERS * (1 - 1 / FARTHEST)) for i in range(LAYERS)]
        self._spots = Spots(size, [_flake(radius) for radius in radii])
        self._bright = 0.45 + 2.0 * self.uniform(FLAKES) * nearness.sqrt()
        self._wind = SlowNoise(self, 1, memory=16.0)
        self._haze = DriftingNoise(self, 48, 1.5, _veil, memory=40.0, drift=(0.004, 0.003))

    def step(self) -> Tensor:
        """Advance by one frame and return it: (3, size, size), colours in [0, 1]."""
        wind = WIND + GUSTS * float(self._wind.step())
        self._flakes.move(wind / self._depth, self._speed)
        self._phase = (self._phase + self._swing) % (2 * math.pi)
        aside = SWAY / self._depth * torch.sin(self._phase)
        cover = self._spots.draw(self._flakes.x + aside, self._flakes.y, self._bright, self._layer)
        white = 1 - torch.exp(-cover)
        haze = resize(self._haze.step()[None, :32, :32], len(white))
        dusk = colour(0.13, 0.18, 0.30) + colour(0.022, 0.026, 0.032) * haze
        return self._spots.pool(dusk * (1 - white) + colour(0.95, 0.97, 1.0) * white)


def _flake(radius: float) -> Callable[[Tensor], Tensor]:
    """Brightness of a flake by distance from its centre."""
    return lambda distance: torch.exp(-0.9 * (distance / radius * 1.25) ** 3)


def _veil(ky: Tensor, kx: Tensor) -> Tensor:
    """Spectrum of the haze: patches some third of a frame wide."""
    return torch.exp(-(kx**2 + ky**2) / (2 * 7.0**2))
