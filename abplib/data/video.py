"""Videos as tensors: any file that FFmpeg reads to pixels in [-1, 1], and back to MP4.

Decoding is done by PyAV, which brings its own FFmpeg: no system FFmpeg is needed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from abplib.data._decoding import (
    Crop,
    Frames,
    at_least,
    check_found,
    decoded,
    import_av,
    no_frame,
    opened,
    prepared,
    quarter_turns,
    target,
)


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says of itself; a field is None where the file does not say."""

    frames: int | None
    height: int  # pixels, upright: after the rotation that the file asks for
    width: int
    fps: float | None  # frames a second
    duration: float | None  # seconds


def video_info(path: str | Path) -> VideoInfo:
    """Return the size, length and frame rate of a video file, decoding its first frame only.

    Raises FileNotFoundError for a missing file; ValueError for a file that is no video or
    that holds no frame.

    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_video(f"{folder}/grey.mp4", torch.zeros(3, 10, 16, 24), fps=5)
    ...     video_info(path)
    VideoInfo(frames=10, height=16, width=24, fps=5.0, duration=2.0)
    """
    path = Path(path)
    with opened(path) as (container, stream):
        frame = next(decoded(container, stream, path), None)
        if frame is None:
            raise ValueError(no_frame(path))
        height, width = frame.height, frame.width
        if quarter_turns(frame) % 2:
            height, width = width, height
        duration: float | None = None
        if stream.duration is not None and stream.time_base is not None:
            duration = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            duration = container.duration / 1e6  # FFmpeg counts microseconds here
        rate = stream.average_rate or stream.guessed_rate
        return VideoInfo(
            stream.frames or None, height, width, float(rate) if rate else None, duration
        )


def read_video(
    path: str | Path,
    *,
    start: int = 0,
    frames: int | None = None,
    stride: int = 1,
    crop: Crop | None = None,
    size: int | tuple[int, int] | None = None,
    max_bytes: int = 2**31,
) -> Tensor:
    """Read a video file (MP4, AVI, GIF, ...) to a tensor (3, T, H, W), float32 in [-1, 1].

    Frames are decoded one by one, turned upright, cropped and resized at once, so memory follows
    the size of the result and not that of the file (up to three times the result where the header
    does not say how many frames there are). Decoding begins at the first frame of the file
    and ends with the last frame that is wanted.

    - `start`: index of the first frame, from 0.
    - `frames`: number of frames to return; None: all up to the end of the file.
    - `stride`: keep every stride-th frame from `start` on.
    - `crop`: "square", the largest centred square; or (top, left, height, width) in pixels.
    - `size`: (H, W) in pixels, or one int for both, after the crop. Smaller pictures are averaged
      (anti-aliased); the aspect ratio is not kept, so crop first.
    - `max_bytes`: the largest result to allow, in bytes.

    Raises FileNotFoundError for a missing file; ValueError for a file that is no video, is
    damaged, cut short or holds no frame, for fewer frames than asked, a crop outside the picture,
    a bad number, and a result over `max_bytes`.

    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_video(f"{folder}/grey.mp4", torch.zeros(3, 10, 16, 24))
    ...     read_video(path, start=2, frames=4, stride=2, crop="square", size=8).shape
    torch.Size([3, 4, 8, 8])
    """
    path = Path(path)
    start, stride = at_least(0, "start", start), at_least(1, "stride", stride)
    frames = None if frames is None else at_least(1, "frames", frames)
    shape = target(size)
    seen = 0
    with opened(path) as (container, stream):
        promised = stream.frames
        kept = Frames(path, frames or math.ceil((promised - start) / stride), max_bytes)
        for index, frame in enumerate(decoded(container, stream, path)):
            seen = index + 1
            if index < start or (index - start) % stride:
                continue
            kept.append(prepared(frame, crop, shape, path))
            if kept.count == frames:
                break
    check_found(path, seen, promised, start, frames, stride, kept.count)
    return kept.result()


