"""What every measure asks of the videos that it is given."""

from __future__ import annotations

import torch
from torch import Tensor


def as_clips(name: str, video: Tensor) -> Tensor:
    """Checked, as float64 (N, C, T, H, W)."""
    if video.ndim not in (4, 5) or 0 in video.shape:
        raise ValueError(
            f"{name} has shape {tuple(video.shape)}; expected (C, T, H, W) or (N, C, T, H, W)"
        )
    if not video.is_floating_point() or not torch.isfinite(video).all():
        raise ValueError(f"{name} is {video.dtype} or not finite; expected finite floating point")
    return (video if video.ndim == 5 else video[None]).detach().cpu().double()


def cut_windows(clips: Tensor, length: int) -> list[Tensor]:
    """Windows (N, C, length, H, W) that do not overlap, spread evenly over the clips' time."""
    count = clips.shape[2] // length
    spare = clips.shape[2] - count * length
    offsets = [k * length + (spare * k // (count - 1) if count > 1 else 0) for k in range(count)]
    return [clips[:, :, offset : offset + length] for offset in offsets]


def same_frames(a: Tensor, b: Tensor) -> None:
    if (a.shape[1], *a.shape[3:]) != (b.shape[1], *b.shape[3:]):
        raise ValueError(
            f"videos have shapes {tuple(a.shape)} and {tuple(b.shape)} (N, C, T, H, W); expected "
            "the same channels, height and width"
        )


def same_shape(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise ValueError(
            f"shapes differ: {tuple(a.shape)} and {tuple(b.shape)}; expected one shape"
        )
    if not (torch.isfinite(a).all() and torch.isfinite(b).all()):
        raise ValueError("values are not finite (NaN or infinity): there is nothing to measure")
