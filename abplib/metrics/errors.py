"""Measures of reconstruction and recovery, which have a truth to compare with."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from abplib.metrics.checks import as_clips, same_shape


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(2^2 / MSE): the range [-1, 1] has peak 2.

    `a` and `b` have one shape; the result is infinite where they are equal. Raises ValueError for
    shapes that differ and values that are not finite.

    >>> round(psnr(torch.zeros(4), torch.full((4,), 0.2)), 6)
    20.0
    """
    same_shape(a, b)
    error = (a.double() - b.double()).square().mean().item()
    return math.inf if error == 0 else 10 * math.log10(4 / error)


def recovery_error(recovered: Tensor, truth: Tensor, observed: Tensor) -> float:
    """Mean absolute error over the hidden pixels alone (section 4.2), on the [-1, 1] scale.

    `recovered` and `truth` are (N, C, T, H, W); `observed` is bool, broadcastable to them. Raises
    ValueError where shapes or dtype do not fit, and where nothing is hidden.

    >>> observed = torch.tensor([True, False])
    >>> recovery_error(torch.tensor([9.0, 0.5]), torch.zeros(2), observed)
    0.5
    """
    same_shape(recovered, truth)
    if observed.dtype != torch.bool:
        raise ValueError(f"observed is {observed.dtype}; expected bool, True = observed")
    try:
        hidden = ~observed.expand_as(truth)
    except RuntimeError as error:
        raise ValueError(
            f"observed has shape {tuple(observed.shape)}, which does not broadcast to the video's "
            f"{tuple(truth.shape)}"
        ) from error
    if not hidden.any():
        raise ValueError("nothing is hidden, so there is no recovery to measure: check the mask")
    return (recovered.double() - truth.double()).abs()[hidden].mean().item()


def mean_frame_psnr(video: Tensor) -> float:
    """PSNR in dB of each clip's mean frame, repeated, against the clip: the floor to beat.

    >>> round(mean_frame_psnr(torch.tensor([-0.2, 0.2]).reshape(1, 2, 1, 1)), 4)
    20.0
    """
    clips = as_clips("video", video)
    return psnr(clips.mean(2, keepdim=True).expand_as(clips), clips)