def write_video(path: str | Path, video: Tensor, *, fps: float = 25) -> Path:
    """Write a video to an H.264 MP4 file (yuv420p, plays in every browser) and return its path.

    `video` is (3, T, H, W) or (1, T, H, W), floating point in [-1, 1]; `fps` is in frames a
    second. The format needs even sizes: an odd height or width is made even by repeating the last
    row or column. It also stores colour at half the resolution: enlarge a small video first, for
    instance with `video.repeat_interleave(4, 2).repeat_interleave(4, 3)`. The file is written
    beside its final place and moved there when it is whole, so `path` never holds half a video; an
    older file of that name is replaced.

    Raises ValueError for a wrong shape, dtype or range, values that are not finite, a bad `fps`,
    and a name that does not end in .mp4; FileNotFoundError where the folder does not exist.

    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_video(f"{folder}/grey.mp4", torch.zeros(1, 8, 15, 15)).name
    'grey.mp4'
    """
    path = Path(path)
    if path.suffix.lower() != ".mp4":
        raise ValueError(f"write_video makes MP4 files, but the name is {path.name!r}: end it .mp4")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent}: make it first")
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps is {fps}; expected a positive number of frames a second")
    _check_video(video)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        _encode(partial, video.detach(), fps)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def windows(video: Tensor, frames: int, *, offsets: Sequence[int]) -> Tensor:
    """Cut windows of `frames` frames out of one clip (C, T, H, W): (N, C, frames, H, W).

    Window n begins at frame `offsets[n]`; windows may overlap. Raises ValueError for a wrong
    shape, no offset, and a window that does not lie within the clip.

    >>> clip = torch.arange(6.0).reshape(1, 6, 1, 1)
    >>> windows(clip, 4, offsets=[0, 2]).flatten(1)
    tensor([[0., 1., 2., 3.],
            [2., 3., 4., 5.]])
    """
    if video.ndim != 4:
        raise ValueError(f"video has shape {tuple(video.shape)}; expected one clip (C, T, H, W)")
    frames = at_least(1, "frames", frames)
    if len(offsets) == 0:
        raise ValueError("offsets is empty; expected the first frame of at least one window")
    length = video.shape[1]
    for offset in offsets:
        if offset < 0 or offset + frames > length:
            raise ValueError(
                f"a window of {frames} frames at offset {offset} does not lie within the clip of "
                f"{length} frames: use offsets from 0 to {length - frames}, or fewer frames"
            )
    return torch.stack([video[:, offset : offset + frames] for offset in offsets])


def _check_video(video: Tensor) -> None:
    if video.ndim != 4 or video.shape[0] not in (1, 3) or 0 in video.shape:
        raise ValueError(
            f"video has shape {tuple(video.shape)}; expected one clip (3, T, H, W) or (1, T, H, W)"
        )
    if not video.is_floating_point():
        raise ValueError(f"video is {video.dtype}; expected floating point in [-1, 1]")
    if not torch.isfinite(video).all():
        raise ValueError("video holds values that are not finite (NaN or infinity)")
    low, high = float(video.min()), float(video.max())
    if low < -1 - 1e-4 or high > 1 + 1e-4:
        raise ValueError(
            f"video runs from {low:.4g} to {high:.4g}; expected [-1, 1]: rescale it, "
            "or video.clamp(-1, 1)"
        )


def _encode(path: Path, video: Tensor, fps: float) -> None:
    av = import_av()
    height, width = video.shape[2:]
    odd = ((0, height % 2), (0, width % 2), (0, 0))
    container_options = {"movflags": "faststart"}  # the index first: a browser can begin at once
    with av.open(f"file:{path}", "w", format="mp4", options=container_options) as container:
        rate = Fraction(fps).limit_denominator(100_000)
        stream = container.add_stream("libx264", rate=rate, options={"crf": "16"})
        stream.height, stream.width = height + height % 2, width + width % 2
        stream.pix_fmt = "yuv420p"
        for t in range(video.shape[1]):
            levels = video[:, t].float().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
            pixels = levels.expand(3, -1, -1).permute(1, 2, 0).cpu().numpy()
            picture = np.ascontiguousarray(np.pad(pixels, odd, mode="edge"))
            # Converted here: left to the encoder, the conversion is not the same from run to run.
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
