"""Checks videos and turns them into 8-bit frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor

Array: TypeAlias = npt.NDArray[np.generic]
Frames: TypeAlias = npt.NDArray[np.uint8]
Video: TypeAlias = Tensor | Array
Videos: TypeAlias = Video | Sequence[Video] | Mapping[str, Video]

# Rounding in tanh or in resizing may leave [-1, 1] by about 1e-6, never by this much.
_SLACK = 1e-3


def labelled_frames(videos: Videos) -> list[tuple[str, Frames]]:
    """Split videos into labelled clips of 8-bit frames.

    Args:
        videos: one video (C, T, H, W), a batch (N, C, T, H, W), a sequence of videos, or a
            mapping from label to video or batch; C is 1 or 3, pixels in [-1, 1].

    Returns:
        Pairs of label and frames (T, H, W, 3), uint8. A lone unlabelled video has the label "".

    Raises:
        ValueError: nothing to show, wrong shape or type, NaN, or pixels outside [-1, 1].

    >>> labelled_frames({"noise": np.zeros((1, 2, 4, 4))})[0][1].shape
    (2, 4, 4, 3)
    """
    if isinstance(videos, Mapping):
        named = [(str(label), clip) for label, clip in videos.items()]
    elif isinstance(videos, Tensor | np.ndarray):
        named = [("", videos)]
    else:
        named = [(str(i), clip) for i, clip in enumerate(videos, 1)]
    clips: list[tuple[str, Frames]] = []
    for label, video in named:
        batch = _batch(video, f"video {label!r}" if label else "the video")
        if len(batch) == 1:
            clips.append((label, batch[0]))
        else:
            clips += [(f"{label} {i}".strip(), clip) for i, clip in enumerate(batch, 1)]
    if not clips:
        raise ValueError("no video to show: pass at least one, such as {'observed': video}")
    return clips


def _batch(video: Video, who: str) -> list[Frames]:
    """Check one video or batch and return its clips as frames (T, H, W, 3), uint8."""
    pixels = video.detach().cpu().numpy() if isinstance(video, Tensor) else np.asarray(video)
    shape = tuple(pixels.shape)
    if not np.issubdtype(pixels.dtype, np.floating):
        raise ValueError(
            f"{who} holds {pixels.dtype}, expected floats in [-1, 1]: "
            "convert bytes with x / 127.5 - 1, a mask with 2.0 * mask - 1"
        )
    if pixels.ndim not in (4, 5) or shape[-4] not in (1, 3):
        raise ValueError(
            f"{who} has shape {shape}, expected (C, T, H, W) or (N, C, T, H, W) with C = 1 or 3: "
            "move the colour axis with permute, or add it with unsqueeze(0)"
        )
    if 0 in shape:
        raise ValueError(f"{who} is empty, shape {shape}: pass at least one clip, frame and pixel")
    bad = np.count_nonzero(~np.isfinite(pixels))
    if bad:
        raise ValueError(
            f"{who} has {bad} values that are NaN or infinite: the run that made it has diverged "
            "(try a shorter step), or fill the gaps with torch.nan_to_num"
        )
    low, high = float(pixels.min()), float(pixels.max())
    if low < -1 - _SLACK or high > 1 + _SLACK:
        raise ValueError(
            f"{who} runs from {low:.3g} to {high:.3g}, expected [-1, 1]: "
            "cut it with .clamp(-1, 1), or rescale pixels in [0, 1] with 2 * x - 1"
        )
    frames = np.rint((np.clip(pixels, -1, 1) + 1) * 127.5).astype(np.uint8)
    frames = np.moveaxis(frames.reshape(-1, *shape[-4:]), 1, -1)
    return list(np.broadcast_to(frames, (*frames.shape[:-1], 3)))
