"""Laplacian heat diffusion (LHD), the baseline of Table 1, in three dimensions (section 4.2).

    u <- u + rate * (mean of u over its neighbours - u)          at hidden pixels, for every sweep

Observed pixels hold their values like a heat bath, hidden ones take up the temperature around them.
The neighbours are the six in space and time, or those of them that lie inside the video: no heat
flows over its border. In the limit u is harmonic: each hidden pixel is the mean of its neighbours.

The paper gives 500 sweeps and a rate of 0.5, not the discretisation. With the Laplacian as a plain
sum, u <- u + rate * sum over neighbours of (u' - u), a rate of 0.5 diverges in three dimensions:
that sum has eigenvalues down to -12, so that a rate below 1/6 is needed. With the mean over
neighbours they lie in [-2, 0] and any rate below 1 is stable. So it is the mean here.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from abplib.baselines.interpolation import checked, mean_frame


def heat_diffusion(
    video: Tensor,
    observed: Tensor,
    *,
    sweeps: int = 500,
    rate: float = 0.5,
    start: Literal["zero", "mean"] = "zero",
) -> Tensor:
    """Fill in hidden pixels by heat diffusion from the observed ones.

    Args:
        video: (N, C, T, H, W); hidden pixels may hold anything. Colours do not mix.
        observed: bool, broadcastable to `video`; True where observed.
        sweeps: number of simultaneous updates; the paper's 500.
        rate: of each, in (0, 1); the paper's 0.5.
        start: what hidden pixels are at first: "zero" (mid grey), or "mean", what
            `abplib.baselines.interpolation.mean_frame` puts there.

    Returns:
        (N, C, T, H, W), equal to the video where observed, and linear in it.

    Raises:
        ValueError: for a rate that does not converge, and as `mean_frame` does.

    >>> video = torch.tensor([0.0, 9.0, 9.0, 0.6]).reshape(1, 1, 4, 1, 1)
    >>> observed = torch.tensor([True, False, False, True]).reshape(1, 1, 4, 1, 1)
    >>> heat_diffusion(video, observed).flatten()
    tensor([0.0000, 0.2000, 0.4000, 0.6000])
    """
    seen = checked(video, observed)
    if sweeps < 0 or not 0 < rate < 1:
        raise ValueError(
            f"sweeps is {sweeps} and rate {rate}; expected at least 0, and a rate in (0, 1): the "
            "largest eigenvalue of the normalised Laplacian is 2, so that 1 no longer converges"
        )
    if start == "zero":
        u = torch.where(seen, video, torch.zeros((), dtype=video.dtype, device=video.device))
    elif start == "mean":
        u = mean_frame(video, observed)
    else:
        raise ValueError(f"start is {start!r}; expected 'zero' or 'mean'")
    share = torch.where(seen, 0.0, rate).to(u.dtype)
    keep, pace = 1 - share, share / neighbour_sum(torch.ones_like(u[:1, :1]))
    videos = []  # one at a time: it stays in the cache, which halves the time
    for one, kept, slow in zip(u.split(1), keep.split(1), pace.split(1), strict=True):
        for _ in range(sweeps):
            one = kept * one + slow * neighbour_sum(one)
        videos.append(one)
    return torch.cat(videos)


def neighbour_sum(u: Tensor) -> Tensor:
    """Sum over the up to six neighbours in time, height and width: shaped as u (N, C, T, H, W).

    >>> neighbour_sum(torch.ones(1, 1, 3, 1, 1)).flatten()
    tensor([1., 2., 1.])
    """
    total = torch.zeros_like(u)
    for axis in (2, 3, 4):
        length = u.shape[axis] - 1
        total.narrow(axis, 0, length).add_(u.narrow(axis, 1, length))
        total.narrow(axis, 1, length).add_(u.narrow(axis, 0, length))
    return total
