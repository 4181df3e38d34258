"""Traffic: a road of four lanes; vehicles arrive at random and keep their distance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .base import Family, SlowNoise, colour, smoothstep
from .drawing import Canvas, box, cloud, disc, ellipse, polygon

# a lane's kerb line, the length of a car on it (frame widths), direction, mean speed a frame
LANES = (
    (0.425, 0.205, -1, 0.0150),
    (0.545, 0.235, -1, 0.0190),
    (0.705, 0.285, 1, 0.0210),
    (0.890, 0.330, 1, 0.0175),
)
FLOW = 0.18  # spread of a lane's speed, which traffic makes rise and fall
GAP = (0.35, 0.60)  # between arrivals: at least, and on average beyond that, in car lengths
PAINTS = (
    (0.78, 0.10, 0.09),
    (0.84, 0.84, 0.83),
    (0.12, 0.29, 0.62),
    (0.96, 0.72, 0.10),
    (0.13, 0.14, 0.16),
    (0.62, 0.65, 0.68),
    (0.14, 0.42, 0.28),
    (0.88, 0.42, 0.12),
)
LIVERY = (0.86, 0.40, 0.13)  # of every bus
# bodies seen from the side, driving right: length 1 from -0.5 to 0.5, heights above the road
CAR = ((-0.50, 0.10), (-0.49, 0.24), (0.26, 0.25), (0.48, 0.20), (0.50, 0.10))
ROOF = ((-0.44, 0.23), (-0.30, 0.395), (0.06, 0.395), (0.25, 0.23))
GLASS = ((-0.37, 0.245), (-0.275, 0.365), (0.045, 0.365), (0.18, 0.245))
VAN = ((-0.52, 0.10), (-0.52, 0.48), (0.24, 0.48), (0.40, 0.29), (0.54, 0.24), (0.54, 0.10))
BUS = ((-0.86, 0.10), (-0.86, 0.58), (0.82, 0.58), (0.86, 0.50), (0.86, 0.10))


@dataclass
class _Vehicle:
    """One vehicle: where its middle is, the way it drives, and what it looks like."""

    place: float
    pace: float  # desired speed over the lane's
    kind: str
    paint: Tensor

    @property
    def half(self) -> float:
        """Half its length, in car lengths."""
        return {"car": 0.5, "van": 0.54, "bus": 0.86}[self.kind]


class _Lane:
    """One lane, in car lengths along the way its vehicles drive; the frame begins at 0."""

    def __init__(self, family: Family, length: float, speed: float) -> None:
        self._family, self._speed, self._end = family, speed / length, 1 / length
        self._flow = SlowNoise(family, 1, memory=10.0)
        self._arrival = 0.0
        self.vehicles: list[_Vehicle] = []  # the first one leads

    def _arrive(self) -> None:
        """A new vehicle, out of sight, and the gap that will follow it."""
        paint, kind, pace, gap, tint = self._family.uniform(5).tolist()
        name = "car" if kind < 0.74 else "van" if kind < 0.93 else "bus"
        base = colour(*(LIVERY if name == "bus" else PAINTS[int(paint * len(PAINTS))]))
        vehicle = _Vehicle(0.0, 0.85 + 0.3 * pace, name, base * (0.85 + 0.25 * tint))
        vehicle.place = -0.1 - vehicle.half
        self.vehicles.append(vehicle)
        self._arrival = GAP[0] - GAP[1] * torch.log(torch.tensor(1 - gap)).item()

    def step(self) -> None:
        """Advance by one frame: drive, keep distance, leave, arrive."""
        flow = self._speed * max(0.3, 1 + FLOW * float(self._flow.step()))
        front = float("inf")
        for vehicle in self.vehicles:
            free = front - vehicle.place - vehicle.half
            # near the one ahead, the speed falls from the wanted one to none at a gap of 0.12
            vehicle.place += flow * vehicle.pace * min(1.0, max(0.0, (free - 0.12) / 0.5))
            front = vehicle.place - vehicle.half
        if self.vehicles and self.vehicles[0].place - self.vehicles[0].half > self._end + 0.1:
            self.vehicles.pop(0)
        if front > self._arrival:
            self._arrive()


class Traffic(Family):
    """A busy road: no two vehicles alike, arriving at random, never twice the same queue."""

    name = "traffic"
    description = "cars, vans and buses on four lanes: random arrivals, following at a distance"
    stationary = ("time",)

    def __init__(self, size: int, seed: int) -> None:
        super().__init__(size, seed)
        self._road = self._build(size)
        self._lanes = [_Lane(self, length, speed) for _, length, _, speed in LANES]
        for _ in range(250):  # the slowest vehicle crosses the frame three times
            for lane in self._lanes:
                lane.step()

    def _build(self, size: int) -> Tensor:
        """The road and what lies beyond it, (3, P, P)."""
        canvas = Canvas(size, torch.zeros(3, 1, 1))
        x, y, count = canvas.x, canvas.y, canvas.image.shape[-1]
        grain, patches = cloud(self, count, rough=0.6), cloud(self, count, rough=2.5, stretch=0.3)
        leaves = cloud(self, count, rough=1.6)
        canvas.image += torch.lerp(colour(0.56, 0.74, 0.93), colour(0.86, 0.90, 0.92), y / 0.25)
        crowns = 0.13 + 0.020 * leaves + 0.05 * cloud(self, count, rough=3.0)[0].view(1, -1)
        shade = 0.95 + 0.28 * leaves - 2.2 * (y - 0.12)
        canvas.paint(colour(0.27, 0.42, 0.17) * shade, 0.5 * (crowns - y))
        walk = colour(0.66, 0.64, 0.59) + 0.03 * grain
        canvas.paint(walk, 0.285 - y + 0 * x)
        asphalt = colour(0.33, 0.335, 0.35) + 0.018 * grain + 0.016 * patches
        canvas.paint(asphalt * (0.90 + 0.22 * y), (y - 0.62).abs() - 0.31 + 0 * x)
        canvas.paint(colour(0.80, 0.79, 0.75), (y - 0.314).abs() - 0.006 + 0 * x)
        canvas.paint(walk * 0.95, 0.935 - y + 0 * x)
        canvas.paint(colour(0.84, 0.83, 0.79), (y - 0.937).abs() - 0.008 + 0 * x)
        for down, period, start in ((0.448, 0.20, 0.03), (0.738, 0.28, 0.11)):
            dash = (((x - start) / period) % 1.0 - 0.5).abs() * period - 0.25 * period
            canvas.paint(colour(0.90, 0.90, 0.86), torch.maximum(dash, (y - down).abs() - 0.007))
        for down in (0.570, 0.590):
            canvas.paint(colour(0.92, 0.76, 0.22), (y - down).abs() - 0.006 + 0 * x)
        return canvas.image

    def step(self) -> Tensor:
        """Advance by one frame and return it: (3, size, size), colours in [0, 1]."""
        canvas = Canvas(self.size, self._road)
        for lane, (kerb, length, way, _) in zip(self._lanes, LANES, strict=True):
            lane.step()
            for vehicle in lane.vehicles:
                middle = vehicle.place * length
                middle = middle if way > 0 else 1 - middle
                reach = (vehicle.half + 0.1) * length
                near = canvas.window(
                    middle - reach, kerb - 0.65 * length, middle + reach, kerb + 0.05
                )
                if near.image.numel():
                    x, y = (near.x - middle) * (way / length), (kerb - near.y) / length
                    _paint_vehicle(near, x, y, length, vehicle)
        return canvas.frame()


def _paint_vehicle(canvas: Canvas, x: Tensor, y: Tensor, scale: float, vehicle: _Vehicle) -> None:
    """A vehicle at coordinates in car lengths: x forwards from its middle, y up from the road."""
    half, kind = vehicle.half, vehicle.kind

    def paint(ink: Tensor, distance: Tensor, opacity: float = 1.0) -> None:
        canvas.paint(ink, distance * scale, opacity)

    shadow = ellipse(x, y, (0.0, 0.035), (half + 0.05, 0.075))
    paint(torch.zeros(3, 1, 1), 0.25 * shadow, 0.55)
    gloss = 0.62 + 0.42 * smoothstep(y, 0.08, 0.30) + 0.16 * torch.exp(-(((y - 0.205) / 0.03) ** 2))
    glass = colour(0.13, 0.17, 0.22) + 0.9 * (y - 0.24).clamp(min=0) * colour(0.8, 1.0, 1.2)
    body = {"car": CAR, "van": VAN, "bus": BUS}[kind]
    paint(vehicle.paint * gloss + 0.02, polygon(x, y, body) - 0.012)
    if kind == "car":
        paint(vehicle.paint * (gloss + 0.10), polygon(x, y, ROOF) - 0.015)
        paint(glass, polygon(x, y, GLASS) - 0.006)
        paint(vehicle.paint * 0.8, box(x, y, (-0.10, 0.31), (0.014, 0.075)))
    elif kind == "van":
        paint(glass, polygon(x, y, ((0.08, 0.31), (0.08, 0.44), (0.23, 0.44), (0.35, 0.31))))
        paint(vehicle.paint * 0.72, box(x, y, (-0.02, 0.30), (0.006, 0.16)))
    else:
        paint(glass, box(x, y, (0.02, 0.42), (0.80, 0.095), 0.02))
        posts = ((x / 0.26) % 1.0 - 0.5).abs() * 0.26 - 0.014
        paint(vehicle.paint * 0.85, torch.maximum(posts, (y - 0.42).abs() - 0.095))
    wheels = torch.tensor([[-0.30, 0.085], [0.30, 0.085]]) * torch.tensor([half / 0.5, 1.0])
    paint(colour(0.05, 0.05, 0.06), disc(x, y, wheels, 0.088).amin(0))
    paint(colour(0.58, 0.59, 0.61), disc(x, y, wheels, 0.042).amin(0))
    paint(colour(1.0, 0.96, 0.80), ellipse(x, y, (half - 0.03, 0.185), (0.030, 0.026)))
    paint(colour(0.85, 0.06, 0.05), box(x, y, (0.018 - half, 0.205), (0.020, 0.034)))
