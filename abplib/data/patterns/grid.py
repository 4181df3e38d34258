"""Moving grid: an elastic lattice that drifts, turns and ripples before a still wall."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .base import Family, SlowNoise, colour, smoothstep
from .drawing import Canvas, box, cloud, polygon

MESH = 0.190  # side of a mesh, frame widths
BAR = 0.0185  # half the width of a bar
SWAY = 0.085  # root-mean-square excursion of the whole lattice, frame widths
TILT = 0.10  # root-mean-square turn, radians
PULSE = 0.05  # root-mean-square change of its size, as it swings to and from the viewer
RIPPLE = 0.0100  # root-mean-square displacement by each ripple
WAVES = 2 * math.pi * torch.tensor([[0.9, 0.3], [-0.4, 1.0], [1.3, -0.8], [0.7, 1.5]])
SHADOW = (0.040, 0.055)  # where the shadow falls on the wall, from the lattice


class Grid(Family):
    """A net of pale bars before a sunny wall; it swings irregularly and its shadow follows."""

    name = "grid"
    description = "an elastic lattice that sways, turns and ripples before a still wall, its shadow"
    stationary = ("time",)

    def __init__(self, size: int, seed: int) -> None:
        super().__init__(size, seed)
        self._swing = SlowNoise(self, 4, memory=8.0)
        self._ripples = SlowNoise(self, 4 * len(WAVES), memory=7.0)
        self._wall = self._build(size)
        canvas = Canvas(size, torch.zeros(3, 1, 1))
        count = canvas.image.shape[-1]
        self._x, self._y = canvas.x.expand(count, count), canvas.y.expand(count, count)
        angle = WAVES[:, 0].view(-1, 1, 1) * self._x + WAVES[:, 1].view(-1, 1, 1) * self._y
        self._basis = torch.cat([torch.cos(angle), torch.sin(angle)])

    def _build(self, size: int) -> Tensor:
        """The picture of the wall and of the shutter in it, (3, P, P)."""
        canvas = Canvas(size, torch.zeros(3, 1, 1))
        x, y, count = canvas.x, canvas.y, canvas.image.shape[-1]
        stains, grain = cloud(self, count, rough=2.6), cloud(self, count, rough=0.8)
        light = 0.86 + 0.14 * (1 - x) - 0.14 * y
        plaster = colour(0.80, 0.60, 0.38) + 0.045 * stains * colour(1.0, 0.9, 0.7)
        canvas.paint((plaster + 0.02 * grain) * light, torch.full((count, count), -1.0))
        left = 0.12 + 0.36 * float(self.uniform(1))
        middle, half = (left + 0.20, 0.46), (0.20, 0.27)
        shade = box(x, y, (middle[0] + 0.02, middle[1] + 0.025), half)
        canvas.paint(colour(0.30, 0.20, 0.13), shade, 0.6)
        canvas.paint(colour(0.88, 0.83, 0.72) * light, box(x, y, middle, (half[0] + 0.02, 0.29)))
        slat = ((y - 0.19) / 0.06) % 1.0
        paint = colour(0.13, 0.36, 0.42) * (0.55 + 0.75 * slat) * (1 + 0.06 * grain)
        canvas.paint(paint, box(x, y, middle, half))
        canvas.paint(colour(0.08, 0.22, 0.27), box(x, y, middle, (0.008, half[1])))
        sill = [[left - 0.04, 0.75], [left + 0.44, 0.75], [left + 0.45, 0.79], [left - 0.05, 0.79]]
        canvas.paint(colour(0.90, 0.86, 0.78) * (1 - 6 * (y - 0.75)), polygon(x, y, sill))
        return canvas.image

    def _place(self, shift: tuple[float, float]) -> tuple[Tensor, Tensor]:
        """Where on the lattice at rest each sample lies, moved by a shift: two (P, P)."""
        right, down, turn, pulse = self._state
        ripples = self._displacement
        dx = self._x - shift[0] - 0.5 - right + ripples[0]
        dy = self._y - shift[1] - 0.5 - down + ripples[1]
        scale = math.exp(-pulse)
        cosine, sine = scale * math.cos(turn), scale * math.sin(turn)
        return dx * cosine + dy * sine, dy * cosine - dx * sine

    def step(self) -> Tensor:
        """Advance by one frame and return it: (3, size, size), colours in [0, 1]."""
        spread = torch.tensor([SWAY, SWAY, TILT, PULSE])
        self._state = (spread * self._swing.step()).tolist()
        weights = RIPPLE * self._ripples.step().view(2, -1)
        self._displacement = torch.tensordot(weights, self._basis, 1)

        canvas = Canvas(self.size, self._wall)
        u, v = (_offset(part) for part in self._place(SHADOW))
        near = torch.minimum(u.abs(), v.abs())
        shade = 1 - smoothstep(near, BAR - 0.010, BAR + 0.018)
        canvas.image *= 1 - 0.38 * shade

        u, v = self._place((0.0, 0.0))
        cells = torch.floor(u / MESH) + torch.floor(v / MESH)
        u, v = _offset(u), _offset(v)
        wires = [(_bar(u, 0.16), u.abs() - BAR), (_bar(v, 0.30), v.abs() - BAR)]
        over = (cells % 2 == 0).float()  # the bars are woven: each passes over and under in turn
        for (paint, distance), top in zip(wires, (1 - over, over), strict=True):
            canvas.paint(paint, distance, 1 - top)
        for (paint, distance), top in zip(wires, (1 - over, over), strict=True):
            canvas.paint(paint, distance, top)
        return canvas.frame()


def _offset(place: Tensor) -> Tensor:
    """Signed distance to the middle line of the nearest bar."""
    return ((place / MESH) % 1.0 - 0.5) * MESH


def _bar(offset: Tensor, bend: float) -> Tensor:
    """Colours of a round, pale bar lit from one side, at offsets from its middle line."""
    across = (offset / BAR).clamp(-1, 1)
    facing = (1 - across * across).sqrt()
    light = (0.30 + 0.62 * facing - bend * 1.3 * across).clamp(0.1, 1.1)
    return colour(0.97, 0.95, 0.90) * light
