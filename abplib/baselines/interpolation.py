"""Trivial ways to fill in hidden pixels, which the paper does not compare with.

Three rules that learn nothing, or next to nothing: a straight line in time through every pixel, the
mean of what a pixel shows when it is observed, and the training clip that looks most like the
observed part. A learned model that does not beat them has learned nothing of use.

All take videos (N, C, T, H, W) and a bool mask that broadcasts to them, True where observed. Hidden
pixels may hold anything, NaN included. All return a video in which observed pixels are as given.
"""

from __future__ import annotations

import torch
from torch import Tensor


def linear_in_time(video: Tensor, observed: Tensor) -> Tensor:
    """Fill every hidden pixel on the straight line between its observed neighbours in time.

    Before the first observed frame of a pixel, and after the last, its nearest observed value
    stays. A pixel that is never observed gets the mean of its frame's observed pixels, colour by
    colour (of the whole video where the frame shows none). The result is linear in the video.

    Args:
        video: (N, C, T, H, W).
        observed: bool, broadcastable to `video`.

    Returns:
        (N, C, T, H, W).

    Raises:
        ValueError: for a mask that does not fit, or a video of which nothing is observed.

    >>> video = torch.tensor([0.0, 9.0, 9.0, 0.6]).reshape(1, 1, 4, 1, 1)
    >>> observed = torch.tensor([True, False, False, True]).reshape(1, 1, 4, 1, 1)
    >>> linear_in_time(video, observed).flatten()
    tensor([0.0000, 0.2000, 0.4000, 0.6000])
    """
    seen = checked(video, observed)
    known = torch.where(seen, video, torch.zeros((), dtype=video.dtype, device=video.device))
    frames = video.shape[2]
    index = torch.arange(frames, device=video.device).view(1, 1, -1, 1, 1).expand_as(seen)
    before = torch.where(seen, index, -1).cummax(2).values
    after = torch.where(seen, index, frames).flip(2).cummin(2).values.flip(2)
    first, last = before < 0, after >= frames
    before, after = torch.where(first, after, before), torch.where(last, before, after)
    never = first & last
    before, after = (x.clamp(0, frames - 1) for x in (before, after))
    share = (index - before).to(video.dtype) / (after - before).clamp(min=1)
    low, high = known.gather(2, before), known.gather(2, after)
    line = low + share * (high - low)
    return torch.where(seen, known, torch.where(never, _elsewhere(known, seen), line))


def mean_frame(video: Tensor, observed: Tensor) -> Tensor:
    """Fill every hidden pixel with the mean of its own observed values over time.

    A pixel that is never observed gets what `linear_in_time` gives it. Arguments, result and
    errors are those of `linear_in_time`.

    >>> video = torch.tensor([0.0, 9.0, 0.6]).reshape(1, 1, 3, 1, 1)
    >>> observed = torch.tensor([True, False, True]).reshape(1, 1, 3, 1, 1)
    >>> mean_frame(video, observed).flatten()
    tensor([0.0000, 0.3000, 0.6000])
    """
    seen = checked(video, observed)
    known = torch.where(seen, video, torch.zeros((), dtype=video.dtype, device=video.device))
    count = seen.sum(2, keepdim=True)
    mean = known.sum(2, keepdim=True) / count.clamp(min=1)
    mean = torch.where(count > 0, mean, _elsewhere(known, seen))
    return torch.where(seen, known, mean)


def nearest_clip(video: Tensor, observed: Tensor, clips: Tensor) -> Tensor:
    """Fill the hidden pixels from the training clip that differs least on the observed ones.

    Args:
        video: (N, C, T, H, W).
        observed: bool, broadcastable to `video`.
        clips: the training clips, (M, C, T, H, W).

    Returns:
        (N, C, T, H, W).

    Raises:
        ValueError: for clips of another shape, and as `linear_in_time` does.

    >>> clips = torch.tensor([[-1.0, -0.5], [1.0, 0.5]]).reshape(2, 1, 2, 1, 1)
    >>> observed = torch.tensor([True, False]).reshape(1, 1, 2, 1, 1)
    >>> nearest_clip(torch.full((1, 1, 2, 1, 1), 0.8), observed, clips).flatten()
    tensor([0.8000, 0.5000])
    """
    seen = checked(video, observed)
    if clips.ndim != video.ndim or clips.shape[1:] != video.shape[1:] or len(clips) == 0:
        raise ValueError(
            f"clips have shape {tuple(clips.shape)}; expected (M, ...) like the video's "
            f"{tuple(video.shape)}"
        )
    known = torch.where(seen, video, torch.zeros((), dtype=video.dtype, device=video.device))
    filled = []
    for one, mask in zip(known, seen, strict=True):
        distance = ((clips - one) * mask).square().flatten(1).sum(1)
        filled.append(torch.where(mask, one, clips[distance.argmin()]))
    return torch.stack(filled)


def checked(video: Tensor, observed: Tensor) -> Tensor:
    """The mask, expanded to the video's shape; ValueError where it does not fit."""
    if video.ndim != 5 or not video.is_floating_point():
        raise ValueError(
            f"video has shape {tuple(video.shape)} and is {video.dtype}; expected floating point "
            "(N, C, T, H, W)"
        )
    if observed.dtype != torch.bool:
        raise ValueError(f"observed is {observed.dtype}; expected bool, True where observed")
    try:
        seen = observed.expand_as(video)
    except RuntimeError:
        raise ValueError(
            f"observed has shape {tuple(observed.shape)}, which does not broadcast to the video's "
            f"{tuple(video.shape)}: make the mask with the video's (N, T, H, W)"
        ) from None
    if not bool(seen.flatten(1).any(1).all()):
        raise ValueError("a video has no observed pixel: leave it out")
    return seen


def _elsewhere(known: Tensor, seen: Tensor) -> Tensor:
    """Mean of the observed pixels of each frame and colour; of the video where there are none."""

    def mean(axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        count = seen.sum(axes, keepdim=True)
        return known.sum(axes, keepdim=True) / count.clamp(min=1), count

    (frame, count), (whole, _) = mean((3, 4)), mean((2, 3, 4))
    return torch.where(count > 0, frame, whole).expand_as(known)
