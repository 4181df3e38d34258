"""Waterfall: water that leaves the lip of a cliff in strands, falls freely, hits ledges, foams."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from .base import DriftingNoise, Family, colour, resize, smoothstep
from .drawing import Canvas, cloud

LIP, POOL = 0.15, 0.80  # heights of the lip and of the pool, frame widths from the top
GRAVITY = 0.0031  # frame widths a frame squared
START = 0.017  # speed at the lip, frame widths a frame
LEDGE = 0.44  # mean height of the ledge; the water is slowed there to LEFT of its speed
LEFT = 0.45
ROWS = 3  # rows of the strands' history, a frame
STRANDS = 128  # samples across the history, one frame width
MODES = 30  # waves across it: the finest strands are 1 / 30 of the frame
HALF = 0.185  # half the width of the fall at the lip


class Waterfall(Family):
    """Water falling over a ledge of rock into a pool, with foam and mist."""

    name = "waterfall"
    description = "a waterfall: strands in free fall, broken by a ledge, foam, mist, wet rock"
    stationary = ("time",)

    def __init__(self, size: int, seed: int) -> None:
        super().__init__(size, seed)
        canvas = Canvas(size, torch.zeros(3, 1, 1))
        self._count = canvas.image.shape[-1]
        x, y = torch.broadcast_tensors(canvas.x, canvas.y)
        self._shelf = LEDGE + 0.035 * cloud(self, self._count, rough=3.0)[0].clamp(-2, 2)
        self._age = self._travel(y)
        self._rows = math.ceil(float(self._age.max()) * ROWS) + 2
        self._rock = self._cliff(x, y)
        self._prepare(x, y)
        self._begin()

    def _travel(self, y: Tensor) -> Tensor:
        """Frames since the water now at each point left the lip, (P, P): dt = dy / v."""
        above = (y - LIP).clamp(0)
        fast = (START**2 + 2 * GRAVITY * above).sqrt()
        at = (START**2 + 2 * GRAVITY * (self._shelf - LIP)).sqrt() * LEFT
        slow = (at**2 + 2 * GRAVITY * (y - self._shelf).clamp(min=0)).sqrt()
        turn = smoothstep(y - self._shelf, -0.012, 0.012)
        self._speed = fast * (1 - turn) + slow * turn
        return ((y > LIP) / self._speed).cumsum(0) / self._count

    def _cliff(self, x: Tensor, y: Tensor) -> Tensor:
        """The rock, its moss and the green above, without the water: (3, P, P)."""
        layers = cloud(self, self._count, rough=2.4, stretch=0.35)
        grain, leaves = cloud(self, self._count, rough=2.4), cloud(self, self._count, rough=1.9)
        down, across = torch.gradient(layers + 0.4 * grain, spacing=4.0, dim=(0, 1))
        light = (0.46 - 1.6 * down - 1.2 * across + 0.05 * layers).clamp(0.10, 1.0)
        rock = colour(0.46, 0.42, 0.38) * light
        wet = torch.exp(-(((x - 0.5).abs() - HALF - 0.04).clamp(min=0) / 0.12))
        rock = rock * (1 - 0.45 * wet)
        aside = (x - 0.5).abs()
        moss = smoothstep(layers + 5.0 * aside - 2.0 * y, 0.6, 1.8)
        rock = torch.lerp(rock, colour(0.20, 0.34, 0.11) * (0.75 + 0.35 * leaves), 0.8 * moss)
        green = colour(0.16, 0.33, 0.10) * (0.75 + 0.40 * leaves).clamp(min=0.15)
        brow = LIP - 0.02 - 0.25 * (aside - HALF).clamp(min=0) + 0.015 * layers
        return torch.lerp(rock, green, smoothstep(brow - y, -0.01, 0.01)).clamp(0, 1)

    def _prepare(self, x: Tensor, y: Tensor) -> None:
        """Set up what stays the same: outline and depth of the fall, places of foam and mist."""
        fallen = ((y - LIP) / (POOL - LIP)).clamp(0, 1)
        below = smoothstep(y - self._shelf, -0.01, 0.03)
        half = HALF * (1 + 0.18 * fallen + 0.28 * below)
        ragged = 0.05 * cloud(self, self._count, rough=2.2, stretch=0.3)
        self._across = (x - 0.5) / half
        thick = 1.25 - self._across**4 * 1.5 + ragged * 6 * (0.4 + fallen)
        self._thick = thick.clamp(min=-1.5)
        self._white = 0.28 + 0.33 * fallen.sqrt() + 0.13 * below
        self._inside = smoothstep(y, LIP - 0.012, LIP + 0.012) * smoothstep(-y, -POOL - 0.02, -POOL)
        struck = torch.exp(-(((y - self._shelf - 0.012) / 0.022) ** 2))
        self._struck = 0.75 * struck * (self._across.abs() < 1.15)
        u = ((x - 0.5) / (1 + 0.30 * fallen + 0.12 * below) + 0.5) * 2 - 1
        self._u = u
        away = torch.hypot((x - 0.5) * 0.8 / (HALF * 1.4), (y - POOL) / 0.12)
        self._pool = smoothstep(y, POOL - 0.008, POOL + 0.012)
        self._foamy = 2.3 - 1.75 * away
        mist = torch.exp(-(((x - 0.5) / 0.34) ** 2) - ((y - POOL + 0.01) / 0.125) ** 2)
        self._mist = 1.15 * mist
        self._depths = torch.lerp(colour(0.10, 0.25, 0.25), colour(0.03, 0.13, 0.15), fallen)

    def _begin(self) -> None:
        """Start the random processes and let water fall until it reaches the pool."""
        number = torch.arange(1, MODES + 1, dtype=torch.float32)
        memory = ROWS * (1.3 + 3.2 / (1 + number / 6))  # wide strands last longer
        self._keep = torch.exp(-1 / memory).view(1, -1)
        scale = ((1 - self._keep**2) ** 3 / (1 + self._keep**2)).sqrt()
        power = 1 / (1 + (number / 10) ** 1.5)
        self._scale = scale * (power / power.sum()).sqrt()
        turns = 2 * math.pi * torch.arange(STRANDS) / STRANDS
        angle = number.view(-1, 1) * turns
        self._waves = torch.cat([torch.cos(angle), torch.sin(angle)])
        self._state = torch.zeros(2, 2, MODES)
        self._history = torch.zeros(self._rows, STRANDS)
        for _ in range(math.ceil(8 * float(memory.max()) / ROWS) + self._rows // ROWS + 1):
            self._emit()
        self._foam = DriftingNoise(self, 96, 1.2, _patches, memory=9.0, drift=(0.0075, 0.0))
        self._puffs = DriftingNoise(self, 48, 1.5, _puffs, memory=9.0, drift=(-0.011, 0.004))

    def _emit(self) -> None:
        """One frame of new strands at the lip, newest first in the history."""
        fresh = []
        for _ in range(ROWS):
            first = self._keep * self._state[0] + self.normal(2, MODES)
            self._state = torch.stack([first, self._keep * self._state[1] + first])
            fresh.append((self._state[1] * self._scale).flatten() @ self._waves)
        self._history = torch.cat([torch.stack(fresh[::-1]), self._history[:-ROWS]])

    def _strands(self, age: Tensor, u: Tensor) -> Tensor:
        """The history at ages (P, P), in frames, and places u (P, P) in [-1, 1] across: (P, P)."""
        v = age * (2 * ROWS / (self._rows - 1)) - 1
        grid = torch.stack([u, v], -1)[None]
        return functional.grid_sample(
            self._history[None, None], grid, padding_mode="reflection", align_corners=True
        )[0, 0]

    def step(self) -> Tensor:
        """Advance by one frame and return it: (3, size, size), colours in [0, 1]."""
        self._emit()
        main = self._strands(self._age, self._u)
        spray = self._strands(self._age * 0.93, 0.9 * self._u + 0.07)  # in front, and faster
        relief = main - self._strands(self._age, self._u - 0.025)
        cover = 1 - torch.exp(-1.5 * functional.softplus(1.6 * (self._thick + 0.55 * main)))
        cover = cover * smoothstep(self._thick + 0.30 * spray, -0.25, 0.45) * self._inside
        bright = self._white + 0.15 * main + 0.13 * spray + 0.15 * relief + 0.30 * self._struck
        water = torch.lerp(colour(0.20, 0.38, 0.45), colour(0.95, 0.98, 1.0), bright.clamp(0, 1))
        image = torch.lerp(self._rock, water, cover)

        count = self._count
        foam = resize(self._foam.step()[None, :80, :80], count)[0]
        froth = smoothstep(self._foamy + 0.9 * foam, 0.0, 1.8)
        surface = self._depths * (1 + 0.22 * foam)
        image = torch.lerp(image, torch.lerp(surface, colour(0.88, 0.95, 0.97), froth), self._pool)
        puffs = resize(self._puffs.step()[None, :32, :32], count)[0]
        mist = (self._mist * (0.50 + 0.30 * puffs)).clamp(0, 0.92)
        image = torch.lerp(image, colour(0.88, 0.93, 0.96), mist)
        samples = count // self.size
        return functional.avg_pool2d(image[None], samples)[0].clamp(0, 1)


def _patches(ky: Tensor, kx: Tensor) -> Tensor:
    """Spectrum of the foam on the pool, foreshortened: wider than high."""
    return torch.exp(-((kx / 26.0) ** 2 + (ky / 60.0) ** 2) / 2)


def _puffs(ky: Tensor, kx: Tensor) -> Tensor:
    """Spectrum of the mist: round puffs a sixth of a frame wide."""
    return torch.exp(-(kx**2 + ky**2) / (2 * 14.0**2))
