"""How far a mouth is open, read off its pictures: a measure that a lip-reader would trust."""

from __future__ import annotations

import torch
from torch import Tensor

MIDDLE = 0.2  # share of the picture's width, around its middle, in which the gap is looked for


def lip_opening(video: Tensor) -> Tensor:
    """The gap between the lips in each frame: (N, 3, T, H, W) to (N, T), in a unit of its own.

    Red minus green tells skin and lips from what lies between the lips, for darkness and teeth are
    both less red than skin, and lips are redder. The gap is how much less red than the picture's
    median its middle columns are.

    Raises:
        ValueError: for videos that are not (N, 3, T, H, W).

    >>> lip_opening(torch.zeros(2, 3, 4, 20, 20)).shape
    torch.Size([2, 4])
    """
    if video.ndim != 5 or video.shape[1] != 3:
        raise ValueError(f"video has shape {tuple(video.shape)}; expected (N, 3, T, H, W)")
    redness = (video[:, 0] - video[:, 1]) / 2
    skin = redness.flatten(2).median(2).values[..., None, None]
    width = video.shape[-1]
    middle = slice(int((0.5 - MIDDLE / 2) * width), int((0.5 + MIDDLE / 2) * width))
    return (skin - redness).clamp(min=0)[..., middle].mean((2, 3))


def lip_correlation(video: Tensor, opening: Tensor) -> Tensor:
    """Correlation over time of the opening seen in videos with the true one: (N,).

    Args:
        video: (N, 3, T, H, W) in [-1, 1].
        opening: (N, T), for instance that of a score. A mouth that does not move correlates with
            nothing: 0.

    Raises:
        ValueError: where the sizes do not fit.

    >>> moving = torch.linspace(-1, 1, 5).expand(2, 5)
    >>> lip_correlation(torch.zeros(2, 3, 5, 8, 8), moving)
    tensor([0., 0.])
    """
    seen = lip_opening(video)
    if seen.shape != opening.shape:
        raise ValueError(f"opening has shape {tuple(opening.shape)}; expected {tuple(seen.shape)}")
    a, b = (x - x.mean(1, keepdim=True) for x in (seen, opening.to(seen)))
    scale = a.norm(dim=1) * b.norm(dim=1)
    return torch.where(scale > 1e-8, (a * b).sum(1) / scale.clamp(min=1e-8), 0.0)
