"""Flashing light: a lamp with a loose contact swings before a brick wall, in drifting mist."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .base import DriftingNoise, Family, SlowNoise, colour, resize, smoothstep
from .drawing import Canvas, box, cloud, disc, polygon

CORD = 0.50  # length of the cord from its pivot above the frame to the bulb, frame widths
PIVOT = (0.52, -0.13)
DEPTH = 0.24  # how far the bulb hangs before the wall
SWING = 0.075  # spread of the cord's angle, radians
ON, OFF = 6.5, 4.5  # mean number of frames that the contact stays closed and open
QUICK = 0.30  # inverse heat capacity of the filament: it takes some three frames to follow
TRICKLE = 0.06  # current through the open contact: the filament stays a dull red
SUBSTEPS = 4  # of the filament's equation, a frame
EXPONENTS = (3.6, 5.0, 6.8)  # fall of red, green, blue with 1 / temperature: Wien's law
FLOOR = 0.80  # where the floor meets the wall
BARREL = (0.21, 0.70, 0.105, 0.165)  # centre and half sides of the barrel
MOON = 0.085  # brightness of the scene when the lamp is out


class Light(Family):
    """A lamp on a cord that flashes in the dark as its contact comes and goes."""

    name = "light"
    description = "a flashing lamp: a filament on a loose contact, swinging, bloom, mist, shadows"
    stationary = ("time",)

    def __init__(self, size: int, seed: int) -> None:
        super().__init__(size, seed)
        self._canvas = Canvas(size, torch.zeros(3, 1, 1))
        count = self._canvas.image.shape[-1]
        self._scene(*torch.broadcast_tensors(self._canvas.x, self._canvas.y))
        self._breeze = SlowNoise(self, 1, memory=13.0)
        self._mist = DriftingNoise(self, 48, 1.5, _wisps, memory=16.0, drift=(-0.002, 0.007))
        self._count = count
        self._flicker = SlowNoise(self, 1, memory=2.5)
        self._closed, self._level, self._heat, self._left = False, 0.0, 0.6, 0.0
        for _ in range(60):  # the contact and the filament forget how they began
            self._burn()

    def _scene(self, x: Tensor, y: Tensor) -> None:
        """Colours and slopes of the wall, the floor and the barrel, which stand still."""
        count = x.shape[-1]
        grain, stain = cloud(self, count, rough=1.8), cloud(self, count, rough=2.6)
        course = y / 0.066
        across = x / 0.135 + 0.5 * (course.floor() % 2)
        tint = (torch.sin(course.floor() * 12.99 + across.floor() * 78.23) * 43758.5) % 1.0
        gap = torch.minimum(
            (0.5 - (course % 1 - 0.5).abs()) * 0.066, (0.5 - (across % 1 - 0.5).abs()) * 0.135
        )
        brick = smoothstep(gap, 0.003, 0.010)
        clay = colour(0.66, 0.34, 0.23) * (0.72 + 0.40 * tint + 0.08 * stain)
        wall = torch.lerp(colour(0.50, 0.46, 0.42) * (1 + 0.05 * grain), clay, brick)
        self._down, self._across = torch.gradient(
            0.006 * brick + 0.0012 * grain, spacing=self._canvas.soft, dim=(0, 1)
        )
        floor = colour(0.36, 0.33, 0.31) * (1 + 0.18 * stain + 0.06 * grain)
        self._floor = smoothstep(y, FLOOR - 0.006, FLOOR + 0.006)
        self._albedo = torch.lerp(wall, floor, self._floor).clamp(0, 1)
        cx, cy, half, high = BARREL
        self._round = ((x - cx) / half).clamp(-1, 1)
        bulge = 0.014 * (1 - ((y - cy) / high) ** 2)
        self._barrel = self._canvas.cover(box(x, y, (cx, cy), (half, high), 0.015) - bulge)
        hoop = smoothstep(((y - cy).abs() / high - 0.55).abs(), 0.07, 0.04)
        stave = 0.82 + 0.18 * (((torch.asin(self._round) * 3.2) % 1.0) > 0.14)
        wood = colour(0.52, 0.34, 0.19) * stave * (1 + 0.10 * grain)
        self._wood = torch.lerp(wood, colour(0.34, 0.34, 0.36), hoop)

    def _burn(self) -> None:
        """One frame of the contact, open or closed for random times, and of the filament."""
        self._left -= 1
        if self._left <= 0:
            chance, level = self.uniform(2).tolist()
            self._closed = not self._closed
            self._level = 0.60 + 0.55 * level
            self._left = 1.5 - (ON if self._closed else OFF) * 0.8 * math.log(1 - chance)
        flicker = 1 + 0.22 * math.tanh(float(self._flicker.step()))
        power = self._level * flicker if self._closed else TRICKLE
        for _ in range(SUBSTEPS):  # heat comes with the current and goes by radiation
            self._heat += (power - self._heat**4) * QUICK / SUBSTEPS

    def _glow(self) -> Tensor:
        """Light of the filament, (3, 1, 1): dim is also red."""
        return torch.tensor([math.exp(a - a / self._heat) for a in EXPONENTS]).view(3, 1, 1)

    def step(self) -> Tensor:
        """Advance by one frame and return it: (3, size, size), colours in [0, 1]."""
        self._burn()
        angle = SWING * float(self._breeze.step())
        lamp = (PIVOT[0] + CORD * math.sin(angle), PIVOT[1] + CORD * math.cos(angle))
        glow = self._glow() * colour(1.15, 0.95, 0.72)
        x, y = self._canvas.x, self._canvas.y
        right, down = x - lamp[0], y - lamp[1]
        flat = torch.hypot(right, down)
        turned = down * math.cos(angle) + right * math.sin(angle)  # below the lamp, along the cord
        under = smoothstep(turned + 0.42 * flat, 0.0, 0.16)  # the shade keeps light from above

        image = self._surfaces(glow, right, down, flat, under)
        image = image + self._air(glow, flat, under)
        canvas = Canvas(self.size, 1 - torch.exp(-1.7 * image))
        self._fitting(canvas, lamp, angle, glow)
        return canvas.frame()

    def _surfaces(
        self, glow: Tensor, right: Tensor, down: Tensor, flat: Tensor, under: Tensor
    ) -> Tensor:
        """Light that wall, floor and barrel send back: (3, P, P)."""
        x, y = self._canvas.x, self._canvas.y
        far = flat * flat + DEPTH**2
        facing = (DEPTH + self._across * right + self._down * down).clamp(min=0) * far.rsqrt()
        wall = facing * under / far
        ahead = 0.10 + 0.9 * (y - FLOOR).clamp(min=0)  # floor nearer to us is lower in the frame
        away = right**2 + down**2 + (DEPTH - ahead) ** 2
        floor = 1.5 * down.clamp(min=0) * away**-1.5
        light = torch.lerp(wall, floor, self._floor)
        # a point is in the barrel's shadow where the way to the lamp leads through the barrel
        cx, cy, half, high = BARREL
        part = 0.52
        way_x, way_y = x - part * right, y - part * down
        shade = box(way_x, way_y, (cx, cy), (half * 0.92, high), 0.03)
        light = light * (1 - 0.85 * smoothstep(-shade, -0.012, 0.022) * (1 - 0.6 * self._floor))
        sheen = torch.exp(-((right / 0.075) ** 2)) * 0.55 * self._floor  # the floor is damp
        image = self._albedo * (glow * (0.105 * light) + MOON * colour(0.6, 0.8, 1.2))
        image = image + glow * (0.16 * sheen)
        normal = self._round * -right + (1 - self._round**2).sqrt() * 0.10
        side = 0.13 * (normal / far.sqrt()).clamp(min=0) * under / (far - DEPTH**2 + 0.02)
        wood = self._wood * (glow * side * 1.1 + MOON * colour(0.6, 0.8, 1.2))
        return torch.lerp(image, wood, self._barrel)

    def _air(self, glow: Tensor, flat: Tensor, under: Tensor) -> Tensor:
        """Light that the mist scatters, and the bloom around the bulb: (3, P, P)."""
        mist = resize(self._mist.step()[None, :32, :32], self._count)[0]
        density = (1 + 0.55 * mist).clamp(min=0.05)
        scatter = 0.030 * density * (0.25 + under) / (flat + 0.06)
        bloom = 0.85 * torch.exp(-((flat / 0.045) ** 2)) + 0.16 * torch.exp(-((flat / 0.13) ** 2))
        moonlit = 0.022 * density * colour(0.6, 0.8, 1.2)
        return glow * (scatter + bloom * (0.35 + 0.65 * under)) + moonlit

    def _fitting(
        self, canvas: Canvas, lamp: tuple[float, float], angle: float, glow: Tensor
    ) -> None:
        """Paint cord, shade and bulb."""
        sine, cosine = math.sin(angle), math.cos(angle)
        corners = [(-0.006, -0.6), (0.006, -0.6), (0.006, -0.09), (-0.006, -0.09)]
        shade = [(-0.022, -0.095), (0.022, -0.095), (0.105, -0.012), (-0.105, -0.012)]

        def hung(points: list[tuple[float, float]]) -> Tensor:
            """Points right of and below the bulb, turned with the cord."""
            return torch.tensor(
                [
                    (lamp[0] + a * cosine + b * sine, lamp[1] + b * cosine - a * sine)
                    for a, b in points
                ]
            )

        canvas.paint(colour(0.035, 0.035, 0.045), polygon(canvas.x, canvas.y, hung(corners)))
        enamel = colour(0.05, 0.08, 0.075) + 0.05 * glow
        canvas.paint(enamel, polygon(canvas.x, canvas.y, hung(shade)))
        bulb = colour(0.12, 0.12, 0.13) + 3.0 * glow
        canvas.paint((1 - torch.exp(-1.7 * bulb)), disc(canvas.x, canvas.y, lamp, 0.036))


def _wisps(ky: Tensor, kx: Tensor) -> Tensor:
    """Spectrum of the mist: wisps wider than high."""
    return torch.exp(-((kx / 11.0) ** 2 + (ky / 17.0) ** 2) / 2)
