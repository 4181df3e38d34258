"""Water over stone: a shallow brook, a two-dimensional fluid that parts and foams at stones."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from .base import Family, SlowNoise, colour, smoothstep
from .drawing import Canvas, cloud, dome, ellipse

CELLS = 120  # side of the fluid's grid, a torus
SHOWN = 90  # side of the part in the frame
LEFT, TOP = 26, (CELLS - SHOWN) // 2  # the columns before the frame bring fresh, calm water
FRESH = 9  # columns in which the flow is set to that of the brook
SPEED = 1.25  # of the brook, cells a step
STEPS = 2  # fluid steps a frame
BURN_IN = 130  # fluid steps before the first frame: the water crosses the torus once
STONES = (  # rough places across and down, and radii, frame widths
    (0.23, 0.30, 0.115),
    (0.60, 0.20, 0.080),
    (0.47, 0.60, 0.140),
    (0.84, 0.47, 0.085),
    (0.17, 0.80, 0.085),
    (0.78, 0.86, 0.110),
)
FLAT = 0.72  # a stone is this much less high than wide: the brook is seen aslant
RISE = 0.36  # how far a stone stands out of the water, in its radii


class Waterstone(Family):
    """A brook that runs between and over stones, with ripples, eddies and foam."""

    name = "waterstone"
    description = "a brook over stones: a two-dimensional fluid, eddies, foam, refraction, glints"
    stationary = ("time",)

    def __init__(self, size: int, seed: int) -> None:
        super().__init__(size, seed)
        count = len(STONES)
        jitter = 0.045 * (2 * self.uniform(count, 2) - 1)
        rough = torch.tensor(STONES)
        self._centres = rough[:, :2] + jitter
        self._radii = rough[:, 2:] * (0.88 + 0.24 * self.uniform(count, 1))
        self._turns = 0.5 * (2 * self.uniform(count) - 1)
        self._gusts = SlowNoise(self, 12, memory=10.0)
        self._fluid()
        self._scene()
        for _ in range(BURN_IN):
            self._advance()

    def _ovals(self, x: Tensor, y: Tensor, up: float = 0.0, grow: float = 1.0) -> Tensor:
        """Signed distances of the stones' outlines, raised by ``up`` radii: (stones, P, P)."""
        tall = torch.tensor([1.0, FLAT])
        centres = self._centres - up * self._radii * torch.tensor([0.0, 1.0])
        return ellipse(x, y, centres, self._radii * tall * grow, self._turns)

    def _fluid(self) -> None:
        """Set up the fluid: an even flow, the stones in it, wave numbers."""
        cells = torch.arange(CELLS, dtype=torch.float32)
        self._rows, self._columns = cells.view(-1, 1), cells.view(1, -1)
        x, y = (self._columns + 0.5 - LEFT) / SHOWN, (self._rows + 0.5 - TOP) / SHOWN
        distance = self._ovals(x, y).amin(0) * SHOWN
        self._open = smoothstep(distance, -1.5, 0.8)  # 0 in stone, 1 in water
        self._shore = torch.exp(-((distance / 2.2) ** 2)) * (distance > -2)
        self._down, self._across = torch.gradient(distance, dim=(0, 1))
        self._mouth = smoothstep(-self._columns, -float(FRESH), -2.0)
        f = 2 * math.pi * torch.fft.fftfreq(CELLS)
        g = 2 * math.pi * torch.fft.rfftfreq(CELLS)
        self._ky, self._kx = f.view(-1, 1), g.view(1, -1)
        square = self._kx**2 + self._ky**2
        self._keep = torch.exp(-((square / 1.4**2) ** 2)) * torch.exp(-0.012 * square)
        square[0, 0] = 1.0
        self._inverse_square = 1.0 / square
        self._velocity = torch.zeros(2, CELLS, CELLS)  # across, down; cells a step
        self._velocity[0] = SPEED * self._open
        self._foam = torch.zeros(1, CELLS, CELLS)
        self._relief = torch.zeros(1, CELLS, CELLS)

    def _push(self) -> None:
        """Hold the water in the stones, feed the brook, keep small eddies alive."""
        u, v = self._velocity[0], self._velocity[1]
        spin = _slope(v, 1) - _slope(u, 0)
        size = spin.abs()
        down, across = _slope(size, 0), _slope(size, 1)
        length = torch.hypot(down, across) + 1e-3
        gusts = functional.interpolate(
            self._gusts.step().view(2, 1, 6, 1), size=(CELLS, 1), mode="bicubic"
        )[:, 0]
        brook = torch.stack([SPEED + 0.10 * gusts[0], 0.16 * gusts[1]])
        flow = torch.stack([u + 0.13 * down / length * spin, v - 0.13 * across / length * spin])
        flow[0] += 0.012 * (SPEED - u)  # the bed's fall drives the water against friction
        flow = flow + self._mouth * 0.5 * (brook - flow)
        self._velocity = flow * self._open
        self._spin = size

    def _project(self) -> None:
        """Remove the divergence (in Fourier space, on the torus)."""
        fu, fv = torch.fft.rfft2(self._velocity)
        along = (self._kx * fu + self._ky * fv) * self._inverse_square
        fu, fv = (fu - self._kx * along) * self._keep, (fv - self._ky * along) * self._keep
        self._velocity = torch.fft.irfft2(torch.stack([fu, fv]), s=(CELLS, CELLS))

    def _advance(self) -> None:
        """One step of the fluid: push, project, stir up foam and ripples, carry all along."""
        self._push()
        self._project()
        u, v = self._velocity
        strike = (-(u * self._across + v * self._down)).clamp(min=0) * self._shore
        stirred = 0.60 * (self._spin - 0.22).clamp(min=0) + 0.55 * strike
        ripple = functional.interpolate(
            self.normal(1, 1, 48, 24), size=(CELLS, CELLS), mode="bilinear"
        )[0]
        self._relief = 0.90 * self._relief + 0.28 * ripple
        self._foam = (0.965 * self._foam + stirred - 0.003).clamp(0, 1.2)
        x = (self._columns - u + 0.5) % CELLS * (2 / CELLS) - 1
        y = (self._rows - v + 0.5) % CELLS * (2 / CELLS) - 1
        carried = functional.grid_sample(
            torch.cat([self._velocity, self._foam, self._relief])[None],
            torch.stack([x, y], -1)[None],
            padding_mode="border",
            align_corners=False,
        )[0]
        self._velocity = carried[:2]
        foam = carried[2:3]
        near = foam.roll(1, 1) + foam.roll(-1, 1) + foam.roll(1, 2) + foam.roll(-1, 2)
        foam = foam + 0.12 * (near / 4 - foam)
        self._foam = foam * (1 - 0.5 * self._mouth) * self._open
        self._relief = carried[3:]

    def _scene(self) -> None:
        """Paint what stands still: the pebbles of the bed, and the stones above the water."""
        canvas = Canvas(self.size, torch.zeros(3, 1, 1))
        x, y, count = canvas.x, canvas.y, canvas.image.shape[-1]
        grain, patch = cloud(self, count, rough=1.7), cloud(self, count, rough=2.6)
        pebbles = 0.5 + 0.16 * grain + 0.14 * patch
        self._bed = torch.lerp(colour(0.07, 0.17, 0.18), colour(0.38, 0.40, 0.29), pebbles)
        waterline, body = self._ovals(x, y), self._ovals(x, y, up=RISE, grow=0.93)
        rock = colour(0.60, 0.57, 0.53)
        for line, top, radius in zip(waterline, body, self._radii[:, 0].tolist(), strict=True):
            whole = torch.minimum(line, top)
            height = dome(top, 0.9 * radius) * 0.60 * radius + 0.0035 * patch
            lit = 0.24 + 1.15 * canvas.light(height)
            dry = smoothstep(-(top + 0.30 * radius), -0.25 * radius, 0.25 * radius)
            tint = rock * (0.45 + 0.55 * dry) * (1 + 0.05 * grain + 0.06 * patch)
            canvas.paint(tint * lit, whole)
        self._stones = canvas.image
        self._shown = canvas.cover(torch.minimum(waterline.amin(0), body.amin(0)))
        shade = self._ovals(x - 0.018, y - 0.016).amin(0)
        self._shade = 1 - 0.45 * smoothstep(-shade, -0.03, 0.01)
        self._samples, self._count, self._soft = canvas.samples, count, canvas.soft
        self._x, self._y = x, y

    def step(self) -> Tensor:
        """Advance by one frame and return it: (3, size, size), colours in [0, 1]."""
        for _ in range(STEPS):
            self._advance()
        speed = torch.hypot(self._velocity[0], self._velocity[1])[None]
        fields = torch.cat([self._foam, self._relief, speed])
        fields = fields[:, TOP : TOP + SHOWN, LEFT : LEFT + SHOWN]
        fields = functional.interpolate(
            fields[None], size=(self._count, self._count), mode="bicubic", align_corners=False
        )[0]
        foam, relief, fast = fields
        height = 0.0075 * relief - 0.012 * fast
        down, across = torch.gradient(height, spacing=self._soft, dim=(0, 1))
        place = torch.stack(
            [(self._x - 0.10 * across) * 2 - 1, (self._y - 0.10 * down) * 2 - 1], -1
        )
        bed = functional.grid_sample(
            self._bed[None], place[None], padding_mode="reflection", align_corners=False
        )[0]
        tilt = 1.0 * across + 1.5 * down
        sky = smoothstep(tilt, -0.25, 0.70)
        water = bed * self._shade * (1 - 0.55 * sky) + colour(0.46, 0.64, 0.80) * (
            0.10 + 0.70 * sky
        )
        water = water + 0.8 * smoothstep(tilt, 0.45, 0.95) * colour(1.0, 1.0, 0.95)
        white = smoothstep(foam * (1 + 0.35 * relief), 0.08, 1.05)
        water = torch.lerp(water, colour(0.92, 0.96, 0.98), white)
        image = torch.lerp(water, self._stones, self._shown)
        return functional.avg_pool2d(image[None].clamp(0, 1), self._samples)[0]


def _slope(field: Tensor, dim: int) -> Tensor:
    """Central difference along ``dim``, periodic."""
    return (field.roll(-1, dim) - field.roll(1, dim)) / 2
