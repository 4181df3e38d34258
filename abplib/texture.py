"""Texture: how small patches of video look through random filters, as whole distributions.

A pattern that is stationary in space and time has a law of its small patches: how bright a pixel
is, how a bright pixel and its neighbours go together, how a dot moves on. A random filter turns
each patch into a number, and the distribution of that number over all patches is one view of the
law. Two laws are the same if all such distributions are. How far they are apart, in mean square
over filters, is the square of the sliced Wasserstein distance (Rabin, Peyre, Delon and Bernot,
2012), which needs little but sorting.

Filters of one pixel to seven, up to three frames deep, look at the video at full height and width,
at half and at a quarter. The paper has nothing of this: it is an option (`abplib.moments`), to be
declared where it is used.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

FILTER = (3, 7, 7)  # frames, rows, columns
SCALES = (1, 2, 4)  # height and width are divided by these
WIDTHS = (0.3, 3.6)  # deviations of the Gaussian on a filter, in pixels; half as much in time
STRIDES = ((40, 2), (0, 1))  # (more than so many columns, pixels from one patch to the next)
PERIOD = 16  # frames after which four doubling layers may repeat themselves
QUANTILES = 1024  # of each distribution that is kept
CLIPS = 8  # of the reference, at most


class Texture:
    """The law of small patches of reference videos, and how far other videos are from it.

    Args:
        videos: the reference, (N, C, T, H, W); 8 of them at most are looked at, evenly chosen.
        filters: how many random filters a scale has.
        at_once: how many of them a distance looks through; others each time.
        seed: of the filters.

    Raises:
        ValueError: for videos too small to hold a filter.

    >>> random = torch.Generator().manual_seed(0)
    >>> dots = (torch.rand(2, 1, 8, 24, 24, generator=random) > 0.9).float()
    >>> noise = dots.mean() + dots.std() * torch.randn(dots.shape, generator=random)
    >>> texture = Texture(dots[:1])
    >>> bool(texture.distance(dots[1:], random) < 0.3 * texture.distance(noise, random))
    True
    """

    def __init__(
        self, videos: Tensor, *, filters: int = 128, at_once: int = 32, seed: int = 0
    ) -> None:
        if videos.ndim != 5 or any(
            size < least for size, least in zip(videos.shape[2:], FILTER, strict=True)
        ):
            raise ValueError(
                f"videos have shape {tuple(videos.shape)}; expected (N, C, T, H, W) with at least "
                f"{FILTER[0]} frames of {FILTER[1]} x {FILTER[2]} pixels"
            )
        random = torch.Generator().manual_seed(seed)
        some = torch.linspace(0, len(videos) - 1, min(len(videos), CLIPS)).long()
        self.at_once = min(at_once, filters)
        self.filters: list[Tensor] = []
        self.wanted: list[Tensor] = []
        with torch.no_grad():
            for part in pyramid(videos[some.to(videos.device)]):
                bank = filter_bank(filters, videos.shape[1], random).to(videos.device)
                rows = torch.cat([ordered(part, few) for few in bank.split(self.at_once)])
                self.filters.append(bank)
                self.wanted.append(quantiles(rows, QUANTILES))

    def distance(self, videos: Tensor, random: torch.Generator) -> Tensor:
        """Squared distance of the laws: the mean over filters, and the sum over scales.

        Args:
            videos: (n, C, T, H, W), taken together; may be differentiated. A scale at which they
                or the reference are smaller than a filter is left out.
            random: draws the filters, and where the patches begin.

        Returns:
            A scalar, in squared pixel units: filters have norm 1.
        """
        total = videos.new_zeros(())
        for part, bank, wanted in zip(pyramid(videos), self.filters, self.wanted, strict=False):
            chosen = torch.randperm(len(bank), generator=random)[: self.at_once]
            chosen = chosen.to(videos.device)
            rows = ordered(part, bank[chosen], random)
            off = rows - quantiles(wanted[chosen], rows.shape[1])
            total = total + off.square().mean()
        return total


def filter_bank(count: int, channels: int, random: torch.Generator) -> Tensor:
    """Random filters of norm 1 (count, channels, *FILTER): noise under Gaussians."""
    filters = torch.randn(count, channels, *FILTER, generator=random)
    narrow, wide = torch.tensor(WIDTHS).log()
    width = (narrow + (wide - narrow) * torch.rand(count, generator=random)).exp()
    t, h, w = (torch.arange(size) - (size - 1) / 2 for size in FILTER)
    away = 4 * t.square()[:, None, None] + h.square()[:, None] + w.square()
    decay = (-away / (2 * width.square()[:, None, None, None])).exp()
    filters = filters * decay[:, None]
    return filters / filters.flatten(1).norm(dim=1).view(-1, 1, 1, 1, 1)


def pyramid(videos: Tensor) -> list[Tensor]:
    """The videos at each scale that still holds a filter."""
    fits = [s for s in SCALES if min(videos.shape[3:]) // s >= max(FILTER)]
    return [videos if s == 1 else F.avg_pool3d(videos, (1, s, s)) for s in fits]


def ordered(videos: Tensor, filters: Tensor, random: torch.Generator | None = None) -> Tensor:
    """What the filters see in patches on a grid, sorted: (filters, patches).

    With `random`, the grid begins anywhere, and takes one frame in 16, drawn anew each time: a
    network that doubles its input may be right on average and yet pulse, bright at one phase of its
    period and dull at another. Each phase is asked for the whole law.
    """
    step = next(step for size, step in STRIDES if videos.shape[-1] > size)
    steps = (2 * step if random is None else PERIOD, step, step)
    begin = [0, 0, 0]
    if random is not None:
        room = [size - least + 1 for size, least in zip(videos.shape[2:], FILTER, strict=True)]
        begin = [
            int(torch.randint(min(pace, far), (), generator=random))
            for pace, far in zip(steps, room, strict=True)
        ]
    t, h, w = begin
    # Three frames of C colours are one picture of 3 C: patches are then a convolution in the plane.
    stacks = videos[:, :, t:, h:, w:].unfold(2, FILTER[0], steps[0])  # (N, C, K, H, W, 3)
    pictures = stacks.permute(0, 2, 1, 5, 3, 4).flatten(2, 3).flatten(0, 1)
    seen = F.conv2d(pictures, filters.flatten(1, 2), stride=step)
    return seen.movedim(1, 0).flatten(1).sort(1).values


def quantiles(rows: Tensor, count: int) -> Tensor:
    """So many evenly spaced quantiles of each sorted row (n, m): (n, count), interpolated.

    >>> quantiles(torch.tensor([[0.0, 1.0, 2.0, 3.0]]), 2)
    tensor([[0.5000, 2.5000]])
    """
    place = (torch.arange(count, device=rows.device) + 0.5) / count * rows.shape[1] - 0.5
    place = place.clamp(0, rows.shape[1] - 1)
    low = place.floor().long().clamp(max=max(0, rows.shape[1] - 2))
    high = (low + 1).clamp(max=rows.shape[1] - 1)
    share = place - low
    return rows[:, low] * (1 - share) + rows[:, high] * share
