"""Flag: cloth on a pole, with travelling waves whose amplitudes wander at random."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from .base import Family, SlowNoise, colour, pixel_grid

POLE, LENGTH = 0.075, 0.85  # left edge and length of the cloth, in frame widths
HEAD, DEPTH = 0.17, 0.56  # upper edge and depth of the cloth
ALONG = 2 * math.pi * torch.tensor([1.05, 1.40, 1.85, 2.40, 3.10, 4.00])  # radians a length
ACROSS = torch.tensor([1.2, -1.7, 2.2, -0.9, 2.8, -2.6])  # radians a depth
SPEED = 0.033  # phase speed of the waves, lengths a frame
SIZES = 0.115 * torch.tensor([1.0, 0.90, 0.70, 0.48, 0.30, 0.18])  # of the waves, root mean square
STIFF = 2.6  # the cloth is held at the pole: waves grow as 1 - exp(-STIFF u)


class Flag(Family):
    """A striped flag with a sun in its canton, waving before a clear sky."""

    name = "flag"
    description = "a flag on a pole: travelling waves of wandering strength, shading, clear sky"
    stationary = ("time",)

    def __init__(self, size: int, seed: int) -> None:
        super().__init__(size, seed)
        count = len(ALONG)
        self._phase = 2 * math.pi * self.uniform(count)
        self._weights = SlowNoise(self, 2 * count, memory=11.0)
        self._wind = SlowNoise(self, 2, memory=14.0)
        self._samples = max(1, math.ceil(160 / size))
        self._rows, self._columns = pixel_grid(size * self._samples)
        high, low = colour(0.40, 0.61, 0.87), colour(0.80, 0.88, 0.95)
        self._sky = high * (1 - self._rows) + low * self._rows

    def _height(self, u: Tensor, v: Tensor) -> Tensor:
        """How far the cloth stands out of its plane at (u, v): (P, P), in flag lengths."""
        total = torch.zeros_like(u)
        for k, q, size, phase in self._waves:
            total += size * torch.sin(k * u + q * v + phase)
        return (1 - torch.exp(-STIFF * u.clamp(min=0))) * total

    def _slopes(self, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Slopes of the cloth along u and v."""
        total, along, across = torch.zeros_like(u), torch.zeros_like(u), torch.zeros_like(u)
        for k, q, size, phase in self._waves:
            angle = k * u + q * v + phase
            turn = size * torch.cos(angle)
            total += size * torch.sin(angle)
            along += k * turn
            across += q * turn
        free = torch.exp(-STIFF * u.clamp(min=0))
        return (1 - free) * along + STIFF * free * total, (1 - free) * across

    def _advance(self) -> None:
        """Move every wave on: its two weights wander, its phase travels down the cloth."""
        sine, cosine = self._weights.step().view(2, -1)
        size = SIZES * (sine**2 + cosine**2).sqrt()
        self._phase = (self._phase - ALONG * SPEED) % (2 * math.pi)
        phase = self._phase + torch.atan2(cosine, sine)
        self._waves = torch.stack([ALONG, ACROSS, size, phase], 1).tolist()
        self._droop, self._reach = self._wind.step().tolist()

    def step(self) -> Tensor:
        """Advance by one frame and return it: (3, size, size), colours in [0, 1]."""
        self._advance()
        u = flat = (self._columns - POLE) / LENGTH
        v = down = (self._rows - HEAD) / DEPTH
        for _ in range(3):  # fixed point: which point of the cloth is seen at each pixel
            height = self._height(u, v)
            u = flat * (1.03 + 0.02 * self._reach) + 0.10 * height
            fall = (0.075 - 0.030 * self._droop) * u.clamp(min=0) ** 2
            v = down - (0.17 * height + fall) / DEPTH
        image = self._paint(u, v, *self._slopes(u, v))
        return functional.avg_pool2d(image[None].clamp(0, 1), self._samples)[0]

    def _paint(self, u: Tensor, v: Tensor, along: Tensor, across: Tensor) -> Tensor:
        """The lit cloth over the sky, and the pole."""
        normal = torch.stack([-0.75 * along, -0.75 * across, torch.ones_like(u)])
        normal = normal / normal.norm(dim=0)
        light = (normal * colour(-0.55, -0.35, 0.76)).sum(0).clamp(0, 1)
        cloth = _design(u, v) * (0.26 + 0.92 * light) + 0.25 * light**14
        on = ((u > 0) & (u < 1) & (v > 0) & (v < 1)).float()
        image = self._sky * (1 - on) + cloth * on
        side = (self._columns - POLE + 0.018) / 0.018
        pole = ((side.abs() < 1) & (self._rows > 0.07)).float()
        return image * (1 - pole) + colour(0.62, 0.60, 0.58) * (0.85 - 0.45 * side) * pole


def _design(u: Tensor, v: Tensor) -> Tensor:
    """Colours of the flat cloth: stripes, and a sun in the canton."""
    stripe = (v * 5).floor() % 2
    cloth = colour(0.80, 0.08, 0.10) * (1 - stripe) + colour(0.94, 0.93, 0.89) * stripe
    canton = ((u < 0.42) & (v < 0.6)).float()
    across, down = (u - 0.21) * LENGTH, (v - 0.30) * DEPTH
    sun = ((across**2 + down**2).sqrt() < 0.095).float()
    device = colour(0.07, 0.13, 0.43) * (1 - sun) + colour(0.97, 0.83, 0.22) * sun
    return cloth * (1 - canton) + device * canton
