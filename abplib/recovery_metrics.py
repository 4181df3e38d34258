"""Measures of a recovery beside its mean absolute error, over hidden pixels alone.

The error of `abplib.metrics.recovery_error` is the paper's. Two things please it that should not: a
still background, which any method copies, and blur, since an average of what may have been there
has less error than any sharp guess. So three more numbers stand beside it: the error where the
video moves, the sharpness of what was recovered, and whether its intervals hold what they promise.

Videos are (N, C, T, H, W) with pixels in [-1, 1]; masks are bool, broadcastable, True = observed.
"""

from __future__ import annotations

from torch import Tensor

from abplib.metrics import recovery_error

MOVING = 0.05  # standard deviation over time, about 6 of 255 grey levels


def moving_error(
    recovered: Tensor, truth: Tensor, observed: Tensor, threshold: float = MOVING
) -> float:
    """Mean absolute error over hidden pixels that move.

    A pixel moves if the true values of one of its colours have a standard deviation over time of
    at least `threshold`. Raises ValueError where nothing hidden moves, and as `recovery_error`.

    >>> import torch
    >>> truth = torch.tensor([[0.0, 0.0], [0.5, -0.5]]).T.reshape(1, 1, 2, 1, 2)
    >>> hidden = torch.zeros(1, 1, 2, 1, 2, dtype=torch.bool)
    >>> moving_error(torch.zeros_like(truth), truth, hidden)  # the left pixel stands still
    0.5
    """
    moves = (truth.std(2, correction=0, keepdim=True) >= threshold).any(1, keepdim=True)
    if not (moves & ~observed).any():
        raise ValueError(
            f"no hidden pixel moves by {threshold} or more: lower the threshold, or leave it out"
        )
    return recovery_error(recovered, truth, observed | ~moves)


def sharpness(recovered: Tensor, truth: Tensor, observed: Tensor) -> float:
    """How sharp the recovered region is, as a share of the truth: 1 is right, below is blurred.

    The mean absolute difference of neighbours in height and width that are both hidden, over the
    same of the truth. Noise can raise it above 1. Raises ValueError for shapes that differ and
    where the truth has no such neighbours that differ.

    >>> import torch
    >>> truth = torch.tensor([-1.0, 1.0, -1.0, 1.0]).reshape(1, 1, 1, 1, 4)
    >>> sharpness(truth / 2, truth, torch.zeros(1, 1, 1, 1, 4, dtype=torch.bool))
    0.5
    """
    if recovered.shape != truth.shape:
        raise ValueError(f"recovered is {tuple(recovered.shape)}, truth {tuple(truth.shape)}")
    hidden = ~observed.expand_as(truth)
    totals = []
    for video in (recovered, truth):
        total = 0.0
        for axis in (3, 4):
            pairs = hidden.narrow(axis, 1, hidden.shape[axis] - 1) & hidden.narrow(
                axis, 0, hidden.shape[axis] - 1
            )
            total += video.double().diff(dim=axis).abs()[pairs].sum().item()
        totals.append(total)
    if totals[1] == 0:
        raise ValueError("the truth is flat, or no two neighbours are hidden: nothing is sharp")
    return totals[0] / totals[1]


def coverage(low: Tensor, high: Tensor, truth: Tensor, observed: Tensor) -> float:
    """Share of hidden values that lie in [low, high]; 0.9 is right for 90% intervals.

    Raises ValueError for shapes that differ, and where nothing is hidden.

    >>> import torch
    >>> truth = torch.tensor([0.0, 0.2, 0.9, 0.0])
    >>> seen = torch.tensor([False, False, False, True])
    >>> round(coverage(truth * 0 - 0.5, truth * 0 + 0.5, truth, seen), 4)
    0.6667
    """
    if low.shape != truth.shape or high.shape != truth.shape:
        raise ValueError(
            f"low is {tuple(low.shape)}, high {tuple(high.shape)}, truth {tuple(truth.shape)}"
        )
    hidden = ~observed.expand_as(truth)
    if not hidden.any():
        raise ValueError("nothing is hidden, so no interval is put to the test: check the mask")
    inside = (truth >= low) & (truth <= high)
    return inside[hidden].double().mean().item()
