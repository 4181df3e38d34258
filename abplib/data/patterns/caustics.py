"""Caustics: sunlight that a wavy surface of water bends into a net of light on the bottom."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .base import Family, colour, resize

CELLS = 80  # of the picture of the bottom, across the frame
BEYOND = 0.18  # rays start up to this far outside the frame, in frame widths
RAYS = 2  # per cell and direction
RIM = 3  # cells around the frame: the outermost take the rays that miss, the blur needs two
MODES = 64  # side of the wave field's grid, which spans TORUS frames
TORUS = 1.75
LONGEST, SHORTEST = 0.62, 0.17  # wavelengths of the ripples, frame widths
PERIOD = 30.0  # period of a ripple of wavelength 0.3, frames
FOCUS = 0.046  # how far a ray of typical slope is bent aside, in frame widths: depth times slope
DISPERSION = 0.035  # blue is bent by this much more than green, red by as much less
DRIFT = (0.0013, -0.0021)  # of the surface as a whole, down and across, frame widths a frame


class Caustics(Family):
    """A dancing net of sunlight on the bottom of a pool."""

    name = "caustics"
    description = (
        "light on a pool's bottom: rays refracted by ripples, gathered, a little dispersed"
    )
    stationary = ("space", "time")

    def __init__(self, size: int, seed: int) -> None:
        super().__init__(size, seed)
        self._time = 0
        spacing = TORUS / MODES
        self._ky = 2 * math.pi * torch.fft.fftfreq(MODES, spacing).view(-1, 1)
        self._kx = 2 * math.pi * torch.fft.rfftfreq(MODES, spacing).view(1, -1)
        k = torch.hypot(self._ky, self._kx).clamp(min=1e-6)
        low, high = 2 * math.pi / LONGEST, 2 * math.pi / SHORTEST
        power = k**-5.0 * torch.exp(-((low / k) ** 4) - (k / high) ** 4)
        power[0, 0] = 0.0
        noise = torch.complex(self.normal(*k.shape), self.normal(*k.shape))
        self._start = noise * power.sqrt()
        # omega^2 = g k in deep water; two crossing wave trains of every length never repeat
        self._omega = 2 * math.pi / PERIOD * (k * 0.3 / (2 * math.pi)).sqrt()
        self._omega = self._omega + DRIFT[0] * self._ky + DRIFT[1] * self._kx
        slope = (4 * power * k**2).sum().sqrt() / MODES**2  # root mean square
        self._scale = FOCUS / float(slope)
        count = round(CELLS * RAYS * (1 + 2 * BEYOND))
        centres = (torch.arange(count) + 0.5) / (CELLS * RAYS) - BEYOND
        self._rays = torch.stack(torch.meshgrid(centres, centres, indexing="ij"))
        at = (self._rays + (TORUS - 1) / 2) * (2 / TORUS) - 1
        self._look_up = at.flip(0).permute(1, 2, 0)[None]

    def _slopes(self) -> Tensor:
        """Slopes of the surface down and across, where the rays go in: (2, R, R)."""
        turn = (self._omega.double() * self._time) % (2 * math.pi)  # exact for endless streams
        wave = self._start * torch.polar(torch.ones_like(self._omega), -turn.float()) * 1j
        field = torch.fft.irfft2(torch.stack([self._ky * wave, self._kx * wave]), s=(MODES, MODES))
        return torch.nn.functional.grid_sample(
            field[None], self._look_up, mode="bicubic", align_corners=False
        )[0]

    def _gather(self, places: Tensor) -> Tensor:
        """How many rays meet each cell of the bottom and its rim, over the mean: (side, side).

        Args:
            places: (2, R, R), in frame widths.
        """
        side = CELLS + 2 * RIM
        place = (places * CELLS + RIM - 0.5).clamp(0, side - 1.001).flatten(1)
        corner = place.floor()
        part = place - corner
        first = (corner[0] * side + corner[1]).long()
        low, right = part[0], part[1]
        both = low * right
        net = torch.zeros(side * side + side + 1)
        for step, share in ((0, 1 - low - right + both), (1, right - both), (side, low - both)):
            net.index_add_(0, first + step, share)
        net.index_add_(0, first + side + 1, both)
        return net[: side * side].view(side, side) / RAYS**2

    def step(self) -> Tensor:
        """Advance by one frame and return it: (3, size, size), colours in [0, 1]."""
        aside = self._scale * self._slopes()
        self._time += 1
        red, blue = (
            self._gather(self._rays + bend * aside) for bend in (1 - DISPERSION, 1 + DISPERSION)
        )
        # green lies between the two: their mean spares a third gathering
        light = _soften(torch.stack([red, (red + blue) / 2, blue]))
        ground = colour(0.03, 0.27, 0.38) + colour(0.20, 0.33, 0.32) * light
        return resize(1 - torch.exp(-1.25 * ground * ground.sqrt()), self.size)


def _soften(light: Tensor) -> Tensor:
    """Blur by the sun's width, a binomial filter of five cells each way: (3, CELLS, CELLS)."""
    light = light[:, 1:-1, 1:-1]
    for dim in (1, 2):
        parts = [light.narrow(dim, i, CELLS) for i in range(5)]
        light = (parts[0] + 4 * parts[1] + 6 * parts[2] + 4 * parts[3] + parts[4]) / 16
    return light
