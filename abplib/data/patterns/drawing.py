"""Drawing with soft edges: a supersampled canvas, signed distances of shapes, light and texture.

Coordinates are frame widths: x runs right and y down, from 0 to 1. A signed distance is negative
inside a shape. Every shape takes leading dimensions, so that many are measured at once: centres
(K, 2) give distances (K, P, P), and their union is ``distances.amin(0)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .base import Family, resize

FINEST = 128  # a canvas has at least as many samples a side
Points = Tensor | Sequence[float] | Sequence[Sequence[float]]
Numbers = Tensor | float


class Canvas:
    """A square picture to paint on, with several samples a pixel.

    The sample grid has 128 or more points a side whatever the frame's size, and edges are as soft
    as one sample is wide, so that frames of 16, 32 and 64 pixels show the same scene.

    Args:
        size: height and width of the finished frame, in pixels.
        ground: picture to start from: (3, 1, 1) a plain colour, or (3, P, P).

    Example:
        >>> canvas = Canvas(32, torch.zeros(3, 1, 1))
        >>> canvas.paint(torch.ones(3, 1, 1), disc(canvas.x, canvas.y, (0.5, 0.5), 0.25))
        >>> frame = canvas.frame()
        >>> frame.shape, round(float(frame.mean()), 2)  # pi / 16 of the frame
        (torch.Size([3, 32, 32]), 0.2)
    """

    def __init__(self, size: int, ground: Tensor) -> None:
        self.samples = max(1, math.ceil(FINEST / size))
        count = size * self.samples
        centres = (torch.arange(count, dtype=torch.float32) + 0.5) / count
        self.x, self.y = centres.view(1, -1), centres.view(-1, 1)
        self.soft = 1 / count
        self._corner = (0, 0)  # first row and column, counted in the whole picture
        self.image = ground.expand(3, count, count).clone()

    def window(self, left: float, top: float, right: float, bottom: float) -> Canvas:
        """The part of this canvas inside a box, sharing its samples: small shapes cost less there.

        A box that lies outside the frame gives an empty canvas, on which painting does nothing.
        """
        part = object.__new__(Canvas)
        height, width = self.image.shape[1:]
        row, column = self._corner
        first, last = (max(0, round(side / self.soft) - row) for side in (top, bottom))
        rows = slice(min(height, first), min(height, last))
        first, last = (max(0, round(side / self.soft) - column) for side in (left, right))
        columns = slice(min(width, first), min(width, last))
        part.samples, part.soft = self.samples, self.soft
        part.x, part.y = self.x[:, columns], self.y[rows]
        part.image = self.image[:, rows, columns]
        part._corner = (row + rows.start, column + columns.start)
        return part

    @property
    def region(self) -> tuple[slice, slice]:
        """Rows and columns of the whole picture that this canvas shows."""
        (row, column), (height, width) = self._corner, self.image.shape[1:]
        return slice(row, row + height), slice(column, column + width)

    def cover(self, distance: Tensor) -> Tensor:
        """Share of each sample that a shape covers, in [0, 1], from its signed distance."""
        return (0.5 - distance / self.soft).clamp(0, 1)

    def paint(self, paint: Tensor, distance: Tensor, opacity: Numbers = 1.0) -> None:
        """Paint a shape over the picture.

        Args:
            paint: (3, 1, 1) a plain colour, or (3, P, P).
            distance: signed distance of the shape, (P, P).
            opacity: 1 hides what is behind, 0 shows it; a number or (P, P).
        """
        self.image += (self.cover(distance) * opacity) * (paint - self.image)

    def light(self, height: Tensor, sun: Sequence[float] = (-0.5, -0.6, 0.62)) -> Tensor:
        """How brightly a surface is lit: 0 turned away, 1 facing the light; (P, P).

        Args:
            height: heights of the surface towards the viewer, in frame widths, (P, P).
            sun: direction to the light: right, down, towards the viewer; of unit length.
        """
        if min(height.shape) < 2:  # a sliver at the frame's edge: taken as flat
            return torch.full_like(height, max(0.0, sun[2]))
        down, across = torch.gradient(height, spacing=self.soft, dim=(-2, -1))
        length = (1 + across * across + down * down).rsqrt()
        return ((sun[2] - sun[0] * across - sun[1] * down) * length).clamp(min=0)

    def frame(self) -> Tensor:
        """The finished frame, (3, size, size), within [0, 1]."""
        step = self.samples
        rows, columns = (length // step for length in self.image.shape[1:])
        return self.image.clamp(0, 1).view(3, rows, step, columns, step).mean((2, 4))


def _split(points: Points) -> tuple[Tensor, Tensor]:
    """x and y of points (..., 2), each (..., 1, 1)."""
    both = torch.as_tensor(points, dtype=torch.float32)[..., None, None]
    return both[..., 0, :, :], both[..., 1, :, :]


def _tall(value: Numbers) -> Tensor:
    """Numbers (...) as (..., 1, 1)."""
    return torch.as_tensor(value, dtype=torch.float32)[..., None, None]


def disc(x: Tensor, y: Tensor, centre: Points, radius: Numbers) -> Tensor:
    """Signed distance of discs: centres (..., 2), radii (...) or one; returns (..., P, P).

    Example:
        >>> disc(torch.tensor([[0.9]]), torch.tensor([[0.5]]), (0.5, 0.5), 0.25)
        tensor([[0.1500]])
    """
    across, down = _split(centre)
    return torch.hypot(x - across, y - down) - _tall(radius)


def ellipse(x: Tensor, y: Tensor, centre: Points, radii: Points, turn: Numbers = 0.0) -> Tensor:
    """Signed distance, to first order near the edge, of ellipses; returns (..., P, P).

    Args:
        x: columns, (1, P).
        y: rows, (P, 1).
        centre: (..., 2).
        radii: half axes (..., 2).
        turn: angle of the first axis, radians from right towards down, (...) or one.

    Example:
        >>> ellipse(torch.tensor([[0.5]]), torch.tensor([[0.7]]), (0.5, 0.5), (0.4, 0.1))
        tensor([[0.1000]])
    """
    (across, down), (wide, high) = _split(centre), _split(radii)
    angle = _tall(turn)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    dx, dy = x - across, y - down
    u, v = (dx * cosine + dy * sine) / wide, (dy * cosine - dx * sine) / high
    length = torch.hypot(u, v)
    return length * (length - 1) / torch.hypot(u / wide, v / high).clamp(min=1e-6)


def box(
    x: Tensor, y: Tensor, centre: Points, half: Points, corner: Numbers = 0.0, turn: Numbers = 0.0
) -> Tensor:
    """Signed distance of rectangles with half sides (..., 2) and rounded corners; (..., P, P).

    Example:
        >>> box(torch.tensor([[0.9]]), torch.tensor([[0.5]]), (0.5, 0.5), (0.3, 0.1))
        tensor([[0.1000]])
    """
    (across, down), (wide, high) = _split(centre), _split(half)
    round_ = _tall(corner)
    dx, dy = x - across, y - down
    if not isinstance(turn, float) or turn:
        cosine, sine = torch.cos(_tall(turn)), torch.sin(_tall(turn))
        dx, dy = dx * cosine + dy * sine, dy * cosine - dx * sine
    u, v = dx.abs() - wide + round_, dy.abs() - high + round_
    return torch.hypot(u.clamp(min=0), v.clamp(min=0)) + torch.maximum(u, v).clamp(max=0) - round_


def capsule(
    x: Tensor, y: Tensor, start: Points, end: Points, first: Numbers, last: Numbers | None = None
) -> Tensor:
    """Signed distance of bars with round ends, which may taper; returns (..., P, P).

    Args:
        x: columns, (1, P).
        y: rows, (P, 1).
        start: one end, (..., 2).
        end: the other, (..., 2).
        first: radius at the start, (...) or one.
        last: radius at the end; None: as at the start.

    Example:
        >>> middle = torch.tensor([[0.5]])
        >>> capsule(middle, torch.tensor([[0.8]]), (0.2, 0.5), (0.7, 0.5), 0.1)
        tensor([[0.2000]])
    """
    (ax, ay), (bx, by) = _split(start), _split(end)
    ex, ey = bx - ax, by - ay
    dx, dy = x - ax, y - ay
    along = ((dx * ex + dy * ey) / (ex * ex + ey * ey).clamp(min=1e-12)).clamp(0, 1)
    radius = _tall(first) if last is None else torch.lerp(_tall(first), _tall(last), along)
    return torch.hypot(dx - along * ex, dy - along * ey) - radius


def curve(x: Tensor, y: Tensor, points: Tensor, radii: Numbers) -> Tensor:
    """Signed distance of a line through points (..., K, 2), of radii (..., K) or one; (..., P, P).

    Example:
        >>> bent = torch.tensor([[0.1, 0.5], [0.5, 0.5], [0.5, 0.9]])
        >>> curve(torch.tensor([[0.6]]), torch.tensor([[0.7]]), bent, 0.05)
        tensor([[0.0500]])
    """
    radius = torch.as_tensor(radii, dtype=torch.float32).expand(points.shape[:-1])
    parts = capsule(
        x, y, points[..., :-1, :], points[..., 1:, :], radius[..., :-1], radius[..., 1:]
    )
    return parts.amin(-3)


def polygon(x: Tensor, y: Tensor, corners: Points) -> Tensor:
    """Signed distance of polygons with corners (..., K, 2), in either order; returns (..., P, P).

    Example:
        >>> square = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]
        >>> polygon(torch.tensor([[0.5]]), torch.tensor([[0.7]]), square)
        tensor([[-0.1000]])
    """
    points = torch.as_tensor(corners, dtype=torch.float32)
    following = points.roll(-1, -2)
    (ax, ay), (bx, by) = _split(points), _split(following)
    away = capsule(x, y, points, following, 0.0).amin(-3)
    upper, lower = y < ay, y < by
    side = (bx - ax) * (y - ay) - (x - ax) * (by - ay)
    crossed = ((upper != lower) & ((side > 0) == upper)).sum(-3) % 2
    return away * (1 - 2 * crossed)


def dome(distance: Tensor, radius: Numbers) -> Tensor:
    """Height, in [0, 1], of a body that rises round from its edge: 1 deeper than ``radius``.

    Example:
        >>> dome(torch.tensor([0.1, 0.0, -0.1, -0.3]), 0.1)
        tensor([0., 0., 1., 1.])
    """
    slope = (1 + distance / radius).clamp(0, 1)
    return (1 - slope * slope).sqrt()


def cloud(family: Family, size: int, rough: float = 2.0, stretch: float = 1.0) -> Tensor:
    """A still random texture of zero mean and unit variance, (size, size), the same at every size.

    Args:
        family: whose generator to draw from.
        size: side of the result, in samples.
        rough: its power falls as the wave number to minus this: 1 is grainy, 3 is smooth.
        stretch: how much longer than high the patches are.

    Example:
        >>> from abplib.data.patterns.fire import Fire
        >>> cloud(Fire(16, 0), 64).shape
        torch.Size([64, 64])
    """
    across = torch.fft.rfftfreq(FINEST) * FINEST * stretch
    down = torch.fft.fftfreq(FINEST).view(-1, 1) * FINEST
    number = torch.hypot(across, down).clamp(min=1.0)
    waves = torch.fft.rfft2(family.normal(FINEST, FINEST)) * number ** (-rough / 2)
    waves[0, 0] = 0
    field = torch.fft.irfft2(waves, s=(FINEST, FINEST))
    return resize((field / field.std())[None], size)[0]


def drift(field: Tensor, across: float) -> Tensor:
    """A periodic picture (..., P, P) moved right by any part of its width, without rounding.

    Example:
        >>> drift(torch.tensor([[1.0, 0.0, 0.0, 0.0]]), 0.375)
        tensor([[0.0000, 0.5000, 0.5000, 0.0000]])
    """
    whole, part = divmod(across * field.shape[-1], 1.0)
    moved = field.roll(int(whole), -1)
    return torch.lerp(moved, moved.roll(1, -1), part)
