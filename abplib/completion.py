"""From a generated video to a recovered one: what the generator misses, and where it is not needed.

G(Z) explains the whole video by one latent, and misses detail that the observed pixels around a
hidden one show. Linear interpolation in time, L, has that detail wherever the video stands still,
and is wrong wherever it moves. So each is asked where it knows best:

    recovered = (1 - w) L(I) + w (G(Z) + F(I - G(Z))),        w = c / (c + threshold)

F interpolates what the generator leaves unexplained (see `abplib.recover.add_residual`). The change
c says how far a hidden pixel is from standing still: the difference between its last observed value
before the gap and its first one after. With threshold 0 the answer is G(Z) plus its interpolated
residual, with an infinite one linear interpolation alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from abplib.baselines.heat_diffusion import heat_diffusion
from abplib.baselines.interpolation import checked, linear_in_time
from abplib.metrics import recovery_error

Fill = Callable[[Tensor, Tensor], Tensor]
THRESHOLDS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, math.inf)


def change_across_gaps(video: Tensor, observed: Tensor) -> Tensor:
    """How much each hidden pixel changes across the gap in time that it lies in.

    Args:
        video: (N, C, T, H, W); hidden pixels may hold anything.
        observed: bool, broadcastable to `video`.

    Returns:
        (N, 1, T, H, W): mean over colours of |value after the gap - value before|; infinite where
        one end of the gap is the end of the video, 0 where observed.

    Raises:
        ValueError: for a mask that does not fit, or a video of which nothing is observed.

    >>> video = torch.tensor([0.1, 9.0, 0.4, 9.0]).reshape(1, 1, 4, 1, 1)
    >>> observed = torch.tensor([True, False, True, False]).reshape(1, 1, 4, 1, 1)
    >>> change_across_gaps(video, observed).flatten()
    tensor([0.0000, 0.3000, 0.0000,    inf])
    """
    seen = checked(video, observed)
    known = torch.where(seen, video, torch.zeros((), dtype=video.dtype, device=video.device))
    frames = video.shape[2]
    index = torch.arange(frames, device=video.device).view(1, 1, -1, 1, 1).expand_as(seen)
    before = torch.where(seen, index, -1).cummax(2).values
    after = torch.where(seen, index, frames).flip(2).cummin(2).values.flip(2)
    open_ended = ((before < 0) | (after >= frames)).any(1, keepdim=True)
    first, last = (known.gather(2, i.clamp(0, frames - 1)) for i in (before, after))
    change = (last - first).abs().mean(1, keepdim=True)
    return torch.where(open_ended, torch.full_like(change, math.inf), change)


def motion_weight(video: Tensor, observed: Tensor, threshold: float) -> Tensor:
    """w = c / (c + threshold), in [0, 1]: (N, 1, T, H, W); 1 where a gap has an open end.

    Raises:
        ValueError: for a threshold below zero.

    >>> video = torch.tensor([0.1, 9.0, 0.4]).reshape(1, 1, 3, 1, 1)
    >>> observed = torch.tensor([True, False, True]).reshape(1, 1, 3, 1, 1)
    >>> round(float(motion_weight(video, observed, 0.1)[0, 0, 1]), 2)  # 0.3 / (0.3 + 0.1)
    0.75
    """
    if not threshold >= 0:
        raise ValueError(f"threshold is {threshold}; expected 0 or more, in pixel units")
    change = change_across_gaps(video, observed)
    if math.isinf(threshold):
        return torch.zeros_like(change)
    if threshold == 0:
        return torch.ones_like(change)
    return torch.where(change.isinf(), 1.0, change / (change + threshold))


def space_and_time(video: Tensor, observed: Tensor) -> Tensor:
    """Half linear interpolation in time, half heat diffusion (100 sweeps) in space and time.

    Arguments, result and errors are those of `abplib.baselines.interpolation.linear_in_time`.

    >>> video = torch.tensor([0.0, 9.0, 0.6]).reshape(1, 1, 3, 1, 1)
    >>> observed = torch.tensor([True, False, True]).reshape(1, 1, 3, 1, 1)
    >>> space_and_time(video, observed).flatten()
    tensor([0.0000, 0.3000, 0.6000])
    """
    diffused = heat_diffusion(video, observed, sweeps=100)
    return (linear_in_time(video, observed) + diffused) / 2


def follow_motion(
    generated: Tensor,
    data: Tensor,
    observed: Tensor,
    *,
    threshold: float = 0.05,
    fill: Fill = linear_in_time,
) -> Tensor:
    """The generator where the video moves, linear interpolation in time where it stands still.

    Args:
        generated: G(Z), (N, C, T, H, W), or its posterior mean.
        data: what was observed, shaped alike; hidden pixels may hold anything.
        observed: bool, broadcastable to `data`.
        threshold: the change, in pixel units, at which the generator gets half of the say.
        fill: F, which interpolates the residual: fill(video, observed) -> video.

    Returns:
        (N, C, T, H, W) in [-1, 1], equal to the data where observed.

    Raises:
        ValueError: for shapes that differ, a threshold below zero, and as `linear_in_time`.

    >>> data = torch.tensor([0.0, 9.0, 0.0, 9.0, 0.4]).reshape(1, 1, 5, 1, 1)
    >>> observed = torch.tensor([True, False, True, False, True]).reshape(1, 1, 5, 1, 1)
    >>> generated = torch.tensor([0.0, 0.3, 0.0, 0.3, 0.4]).reshape(1, 1, 5, 1, 1)
    >>> follow_motion(generated, data, observed, threshold=0.1).flatten()
    tensor([0.0000, 0.0000, 0.0000, 0.2800, 0.4000])
    """
    if generated.shape != data.shape:
        raise ValueError(f"generated is {tuple(generated.shape)}, data {tuple(data.shape)}")
    still, moving = linear_in_time(data, observed), _with_residual(generated, data, observed, fill)
    answer = still + motion_weight(data, observed, threshold) * (moving - still)
    return torch.where(observed, still, answer).clamp(-1, 1)


def choose(
    generated: Tensor,
    truth: Tensor,
    observed: Tensor,
    thresholds: Iterable[float] = THRESHOLDS,
    fills: Iterable[Fill] = (linear_in_time, space_and_time),
) -> tuple[float, Fill]:
    """The threshold and fill with the least mean absolute error, on clips set aside for that.

    Args:
        generated, observed: as for `follow_motion`.
        truth: the clips, nothing hidden.
        thresholds, fills: to choose from.

    Raises:
        ValueError: where nothing is hidden, and as `follow_motion`.

    >>> truth = torch.tensor([0.0, 0.3, 0.4]).reshape(1, 1, 3, 1, 1)
    >>> observed = torch.tensor([True, False, True]).reshape(1, 1, 3, 1, 1)
    >>> choose(truth, truth, observed)[0]  # a perfect generator
    0.0
    """

    still, tried = linear_in_time(truth, observed), []
    for fill in fills:
        moving = _with_residual(generated, truth, observed, fill)
        for threshold in thresholds:
            answer = still + motion_weight(truth, observed, threshold) * (moving - still)
            error = recovery_error(answer.clamp(-1, 1), truth, observed)
            tried.append((error, threshold, fill))
    best = min(tried, key=lambda one: one[0])
    return best[1], best[2]


def _with_residual(generated: Tensor, data: Tensor, observed: Tensor, fill: Fill) -> Tensor:
    """G(Z) + F(I - G(Z))."""
    zero = torch.zeros((), dtype=data.dtype, device=data.device)
    residual = torch.where(observed, data, zero) - torch.where(observed, generated, zero)
    return generated + fill(residual, observed)
