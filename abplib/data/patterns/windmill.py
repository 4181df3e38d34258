"""Windmill: four sails turned by a fitful wind, their shadow on the tower, drifting clouds."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .base import Family, SlowNoise, colour, smoothstep
from .drawing import Canvas, box, cloud, curve, disc, drift, ellipse, polygon

HUB = (0.52, 0.385)
REACH = 0.365  # length of a sail, frame widths
SEEN = 0.90  # the sails' circle is this much narrower than high: the mill stands a little askew
TURN = 0.075  # mean speed, radians a frame: a turn takes some 84 frames
FITFUL = 0.40  # spread of the speed's logarithm
CLOUDS = (0.0052, 0.0032)  # speeds of the two layers of cloud, frame widths a frame
SHADOW = (0.045, 0.060)  # where the sails' shadow falls on the tower, from the sails
RIGHT_ANGLE = math.pi / 2


class Windmill(Family):
    """A tower mill in a field; its sails turn faster and slower with the wind."""

    name = "windmill"
    description = "a tower mill: four lattice sails in a fitful wind, shading, cast shadow, clouds"
    stationary = ("time",)

    def __init__(self, size: int, seed: int) -> None:
        super().__init__(size, seed)
        self._wind = SlowNoise(self, 1, memory=12.0)
        self._angle = 2 * math.pi * float(self.uniform(1))
        self._shift = self.uniform(2).tolist()
        order = torch.argsort(self.uniform(4))  # no two sails are equally weathered
        self._cloths = 0.66 + 0.42 * (order + 0.8 * self.uniform(4)) / 4
        empty = Canvas(size, torch.zeros(3, 1, 1))
        count = empty.image.shape[-1]
        self._layers = [cloud(self, count, rough=3.4, stretch=1.5) for _ in range(2)]
        self._sky = torch.lerp(colour(0.25, 0.47, 0.80), colour(0.74, 0.84, 0.93), empty.y / 0.85)
        self._still, self._hidden, self._tower = self._land(size)

    def _land(self, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """What stands still: its picture, where it hides the sky, and where the tower is."""
        canvas = Canvas(size, torch.zeros(3, 1, 1))
        x, y, count = canvas.x, canvas.y, canvas.image.shape[-1]
        grain, tufts = cloud(self, count, rough=1.2), cloud(self, count, rough=2.0, stretch=0.3)
        ridge = 0.86 + 0.012 * cloud(self, count, rough=3.0)[0].view(1, -1)
        grass = torch.lerp(colour(0.36, 0.45, 0.16), colour(0.20, 0.33, 0.09), (y - 0.84) / 0.16)
        field = ridge - y
        canvas.paint(grass * (1 + 0.16 * tufts), field)
        hedge = curve(x, y, torch.tensor([[-0.05, 0.865], [0.24, 0.87]]), 0.028) - 0.008 * tufts
        canvas.paint(colour(0.12, 0.21, 0.09) * (1 + 0.2 * grain), hedge)

        wall = [[0.415, 0.40], [0.605, 0.40], [0.665, 0.91], [0.355, 0.91]]
        tower = polygon(x, y, wall)
        around = (x - 0.51) / (0.095 + 0.060 * (y - 0.40) / 0.51)  # -1 to 1 across the tower
        facing = (1 - around.clamp(-1, 1) ** 2).sqrt()
        light = (0.22 + 0.50 * facing - 0.42 * around).clamp(min=0.12)
        courses = ((y * 52).floor() % 2) * 0.05
        plaster = smoothstep(y.expand(count, count), 0.755, 0.765)
        brick = colour(0.66, 0.38, 0.26) * (1 - plaster) + colour(0.86, 0.83, 0.76) * plaster
        canvas.paint(brick * light * (1.02 + 0.05 * grain - courses), tower)
        for across, down, wide, high in ((0.47, 0.52, 0.016, 0.022), (0.50, 0.66, 0.017, 0.024)):
            canvas.paint(colour(0.90, 0.87, 0.80) * 0.8, box(x, y, (across, down), (wide, high)))
            pane = box(x, y, (across, down), (wide - 0.006, high - 0.006))
            canvas.paint(colour(0.10, 0.11, 0.14), pane)
        canvas.paint(colour(0.16, 0.27, 0.18), box(x, y, (0.50, 0.86), (0.030, 0.055), 0.01))
        cap = torch.maximum(ellipse(x, y, (0.51, 0.405), (0.118, 0.105)), y - 0.415)
        slate = colour(0.30, 0.27, 0.25) * (0.65 - 3.6 * (x - 0.51) - 1.6 * (y - 0.38))
        canvas.paint(slate * (1 + 0.08 * grain), cap)

        hidden = torch.stack([field, hedge, tower, cap]).amin(0)
        return canvas.image, canvas.cover(hidden), canvas.cover(torch.minimum(tower, cap))

    def _sails(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Signed distances of the sails' wood and cloth, and which sail is nearest, (P, P) each."""
        across, down = (x - HUB[0]) / SEEN, y - HUB[1]
        turned = torch.atan2(down, across) - self._angle
        which = torch.round(turned / RIGHT_ANGLE)
        turned -= which * RIGHT_ANGLE  # all four sails are drawn as one
        radius = torch.hypot(across, down)
        along, aside = radius * torch.cos(turned), radius * torch.sin(turned)
        spar = box(along, aside, (REACH / 2, 0.0), (REACH / 2, 0.009))
        edge = box(along, aside, (0.225, 0.072), (REACH - 0.225, 0.0045))
        bars = 0.0040 - (((along - 0.085) / 0.035 + 0.5) % 1 - 0.5).abs() * 0.035
        frame = box(along, aside, (0.225, 0.036), (REACH - 0.225, 0.040))
        wood = torch.minimum(torch.minimum(spar, edge), torch.maximum(-bars, frame))
        return wood, frame, which.long() % 4

    def _heaven(self) -> Tensor:
        """The sky with its clouds, (3, P, P)."""
        layers = zip(self._layers, self._shift, strict=True)
        far, near = (drift(field, shift) for field, shift in layers)
        thick = smoothstep(0.75 * (far + near), -0.3, 1.9)
        bright = colour(0.97, 0.96, 0.95) - 0.10 * colour(1.1, 1.0, 0.8) * near
        return torch.lerp(self._sky, bright, 0.75 * thick)

    def step(self) -> Tensor:
        """Advance by one frame and return it: (3, size, size), colours in [0, 1]."""
        gust = float(self._wind.step())
        self._angle = (self._angle + TURN * math.exp(FITFUL * gust)) % (2 * math.pi)
        self._shift = [(s + v) % 1.0 for s, v in zip(self._shift, CLOUDS, strict=True)]
        canvas = Canvas(self.size, torch.lerp(self._heaven(), self._still, self._hidden))
        x, y = canvas.x, canvas.y
        wood, cloth, _ = self._sails(x - SHADOW[0], y - SHADOW[1])
        black = torch.zeros(3, 1, 1)
        canvas.paint(black, torch.minimum(wood, cloth), 0.42 * self._tower)

        wood, cloth, which = self._sails(x, y)
        # a sail is set askew to the plane it turns in, so that its light changes as it goes round
        heading = self._angle + RIGHT_ANGLE * torch.arange(4)
        light = 0.84 + 0.22 * torch.cos(heading - 2.2)
        canvas.paint(colour(0.93, 0.88, 0.78) * (light * self._cloths)[which], cloth, 0.90)
        canvas.paint(colour(0.33, 0.20, 0.13) * light[which], wood)
        canvas.paint(colour(0.28, 0.20, 0.15), disc(x, y, HUB, 0.026))
        canvas.paint(colour(0.62, 0.54, 0.44), disc(x, y, (HUB[0] - 0.006, HUB[1] - 0.007), 0.012))
        return canvas.frame()
