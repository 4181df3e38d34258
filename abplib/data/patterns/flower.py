"""Flower: stems as damped springs in gusts that cross a meadow, with nodding heads."""

from __future__ import annotations

import math
from collections import deque

import torch
from torch import Tensor
from torch.nn import functional

from .base import Family, SlowNoise, colour
from .drawing import Canvas, cloud, curve, disc, dome, ellipse

COUNT = 6  # flowers
PERIODS = (24.0, 42.0)  # of the stems' own swinging, frames: long stems swing slowly
DAMPING = 0.16  # share of the critical damping
LEAN, GUST = 0.11, 0.13  # bend in the mean wind, and how much gusts change it, radians
CROSSING = 26  # frames that a gust takes to cross the frame
KNOTS = 7  # points of a stem
KINDS = (  # petals, their colour, the colour of the eye
    (13, (0.97, 0.96, 0.92), (0.96, 0.74, 0.10)),
    (8, (0.93, 0.35, 0.62), (0.95, 0.78, 0.20)),
    (11, (0.98, 0.55, 0.12), (0.36, 0.17, 0.06)),
    (5, (0.90, 0.13, 0.11), (0.13, 0.09, 0.10)),
)


class Flower(Family):
    """A handful of large flowers in a meadow, bowing, springing back and nodding in gusts."""

    name = "flower"
    description = "flowers in the wind: stems are damped springs, driven by gusts that pass by"
    stationary = ("time",)

    def __init__(self, size: int, seed: int) -> None:
        super().__init__(size, seed)
        place = torch.arange(COUNT)[torch.argsort(self.uniform(COUNT))]
        self._root = (place + 0.2 + 0.6 * self.uniform(COUNT)) / COUNT * 1.02 - 0.08
        depth = torch.linspace(0, 1, COUNT)  # from far to near: painted in this order
        self._length = 0.72 - 0.24 * depth + 0.10 * self.uniform(COUNT)
        self._radius = 0.082 + 0.030 * depth + 0.010 * self.uniform(COUNT)
        self._kind = torch.randperm(2 * COUNT, generator=self.generator)[:COUNT] % len(KINDS)
        period = PERIODS[0] + (PERIODS[1] - PERIODS[0]) * (self._length - 0.48) / 0.34
        self._omega = 2 * math.pi / period
        self._spin = 2 * math.pi * self.uniform(COUNT)
        self._bend, self._speed = torch.full((COUNT,), LEAN), torch.zeros(COUNT)
        self._gusts, self._eddies = SlowNoise(self, 1, 6.0), SlowNoise(self, COUNT, 5.0)
        self._past: deque[float] = deque([0.0] * (CROSSING + 8), maxlen=CROSSING + 8)
        self._ground, self._grass = self._meadow(size)
        for _ in range(150):  # the start is damped away, to within a hundredth
            self._advance()

    def _meadow(self, size: int) -> tuple[Tensor, Tensor]:
        """The blurred background (3, P, P), and grass with its opacity (4, P, P)."""
        canvas = Canvas(size, torch.zeros(3, 1, 1))
        count = canvas.image.shape[-1]
        y = canvas.y.expand(count, count)
        far = cloud(self, count, rough=4.0)
        canvas.image += torch.lerp(colour(0.55, 0.70, 0.58), colour(0.13, 0.26, 0.09), y**0.7)
        canvas.image *= 1 + 0.13 * far
        for across, down, radius, bright in self.uniform(14, 4).tolist():
            spot = 0.5 * (disc(canvas.x, y, (across, 0.65 * down), 0.03 + 0.05 * radius))
            canvas.paint(colour(0.75, 0.85, 0.52), 0.25 * spot, 0.10 + 0.16 * bright)

        tuft = Canvas(size, torch.zeros(3, 1, 1))
        opacity = torch.zeros(count, count)
        for at, lean, tall, hue in self.uniform(60, 4).tolist():
            foot, tip = 1.04, 0.93 - 0.26 * tall
            slant = 0.14 * (lean - 0.5)
            blade = torch.tensor(
                [[at, foot], [at + 0.3 * slant, (foot + tip) / 2], [at + slant, tip]]
            )
            left, right = min(at, at + slant) - 0.03, max(at, at + slant) + 0.03
            part = tuft.window(left, tip - 0.02, right, 1.0)
            distance = curve(part.x, part.y, blade, torch.tensor([0.011, 0.009, 0.001]))
            green = colour(0.20 + 0.22 * hue, 0.40 + 0.18 * hue, 0.10 + 0.06 * hue)
            part.paint(green * (1.25 - 1.9 * (part.y - 0.7)), distance)
            rows, columns = part.region
            seen = opacity[rows, columns]
            torch.maximum(seen, part.cover(distance), out=seen)
        return canvas.image, torch.cat([tuft.image, opacity[None]])

    def _wind(self, place: Tensor) -> Tensor:
        """Strength of the gusts at places across the frame, which they reach one after another."""
        past = torch.tensor(list(self._past))
        age = (place * CROSSING + 2).clamp(0, len(past) - 1.001)
        first = age.long()
        return torch.lerp(past[first], past[first + 1], age - first)

    def _advance(self) -> None:
        """Move wind, stems and heads on by one frame, in four steps."""
        self._past.appendleft(float(self._gusts.step()))
        force = LEAN + GUST * (self._wind(self._root) + 0.60 * self._eddies.step())
        for _ in range(4):
            pull = self._omega**2 * (force - self._bend) - 2 * DAMPING * self._omega * self._speed
            self._speed = self._speed + pull / 4
            self._bend = self._bend + self._speed / 4

    def _stems(self) -> Tensor:
        """Points of the bent stems from root to head, (COUNT, KNOTS, 2)."""
        part = torch.linspace(0, 1, KNOTS)
        angle = self._bend.view(-1, 1) * 1.5 * (part[:-1] + part[1:]) / 2
        step = (self._length / (KNOTS - 1)).view(-1, 1)
        across = functional.pad((step * torch.sin(angle)).cumsum(1), (1, 0))
        up = functional.pad((step * torch.cos(angle)).cumsum(1), (1, 0))
        return torch.stack([self._root.view(-1, 1) + across, 1.03 - up], -1)

    def step(self) -> Tensor:
        """Advance by one frame and return it: (3, size, size), colours in [0, 1]."""
        self._advance()
        canvas = Canvas(self.size, self._ground)
        for number, stem in enumerate(self._stems()):
            self._paint_flower(canvas, number, stem)
        count = canvas.image.shape[-1]
        wind = (LEAN + GUST * self._wind(canvas.x[0])).view(1, -1)
        high = (1.02 - canvas.y).clamp(min=0)
        source = canvas.x - 0.9 * wind * high * (0.6 + 2.4 * high)
        place = torch.stack([source * 2 - 1, (canvas.y * 2 - 1).expand(count, count)], -1)
        grass = functional.grid_sample(
            self._grass[None], place[None], padding_mode="border", align_corners=False
        )[0]
        canvas.image += grass[3] * (grass[:3] / grass[3].clamp(min=0.05) - canvas.image)
        return canvas.frame()

    def _paint_flower(self, canvas: Canvas, number: int, stem: Tensor) -> None:
        """One flower: stem, two leaves and the head."""
        low, high = stem.amin(0).tolist(), stem.amax(0).tolist()
        part = canvas.window(low[0] - 0.12, low[1], high[0] + 0.12, 1.0)
        green = colour(0.27, 0.48, 0.14) * (1.15 - 0.55 * part.y)
        for knot, side in ((2, -1.0), (3, 1.0)):
            root, along = stem[knot], stem[knot] - stem[knot - 1]
            out = torch.stack([-along[1], along[0]]) * side
            leaf = torch.stack([root, root + 0.55 * along + 0.45 * out, root + along + 0.95 * out])
            part.paint(
                green * 1.12, curve(part.x, part.y, leaf, torch.tensor([0.005, 0.018, 0.002]))
            )
        part.paint(green, curve(part.x, part.y, stem, 0.0095))

        x, y = stem[-1].tolist()
        radius = float(self._radius[number])
        near = canvas.window(x - 1.2 * radius, y - 1.2 * radius, x + 1.2 * radius, y + 1.2 * radius)
        nod = float(1.3 * self._bend[number] - 2.2 * self._speed[number])
        self._paint_head(near, number, (near.x - x) / radius, (near.y - y) / radius, nod)

    def _paint_head(self, canvas: Canvas, number: int, x: Tensor, y: Tensor, nod: float) -> None:
        """A head at coordinates in radii from its middle, turned and foreshortened by a nod."""
        petals, tint, eye = KINDS[int(self._kind[number])]
        radius = float(self._radius[number])
        cosine, sine = math.cos(nod), math.sin(nod)
        narrow = 0.80 + 0.12 * math.cos(2.0 * nod)
        u, v = x * cosine + y * sine, (y * cosine - x * sine) / narrow
        around = petals / 2 * (torch.atan2(v, u) + float(self._spin[number]))
        out = torch.hypot(u, v)
        lobe = torch.cos(around).abs()
        edge = 0.62 + 0.38 * lobe ** (0.9 if petals > 5 else 0.5)
        shade = 0.62 + 0.30 * lobe.sqrt() + 0.10 * out - 0.16 * (u + v)
        canvas.paint(colour(*tint) * shade, (out - edge) * radius * 0.8)
        size = 0.30 if petals > 5 else 0.24
        heart = ellipse(u, v, (0.0, 0.0), (size, size))
        bulge = dome(heart, size)
        canvas.paint(colour(*eye) * (0.55 + 0.55 * bulge - 0.7 * (u + v)), heart * radius)
