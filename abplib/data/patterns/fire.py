"""Fire: a small two-dimensional fluid with buoyancy, cooling and black-body colours."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from .base import Family, SlowNoise, resize, smoothstep

CELLS = 128  # side of the fluid's grid
SHOWN = 96  # side of the part in the frame
LEFT = (CELLS - SHOWN) // 2
TOP = CELLS - SHOWN - 10  # the last rows, below the frame, hold the foot of the bed
STEPS = 2  # fluid steps a frame
BURN_IN = 160  # fluid steps before the first frame: two to three rises of the hot gas
TONGUES = 9


class Fire(Family):
    """A bed of flame tongues that rise, lick, tear off and never go out."""

    name = "fire"
    description = "flames over a bed of embers: a fluid with buoyancy, cooling, black-body colours"
    stationary = ("time",)

    def __init__(self, size: int, seed: int) -> None:
        super().__init__(size, seed)
        cells = torch.arange(CELLS, dtype=torch.float32)
        self._rows, self._columns = torch.meshgrid(cells, cells, indexing="ij")
        self._strength = SlowNoise(self, TONGUES, memory=9.0)
        self._sway = SlowNoise(self, TONGUES, memory=14.0)
        self._gusts = SlowNoise(self, 16, memory=8.0)
        self._velocity = torch.zeros(2, CELLS, CELLS)  # across, down; cells a step
        self._heat = torch.zeros(1, CELLS, CELLS)
        self._prepare()
        for _ in range(BURN_IN):
            self._advance()

    def _prepare(self) -> None:
        """Set up all that stays the same: mean flow, margins, wave numbers, the bed's shape."""
        self._draught = self._mean_flow()
        edge = torch.minimum(self._columns, CELLS - 1 - self._columns)
        edge = torch.minimum(edge, self._rows)
        self._margin = smoothstep(edge, 0.0, 14.0)  # 0 at the sides and the top, 1 inside
        f = 2 * math.pi * torch.fft.fftfreq(CELLS)
        g = 2 * math.pi * torch.fft.rfftfreq(CELLS)
        self._ky, self._kx = f.view(-1, 1), g.view(1, -1)
        square = self._kx**2 + self._ky**2
        # what stays of each eddy a step: wide ones (over 56 cells) and the finest are damped
        self._keep = 1.0 - 0.22 / (1.0 + square / (2 * math.pi / 56) ** 2) ** 2
        self._keep *= torch.exp(-((square / 1.3**2) ** 2))
        square[0, 0] = 1.0
        self._inverse_square = 1.0 / square
        self._bed = smoothstep(self._rows - (CELLS - 18), 0.0, 12.0)
        places = torch.linspace(-0.86, 0.86, TONGUES)
        self._places = (CELLS - 1) / 2 + places * SHOWN / 2
        self._power = 1.08 - 0.35 * places**2

    def _mean_flow(self) -> Tensor:
        """The steady draught: it speeds up with height and so pulls the flames together."""
        height = (CELLS - 14 - self._rows).clamp(min=0)
        speed = 0.75 + 0.75 * (1 - torch.exp(-height / 30))
        gain = 0.75 / 30 * torch.exp(-height / 30) * (height > 0)
        across = self._columns - (CELLS - 1) / 2
        return torch.stack([-0.4 * across * gain, -speed])

    def _source(self) -> Tensor:
        """Heat that the bed gives now: (rows, columns)."""
        strength = self._power * (0.76 + 0.50 * torch.tanh(self._strength.step()))
        centre = self._places + 3.0 * self._sway.step()
        columns = self._columns[0].view(-1, 1)
        bumps = strength * torch.exp(-(((columns - centre) / 6.5) ** 2))
        return self._bed * bumps.sum(1).clamp(max=1.25)

    def _forces(self) -> None:
        """Vorticity confinement, gusts and buoyancy; calm at the margins."""
        u, v = self._velocity[0], self._velocity[1]
        spin = _slope(v, 1) - _slope(u, 0)
        size = spin.abs()
        down, across = _slope(size, 0), _slope(size, 1)
        length = (down**2 + across**2).sqrt() + 1e-3
        gusts = functional.interpolate(
            self._gusts.step().view(1, 1, 4, 4), size=(CELLS, CELLS), mode="bicubic"
        )[0, 0]
        heat = self._heat[0]
        self._velocity = self._velocity + torch.stack(
            [
                0.16 * down / length * spin + 0.03 * gusts * (heat > 0.05),
                -0.16 * across / length * spin - 0.060 * heat,
            ]
        )
        self._velocity = self._velocity * self._margin

    def _project(self) -> None:
        """Remove the divergence and damp the eddies (in Fourier space, on the torus)."""
        fu, fv = torch.fft.rfft2(self._velocity[0]), torch.fft.rfft2(self._velocity[1])
        along = (self._kx * fu + self._ky * fv) * self._inverse_square
        fu, fv = (fu - self._kx * along) * self._keep, (fv - self._ky * along) * self._keep
        self._velocity = torch.fft.irfft2(torch.stack([fu, fv]), s=(CELLS, CELLS))

    def _advance(self) -> None:
        """One step of the fluid: feed, push, project, carry, cool."""
        self._heat = torch.maximum(self._heat, self._source()[None])
        self._forces()
        self._project()
        flow = self._draught + self._velocity
        x = (self._columns - flow[0]) * (2 / (CELLS - 1)) - 1
        y = (self._rows - flow[1]) * (2 / (CELLS - 1)) - 1
        carried = functional.grid_sample(
            torch.cat([self._velocity, self._heat])[None],
            torch.stack([x, y], -1)[None],
            padding_mode="border",
            align_corners=True,
        )[0]
        self._velocity, heat = carried[:2], carried[2:]
        mean = (heat.roll(1, 1) + heat.roll(-1, 1) + heat.roll(1, 2) + heat.roll(-1, 2)) / 4
        heat = heat + 0.22 * (mean - heat)
        self._heat = (heat - 0.0092 - 0.008 * heat).clamp(min=0) * self._margin

    def step(self) -> Tensor:
        """Advance by one frame and return it: (3, size, size), colours in [0, 1]."""
        for _ in range(STEPS):
            self._advance()
        heat = resize(self._heat[:, TOP : TOP + SHOWN, LEFT : LEFT + SHOWN], self.size)[0]
        return black_body(heat)


def black_body(heat: Tensor) -> Tensor:
    """Colours of glowing gas: (H, W) heat from 0 to about 1.2, to (3, H, W) in [0, 1]."""
    red = 0.02 + 0.98 * smoothstep(heat, 0.02, 0.38)
    green = 0.01 + 0.93 * smoothstep(heat, 0.14, 0.80)
    blue = 0.02 + 0.78 * smoothstep(heat, 0.50, 1.15)
    return torch.stack([red, green, blue])


def _slope(field: Tensor, dim: int) -> Tensor:
    """Central difference along ``dim``, periodic."""
    return (field.roll(-1, dim) - field.roll(1, dim)) / 2
