"""Flamingo: birds in shallow water that dip their necks, feed and rise; rippled reflections."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .base import Family, SlowNoise, colour, smoothstep
from .drawing import Canvas, capsule, cloud, curve, disc, ellipse

SHORE = 0.36  # where the water begins, from the top of the frame
BIRDS = ((0.51, 0.60, 0.180), (0.17, 0.73, 0.225), (0.81, 0.89, 0.265))
# ^ place across, waterline and length of a bird's body, in frame widths; from far to near
# Angles of the neck's links from the breast to the head, radians above the way the bird looks.
RAISED = torch.tensor([-0.25, 0.55, 1.30, 1.85, 2.05, 1.85, 1.35, 0.60])
HALFWAY = torch.tensor([0.15, 0.75, 1.10, 0.65, -0.40, -1.15, -1.45, -1.50])
DIPPED = torch.tensor([0.10, -0.45, -0.95, -1.25, -1.40, -1.50, -1.60, -1.90])
LINK = 0.19  # of the body's length
MOVE = (9.0, 7.0)  # frames to dip or rise: at least, and at most beyond that
REST = (6.0, 16.0)  # frames that a bird then stays
WAVES = torch.tensor(  # ripples: wave numbers across and into the distance, radians a frame
    [[5.0, 16.0, 0.22], [-7.0, 21.0, 0.27], [11.0, 27.0, 0.31], [-4.0, 34.0, 0.36]]
)


class _Bird:
    """One flamingo: where it stands and how far its neck is down."""

    def __init__(self, family: Family, place: float, waterline: float, scale: float) -> None:
        self._family = family
        chance = family.uniform(5).tolist()
        self.place, self.waterline = place + 0.08 * (chance[0] - 0.5), waterline
        self.scale = scale * (0.95 + 0.1 * chance[1])
        self.way = 1.0 if self.place < 0.3 + 0.4 * chance[2] else -1.0  # it looks inwards
        self.hue = chance[3]
        self._down = chance[4] < 0.5
        self._sway = SlowNoise(family, 4, memory=5.0)
        self._shuffle = SlowNoise(family, 1, memory=14.0)
        self._turn()

    def _turn(self) -> None:
        """Decide to dip or to rise, how fast, and for how long to stay."""
        self._down = not self._down
        move, rest = self._family.uniform(2).tolist()
        self._move, self._rest = MOVE[0] + MOVE[1] * move, REST[0] + REST[1] * rest
        self._clock = 0.0

    def step(self) -> None:
        """Advance by one frame."""
        self._clock += 1.0
        if self._clock > self._move + self._rest:
            self._turn()
        part = min(self._clock / self._move, 1.0)
        part = part * part * (3 - 2 * part)
        dip = part if self._down else 1 - part
        root, middle, head, lean = self._sway.step().tolist()
        sway = torch.linspace(root, middle, 8) * 0.07 + torch.linspace(0, head, 8) * 0.10
        angle = (1 - dip) * (1 - 2 * dip) * RAISED + dip * (2 * dip - 1) * DIPPED
        angle = angle + 4 * dip * (1 - dip) * HALFWAY + sway  # a parabola through the three poses
        self.tilt = 0.10 - 0.16 * dip + 0.03 * lean
        links = LINK * torch.stack([torch.cos(angle), torch.sin(angle)], -1)
        breast = torch.tensor([[0.40, 1.13 + 0.5 * self.tilt]])
        self.neck = torch.cat([breast, breast + links.cumsum(0)])
        self.look = float(angle[-1]) - 0.75 + 0.25 * dip
        self.at = self.place + 0.022 * float(self._shuffle.step())


class Flamingo(Family):
    """Three flamingos feed in a lagoon: necks go down and up, each in its own time."""

    name = "flamingo"
    description = "flamingos in shallow water: necks dip and rise irregularly, rippled reflections"
    stationary = ("time",)

    def __init__(self, size: int, seed: int) -> None:
        super().__init__(size, seed)
        self._birds = [_Bird(self, *place) for place in BIRDS]
        for _ in range(120):  # several dips: how they began is forgotten
            for bird in self._birds:
                bird.step()
        self._weights = SlowNoise(self, 2 * len(WAVES), memory=9.0)
        self._phase = 2 * math.pi * self.uniform(len(WAVES))
        self._shore, self._water, self._basis = self._build(size)

    def _build(self, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """The still picture (3, P, P), the share of water (P, P) and the shapes of ripples."""
        canvas = Canvas(size, torch.zeros(3, 1, 1))
        x, count = canvas.x, canvas.image.shape[-1]
        y = canvas.y.expand(count, count)
        far, leaves = cloud(self, count, rough=3.0), cloud(self, count, rough=1.5, stretch=0.5)
        canvas.image += torch.lerp(colour(0.70, 0.80, 0.86), colour(0.93, 0.90, 0.82), y / 0.22)
        hills = 0.15 + 0.022 * far[0].view(1, -1) + 0.006 * leaves
        green = colour(0.30, 0.42, 0.26) * (1 + 0.16 * leaves) + 0.25 * (0.25 - y)
        canvas.paint(green, 0.6 * (hills - y))
        bank = colour(0.58, 0.54, 0.32) * (1 + 0.12 * leaves)
        canvas.paint(bank, 0.30 + 0.010 * leaves + 0.010 * far - y)
        lagoon = torch.lerp(colour(0.66, 0.74, 0.74), colour(0.23, 0.40, 0.47), (y - SHORE) / 0.64)
        water = SHORE + 0.004 * leaves - y
        canvas.paint(lagoon * (1 + 0.03 * far), water)
        depth = 0.42 / (y - SHORE + 0.30).clamp(min=0.25)  # ripples lie closer in the distance
        angle = WAVES[:, 0].view(-1, 1, 1) * (x - 0.5) * (0.4 + 0.8 * depth)
        angle = angle + WAVES[:, 1].view(-1, 1, 1) * depth * 2.4
        basis = torch.cat([torch.cos(angle), torch.sin(angle)])
        return canvas.image, canvas.cover(water), basis

    def _ripple(self) -> Tensor:
        """Height of the ripples now, of unit variance, (P, P)."""
        self._phase = (self._phase + WAVES[:, 2]) % (2 * math.pi)
        real, imaginary = self._weights.step().view(2, -1) / math.sqrt(len(WAVES))
        cosine, sine = torch.cos(self._phase), torch.sin(self._phase)
        turned = torch.cat([real * cosine - imaginary * sine, real * sine + imaginary * cosine])
        return torch.tensordot(turned, self._basis, 1)

    def step(self) -> Tensor:
        """Advance by one frame and return it: (3, size, size), colours in [0, 1]."""
        ripple = self._ripple()
        canvas = Canvas(self.size, self._shore)
        light = smoothstep(ripple, 0.3, 2.0) - 0.6 * smoothstep(-ripple, 0.3, 2.0)
        canvas.image += colour(0.17, 0.17, 0.16) * light * self._water
        for bird in self._birds:
            bird.step()
            reach = 1.75 * bird.scale
            left, right, line = bird.at - reach, bird.at + reach, bird.waterline
            below = canvas.window(left, line, right, line + 2.55 * bird.scale)
            if below.image.numel():
                wave = ripple[below.region]
                high = below.y - line + 0.012 * wave
                across = below.x + (0.010 + 0.03 * high) * wave - bird.at
                _paint_bird(below, across * bird.way, high * 1.05, bird, 0.40)
            above = canvas.window(left, line - 2.55 * bird.scale, right, line)
            _paint_bird(above, (above.x - bird.at) * bird.way, line - above.y, bird, 1.0)
        return canvas.frame()


def _paint_bird(canvas: Canvas, x: Tensor, y: Tensor, bird: _Bird, opacity: float) -> None:
    """A bird at coordinates from its feet: x the way it looks, y up from the water."""
    scale = bird.scale
    x, y = x / scale, y / scale
    pale, deep = colour(0.98, 0.70, 0.68), colour(0.93, 0.40, 0.40)
    pink = torch.lerp(pale, deep, 0.25 + 0.5 * bird.hue)

    def paint(ink: Tensor, distance: Tensor) -> None:
        canvas.paint(ink, distance * scale, opacity)

    for foot, knee, hip, light in ((-0.10, -0.02, -0.06, 0.72), (0.08, 0.04, 0.02, 0.95)):
        leg = torch.tensor([[foot, -0.05], [knee, 0.48], [hip, 0.95]])
        paint(colour(0.90, 0.42, 0.42) * light, curve(x, y, leg, 0.030))
    cosine, sine = math.cos(bird.tilt), math.sin(bird.tilt)
    u, v = x * cosine + (y - 1.12) * sine, (y - 1.12) * cosine - x * sine
    tail = capsule(u, v, (-0.30, 0.02), (-0.62, -0.12), 0.17, 0.03)
    paint(pink * (0.82 + 0.9 * v), tail)
    shade = 0.86 + 0.85 * v - 0.10 * u
    paint(pink * shade, ellipse(u, v, (0.0, 0.0), (0.48, 0.27)))
    feathers = 0.10 * torch.sin(26 * v + 9 * u)
    paint(deep * (shade + feathers + 0.06), ellipse(u, v, (-0.12, 0.03), (0.38, 0.165), -0.12))
    paint(colour(0.16, 0.10, 0.12), capsule(u, v, (-0.40, -0.08), (-0.60, -0.13), 0.035, 0.015))

    neck = curve(x, y, bird.neck, torch.linspace(0.105, 0.062, len(bird.neck)))
    round_ = (neck / 0.075).clamp(-1, 0)
    paint(pink * (0.80 - 0.26 * round_ + 0.06 * y), neck)
    hx, hy = bird.neck[-1].tolist()
    ux, uy = math.cos(bird.look), math.sin(bird.look)
    tip = (hx + 0.19 * ux, hy + 0.19 * uy)
    bent = bird.look - 0.85
    end = (tip[0] + 0.18 * math.cos(bent), tip[1] + 0.18 * math.sin(bent))
    paint(colour(0.96, 0.86, 0.80), capsule(x, y, (hx, hy), tip, 0.100, 0.072))
    paint(colour(0.10, 0.08, 0.09), capsule(x, y, tip, end, 0.074, 0.030))
    paint(pink * 1.02, disc(x, y, (hx, hy), 0.120))
    paint(colour(0.20, 0.10, 0.05), disc(x, y, (hx + 0.02 * ux, hy + 0.03), 0.024))
