"""What falls through the frame for ever: bodies on a torus around it, drawn as soft spots."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .base import Family
from .drawing import FINEST

MARGIN = 0.17  # the torus reaches this far beyond the frame, in frame widths, on each side
SPAN = 1 + 2 * MARGIN


class Falling:
    """Positions of bodies that fall, equally dense at every place and time.

    A body that leaves below comes back above, at a place across that is drawn anew; one that
    leaves at a side comes back at the other. Each keeps its own speed, so that the density stays
    even; no two passes are alike.

    Args:
        family: whose generator to draw from.
        count: number of bodies.
    """

    def __init__(self, family: Family, count: int) -> None:
        self._family = family
        self.x = family.uniform(count) * SPAN - MARGIN
        self.y = family.uniform(count) * SPAN - MARGIN

    def move(self, across: Tensor, down: Tensor) -> None:
        """Move the bodies by these distances, (count,) each, in frame widths."""
        self.y = self.y + down
        fresh = self._family.uniform(len(self.x)) * SPAN
        self.x = torch.where(self.y > 1 + MARGIN, fresh, (self.x + across + MARGIN) % SPAN) - MARGIN
        self.y = (self.y + MARGIN) % SPAN - MARGIN


class Spots:
    """Draws many soft spots at once, in a few layers that differ in the spot's shape.

    Each spot is spread over the four nearest cells of its layer's grid; the layers are blurred
    with their shapes in Fourier space, on the torus, and added.

    Args:
        size: height and width of a finished frame, in pixels.
        shapes: brightness of a layer's spot by distance from its centre, in frame widths; no
            shape may reach further than `MARGIN`.
    """

    def __init__(self, size: int, shapes: Sequence[Callable[[Tensor], Tensor]]) -> None:
        self._size = size
        self._samples = max(1, math.ceil(FINEST / size))
        self._cells = size * self._samples  # across the frame
        self._margin = math.ceil(MARGIN * self._cells)
        self._side = self._cells + 2 * self._margin
        offset = torch.fft.fftfreq(self._side) * self._side / self._cells
        distance = torch.hypot(offset.view(-1, 1), offset.view(1, -1))
        self._shapes = torch.fft.rfft2(torch.stack([shape(distance) for shape in shapes]))

    def draw(self, x: Tensor, y: Tensor, weight: Tensor, layer: Tensor) -> Tensor:
        """Sum of the spots in the frame, (size, size); all arguments (count,)."""
        across = (x + MARGIN).clamp(min=0) * self._cells + self._margin - MARGIN * self._cells - 0.5
        down = (y + MARGIN).clamp(min=0) * self._cells + self._margin - MARGIN * self._cells - 0.5
        column, row = across.floor(), down.floor()
        right, low = across - column, down - row
        left, high = 1 - right, 1 - low
        side = self._side
        places, shares = [], []
        for dy, vertical in ((0, high), (1, low)):
            for dx, horizontal in ((0, left), (1, right)):
                cell = ((row.long() + dy) % side) * side + (column.long() + dx) % side
                places.append(cell + layer * side * side)
                shares.append(weight * vertical * horizontal)
        grid = torch.zeros(len(self._shapes) * side * side)
        grid.index_add_(0, torch.cat(places), torch.cat(shares))
        waves = torch.fft.rfft2(grid.view(-1, side, side)) * self._shapes
        whole = torch.fft.irfft2(waves.sum(0), s=(side, side))
        inner = slice(self._margin, self._margin + self._cells)
        return whole[inner, inner].clamp(min=0)

    def pool(self, image: Tensor) -> Tensor:
        """Average (3, P, P) over the samples of each pixel: (3, size, size)."""
        shape = (3, self._size, self._samples, self._size, self._samples)
        return image.reshape(shape).mean((2, 4))
