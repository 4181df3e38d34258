"""Elevator: two glass lifts on a building at dusk, their counterweights, passengers and doors."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Family, colour, smoothstep
from .drawing import Canvas, box, capsule, cloud, disc, drift

FLOORS = 5
STOREY = 1 / FLOORS
SHAFTS = (0.345, 0.655)  # middle of each shaft
SHAFT = 0.124  # half its width
CABIN = (0.108, 0.082)  # half width and half height of a cabin
RIDE = 5.0  # frames a ride takes beside the way itself, which a lift covers at
SPEED = 0.021  # frame widths a frame
WAIT = (7.0, 7.0)  # a stop lasts 7 to 14 frames
DOORS = 4.0  # frames for the doors to open
EVENING = 0.0035  # speed of the clouds mirrored in the glass, frame widths a frame


class _Lift:
    """One lift: rides to a random floor, stops for a while, opens its doors, rides on."""

    def __init__(self, family: Family, middle: float) -> None:
        self._family, self.middle = family, middle
        self._floor = int(family.uniform(1) * FLOORS)
        self._came: list[tuple[float, float]] = []
        self._stop()
        self._clock = float(family.uniform(1)) * self._wait

    def _stop(self) -> None:
        """Arrive: let passengers change, decide how long to wait and where to go next."""
        chance = self._family.uniform(12).tolist()
        self._wait = WAIT[0] + WAIT[1] * chance[0]
        self._from = self._floor
        self._floor = (self._floor + 1 + int(chance[1] * (FLOORS - 1))) % FLOORS
        way = abs(self._floor - self._from) * STOREY
        self._ride = (RIDE + way / SPEED) * (0.85 + 0.4 * chance[2])
        self._clock = 0.0
        absent = int(4 * chance[3])  # two or three ride, never the same
        self._left, self._came = (
            self._came,
            [
                (-0.066 + 0.060 * place + 0.014 * chance[4 + place], chance[7 + place])
                for place in range(3)
                if place != absent
            ],
        )

    def step(self) -> None:
        """Advance by one frame."""
        self._clock += 1.0
        if self._clock >= self._wait + self._ride:
            self._stop()

    @property
    def height(self) -> float:
        """How far below the top floor the cabin is, in storeys."""
        part = min(max((self._clock - self._wait) / self._ride, 0.0), 1.0)
        return self._from + (self._floor - self._from) * part * part * (3 - 2 * part)

    @property
    def people(self) -> list[tuple[float, float, float]]:
        """Place, shade and presence of the passengers, who change half-way through a stop."""
        come = min(max(2.5 * self._clock / self._wait - 0.75, 0.0), 1.0)
        staying = [(*person, come) for person in self._came]
        return [(*person, 1 - come) for person in self._left] * (come < 1) + staying

    @property
    def opening(self) -> float:
        """How far the doors are open, from 0 to 1."""
        until = self._wait - self._clock
        return min(max(min(self._clock, until) / DOORS, 0.0), 1.0)


class Elevator(Family):
    """Two glass lifts that ride up and down a lit facade and stop where somebody waits."""

    name = "elevator"
    description = "two glass lifts on a facade at dusk: irregular rides and stops, counterweights"
    stationary = ("time",)

    def __init__(self, size: int, seed: int) -> None:
        super().__init__(size, seed)
        self._lifts = [_Lift(self, middle) for middle in SHAFTS]
        for _ in range(200):  # several rides: the random start is forgotten
            for lift in self._lifts:
                lift.step()
        self._still, self._mirror = self._facade(size)
        count = self._still.shape[-1]
        self._clouds = [cloud(self, count, rough=3.0, stretch=1.5) for _ in range(2)]
        self._moved = self.uniform(1).item()

    def _facade(self, size: int) -> tuple[Tensor, Tensor]:
        """The building without lifts, (3, P, P), and how much its glass mirrors, (P, P)."""
        canvas = Canvas(size, colour(0.20, 0.22, 0.27))
        x, y, count = canvas.x, canvas.y, canvas.image.shape[-1]
        grain = cloud(self, count, rough=1.5)
        canvas.image *= 1.12 - 0.35 * y + 0.05 * grain
        storey = (y / STOREY) % 1.0
        mirror = torch.zeros(count, count)
        shown = 0.10 + 0.90 * self.uniform(FLOORS, 4)
        warm = self.uniform(FLOORS, 4)
        for row in range(FLOORS):
            for column, across in enumerate((0.048, 0.150, 0.850, 0.952)):
                pane = box(x, y, (across, (row + 0.5) * STOREY), (0.042, 0.070), 0.004)
                on = float(warm[row, column] < 0.55)
                lamp = colour(0.98, 0.74, 0.40) * float(shown[row, column])
                room = lamp * (1.15 - 0.55 * storey) * (1 + 0.10 * grain)
                canvas.paint(room * on + colour(0.07, 0.10, 0.17) * (1 - on), pane)
                mirror = torch.maximum(mirror, canvas.cover(pane) * (1.0 - 0.55 * on))
        for middle in SHAFTS:
            well = (x - middle).abs() - SHAFT + 0 * y
            floor = smoothstep((storey - 0.5).abs().expand(count, count), 0.44, 0.47)
            back = colour(0.10, 0.135, 0.19) * (1.25 - 0.5 * y) + 0.20 * floor
            canvas.paint(back, well)
            door = box(x, storey * STOREY, (middle, 0.112), (0.046, 0.068))
            canvas.paint(colour(0.20, 0.21, 0.235), door)
            mirror = torch.maximum(mirror, 0.22 * canvas.cover(well))
            for side in (-1.0, 1.0):
                rail = (x - middle - side * (SHAFT + 0.006)).abs() - 0.0065 + 0 * y
                canvas.paint(colour(0.52, 0.55, 0.60) * (1.1 - 0.4 * y), rail)
        return canvas.image, mirror

    def _paint_lift(self, canvas: Canvas, lift: _Lift) -> None:
        """One shaft's moving parts: glow, counterweight, cables and cabin."""
        down = (lift.height + 0.5) * STOREY
        shaft = canvas.window(lift.middle - SHAFT, 0.0, lift.middle + SHAFT, 1.0)
        x, y = shaft.x - lift.middle, shaft.y
        glow = 0.42 * torch.exp(-(((y - down) / 0.13) ** 2) - (x / 0.16) ** 2)
        shaft.image += colour(0.80, 0.56, 0.28) * glow
        weight = box(x, y, (0.0, 1.0 - down), (0.064, 0.050), 0.004)
        steel = colour(0.36, 0.35, 0.36) * (1.0 - 5.0 * x.abs() + 0.25 * ((y * 60).floor() % 2))
        shaft.paint(steel, weight)
        for across in (-0.012, 0.012):
            rope = torch.maximum((x - across).abs() - 0.003, y - down)
            shaft.paint(colour(0.40, 0.42, 0.45), rope, 0.8)

        near = canvas.window(lift.middle - SHAFT, down - 0.1, lift.middle + SHAFT, down + 0.1)
        self._paint_cabin(near, near.x - lift.middle, near.y - down, lift)

    def _paint_cabin(self, canvas: Canvas, x: Tensor, y: Tensor, lift: _Lift) -> None:
        """A cabin of glass, lit from its ceiling, at coordinates from its middle."""
        wide, high = CABIN
        lamp = colour(1.00, 0.86, 0.60) * (0.86 - 2.6 * y) * (1.0 - 3.0 * x.abs())
        canvas.paint(lamp, box(x, y, (0.0, 0.0), CABIN, 0.012))
        gap = 0.045 * lift.opening
        canvas.paint(colour(0.66, 0.56, 0.42), box(x, y, (0.0, 0.014), (0.050, 0.062)), 0.75)
        canvas.paint(
            colour(1.0, 0.98, 0.90), box(x, y, (0.0, 0.014), (gap, 0.062)), min(1, 9 * gap)
        )
        for across, shade, seen in lift.people:
            tall = -0.024 - 0.014 * shade
            coat = colour(0.34, 0.10, 0.10) * shade + colour(0.07, 0.12, 0.22) * (1 - shade)
            body = capsule(x, y, (across, tall + 0.031), (across, 0.074), 0.0185, 0.015)
            canvas.paint(coat, body, seen)
            canvas.paint(colour(0.45, 0.28, 0.20), disc(x, y, (across, tall), 0.014), seen)
        for edge in (-high, high):
            canvas.paint(colour(0.72, 0.74, 0.78), box(x, y, (0.0, edge), (wide + 0.006, 0.009)))
        shine = (x + 0.35 * y + 0.052).abs() - 0.010
        canvas.paint(torch.ones(3, 1, 1), torch.maximum(shine, y.abs() - high), 0.16)

    def step(self) -> Tensor:
        """Advance by one frame and return it: (3, size, size), colours in [0, 1]."""
        self._moved += EVENING
        for lift in self._lifts:
            lift.step()
        canvas = Canvas(self.size, self._still)
        for lift in self._lifts:
            self._paint_lift(canvas, lift)
        far, near = self._clouds
        evening = drift(far, -0.4 * self._moved) + drift(near, -self._moved)
        sheen = smoothstep(evening, -1.2, 2.6) * self._mirror
        canvas.image += colour(0.30, 0.27, 0.34) * sheen
        return canvas.frame()
