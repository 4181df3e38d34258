"""Ocean: a deep-water wave spectrum with choppy crests, Fresnel reflection and glints."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from .base import Family, colour, smoothstep

MODES = 128  # side of the wave field's grid, which spans TORUS frames
TORUS = 2.0  # the frame is the middle of a periodic sea this many frames wide
TILT = 0.46  # sine of the camera's angle above the water: depth is foreshortened by it
PEAK = 0.55  # wavelength of the highest waves, in frame widths
SHORTEST = 0.13  # wavelengths well below this are left out
PERIOD = 24.0  # period of the highest waves, in frames
WIND = 0.72  # direction the waves run to, radians from the frame's right towards its bottom
CURRENT = (0.0015, -0.0030)  # drift of the whole sea, frame widths a frame
STEEPNESS = 0.235  # root-mean-square slope
CHOP = 0.75  # horizontal over vertical motion of the water: 0 gives round crests


class Ocean(Family):
    """Open sea seen obliquely from afar: the same statistics everywhere and at every time."""

    name = "ocean"
    description = "open sea: a deep-water wave spectrum, sky reflection, translucent crests, glints"
    stationary = ("space", "time")

    def __init__(self, size: int, seed: int) -> None:
        super().__init__(size, seed)
        self._time = 0
        f = 2 * math.pi * torch.fft.fftfreq(MODES, TORUS / MODES)
        g = 2 * math.pi * torch.fft.rfftfreq(MODES, TORUS / MODES)
        self._ky, self._kx = (f * TILT).view(-1, 1), g.view(1, -1)
        self._k = (self._kx**2 + self._ky**2).sqrt().clamp(min=1e-6)
        self._omega, self._start = self._spectrum()
        self._start *= STEEPNESS / self._slope()
        self._height_scale = self._fields()[2].std()
        # pixels are averaged over a grid of at least 128 a side; rows run down the frame
        self._samples = max(1, math.ceil(128 / size))
        centres = (torch.arange(size * self._samples) + 0.5) / (size * self._samples) - 0.5
        rows, columns = torch.meshgrid(centres, centres, indexing="ij")
        self._screen = torch.stack([columns, rows])

    def _spectrum(self) -> tuple[Tensor, Tensor]:
        """Angular frequencies and complex amplitudes of the waves, one a mode."""
        k, peak = self._k, 2 * math.pi / PEAK
        gravity = (2 * math.pi / PERIOD) ** 2 / peak  # omega^2 = g k in deep water
        omega = (gravity * k).sqrt() + CURRENT[0] * self._kx + CURRENT[1] * self._ky
        along: Tensor = (self._kx * math.cos(WIND) + self._ky * math.sin(WIND)) / k
        spread = along.abs() ** 2 * (0.02 + 0.98 * (along > 0))
        power = k**-4.0 * torch.exp(-1.25 * (peak / k) ** 4) * spread
        power = power * torch.exp(-((k * SHORTEST / (2 * math.pi)) ** 4))
        power[0, 0] = 0.0
        noise = torch.complex(self.normal(*k.shape), self.normal(*k.shape))
        return omega, noise * power.sqrt()

    def _slope(self) -> Tensor:
        """Root-mean-square slope of the sea at the start."""
        slopes = torch.stack([1j * self._kx * self._start, 1j * self._ky * self._start])
        return (torch.fft.irfft2(slopes, s=(MODES, MODES)) ** 2).sum(0).mean().sqrt()

    def _fields(self) -> Tensor:
        """The surface now: shifts (2), height, slopes (2) and shift gradients (3), (8, M, M)."""
        kx, ky, k = self._kx, self._ky, self._k
        turn = (self._omega.double() * self._time) % (2 * math.pi)  # exact for endless streams
        wave = self._start * torch.polar(torch.ones_like(k), -turn.float())
        turned = 1j * wave
        toward = CHOP / k * turned  # water moves towards the crests, which sharpens them
        fields = [kx * toward, ky * toward, wave, kx * turned, ky * turned]
        chop = -CHOP / k * wave
        fields += [kx * kx * chop, ky * ky * chop, kx * ky * chop]
        return torch.fft.irfft2(torch.stack(fields), s=(MODES, MODES))

    def _look(self, fields: Tensor) -> Tensor:
        """What the camera meets at each screen point: the fields there, (8, P, P).

        A water point at rest at (x, y) is seen at (x + dx, (y + dy) TILT - h cos(tilt)); three
        fixed-point steps find the rest position from the screen position.
        """
        rise = math.sqrt(1 - TILT**2)
        place = self._screen
        for _ in range(3):
            at = _sample(fields[:3], place)
            shift = torch.stack([at[0], at[1] * TILT - at[2] * rise])
            place = self._screen - shift
        return _sample(fields, place)

    def step(self) -> Tensor:
        """Advance by one frame and return it: (3, size, size), colours in [0, 1]."""
        height, hx, hy, xx, yy, xy = self._look(self._fields())[2:]
        self._time += 1
        normal = torch.stack(
            [xy * hy - hx * (1 + yy), hx * xy - (1 + xx) * hy, (1 + xx) * (1 + yy) - xy**2]
        )
        normal = normal / normal.norm(dim=0).clamp(min=1e-3)
        image = _shade(normal, height / self._height_scale)
        return functional.avg_pool2d(image[None], self._samples)[0].clamp(0, 1)


def _sample(fields: Tensor, place: Tensor) -> Tensor:
    """Fields (C, M, M) at points (2, P, P) given in frame widths from the centre: (C, P, P)."""
    grid = (place * (2 / TORUS)).permute(1, 2, 0)[None]
    return functional.grid_sample(fields[None], grid, padding_mode="border", align_corners=False)[0]


def _shade(normal: Tensor, height: Tensor) -> Tensor:
    """Colours of water with the given unit normals (3, P, P) and heights (P, P)."""
    view = colour(0.0, math.sqrt(1 - TILT**2), TILT)  # towards the camera, below the frame
    facing = (normal * view).sum(0).clamp(0, 1)
    mirrored = 2 * facing * normal - view
    fresnel = 0.02 + 0.98 * (1 - facing) ** 4
    up = mirrored[2].clamp(0, 1)
    sky = colour(0.72, 0.85, 0.98) * (1 - up) + colour(0.22, 0.46, 0.82) * up
    thin = smoothstep(height + 0.8 * facing, -1.2, 2.8)
    water = colour(0.01, 0.08, 0.20) * (1 - thin) + colour(0.04, 0.42, 0.48) * thin
    sun = colour(-0.30, -0.55, 0.75)
    glint = (mirrored * sun / sun.norm()).sum(0).clamp(0, 1) ** 45
    light = water * (1 - fresnel) + sky * fresnel + colour(1.0, 0.94, 0.80) * 0.8 * glint
    return light.clamp(0, 1) ** 0.8
