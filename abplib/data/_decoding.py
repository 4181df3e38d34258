"""How `abplib.data.video` decodes: one frame at a time, each made ready at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

Crop = Literal["square"] | tuple[int, int, int, int]

# libswscale's BICUBIC | FULL_CHR_H_INT | ACCURATE_RND. Without the last two FFmpeg's conversion to
# RGB rounds down, which darkens the picture by about one level of 255.
EXACT_COLOURS = 0x4 | 0x2000 | 0x40000


def import_av() -> ModuleType:
    """PyAV, or an ImportError that says how to get it."""
    try:
        import av
    except ImportError as error:
        raise ImportError("reading and writing video files needs PyAV: pip install av") from error
    return av


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    av = import_av()
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}: check the path")
    if not path.is_file():
        raise ValueError(f"{path} is not a file; expected a video file")
    try:
        container = av.open(f"file:{path}")
    except av.FFmpegError as error:
        raise ValueError(
            f"{path} cannot be read as a video ({error.strerror}): it is of another kind, empty or "
            "cut short; check that it plays elsewhere, or fetch it again"
        ) from error
    with container:
        if not container.streams.video:
            raise ValueError(no_frame(path))
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield container, stream


def decoded(container: InputContainer, stream: VideoStream, path: Path) -> Iterator[VideoFrame]:
    """The frames in order; ValueError at the first damaged one."""
    av, count = import_av(), 0
    try:
        for frame in container.decode(stream):
            if frame.is_corrupt:
                raise av.InvalidDataError(0, "the frame is incomplete")
            yield frame
            count += 1
    except av.FFmpegError as error:
        raise ValueError(
            f"{path} is damaged or cut short: {count} frames were found before frame {count} "
            f"failed ({error.strerror}); ask for frames before it with start= and frames=, "
            "or fetch the file again"
        ) from error


def quarter_turns(frame: VideoFrame) -> int:
    """Anticlockwise quarter turns that bring the stored picture upright."""
    return round(getattr(frame, "rotation", 0) / 90) % 4


def prepared(
    frame: VideoFrame, crop: Crop | None, size: tuple[int, int] | None, path: Path
) -> Tensor:
    """One decoded frame, upright, cropped, resized: (3, H, W) in [-1, 1]."""
    pixels = frame.to_ndarray(format="rgb24", interpolation=EXACT_COLOURS)
    pixels = np.rot90(pixels, quarter_turns(frame))
    top, left, height, width = box(crop, pixels.shape[0], pixels.shape[1], path)
    pixels = pixels[top : top + height, left : left + width].transpose(2, 0, 1)
    picture = torch.from_numpy(np.ascontiguousarray(pixels)).float().div_(127.5).sub_(1)
    if size is None or size == (height, width):
        return picture
    resized = F.interpolate(picture[None], size, mode="bilinear", antialias=True)[0]
    return resized.clamp_(-1, 1)


def box(crop: Crop | None, height: int, width: int, path: Path) -> tuple[int, int, int, int]:
    """The crop as (top, left, height, width), checked against the picture's size."""
    if crop is None:
        return 0, 0, height, width
    if isinstance(crop, str):
        if crop != "square":
            raise ValueError(f"crop is {crop!r}; expected 'square' or (top, left, height, width)")
        side = min(height, width)
        return (height - side) // 2, (width - side) // 2, side, side
    if len(crop) != 4 or not all(isinstance(side, int) for side in crop):
        raise ValueError(f"crop is {crop!r}; expected 'square' or (top, left, height, width)")
    top, left, tall, wide = crop
    inside = min(top, left) >= 0 and top + tall <= height and left + wide <= width
    if not (inside and tall > 0 and wide > 0):
        raise ValueError(
            f"crop (top={top}, left={left}, height={tall}, width={wide}) does not lie within the "
            f"pictures of {path}, which are {height} high and {width} wide"
        )
    return top, left, tall, wide


def target(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    pair = size if isinstance(size, tuple | list) else (size, size)
    if len(pair) != 2 or not all(isinstance(side, int) and side > 0 for side in pair):
        raise ValueError(f"size is {size!r}; expected a positive int, or a pair (height, width)")
    return pair[0], pair[1]


class Frames:
    """The result, filled frame by frame: one tensor (3, T, H, W), T doubling where it was unknown.

    Keeping many small frames instead, between the large pictures that come and go, splits the heap
    so that memory grows with the length of the file.
    """

    def __init__(self, path: Path, planned: int, max_bytes: int) -> None:
        self.path, self.planned, self.max_bytes = path, max(1, planned), max_bytes
        self.count = 0
        self.video = torch.empty(3, 0, 0, 0)

    def append(self, picture: Tensor) -> None:
        """Copy one picture (3, H, W); ValueError for another size or more than max_bytes."""
        self._check_room(max(self.planned, self.count + 1), picture)
        if self.count == 0:
            self.video = torch.empty(3, self.planned, *picture.shape[1:])
        elif picture.shape[1:] != self.video.shape[2:]:
            raise ValueError(
                f"the pictures of {self.path} change from {tuple(self.video.shape[2:])} to "
                f"{tuple(picture.shape[1:])} (height, width): pass size= to bring them to one size"
            )
        elif self.count == self.video.shape[1]:
            self.video = torch.cat([self.video, torch.empty_like(self.video)], 1)
        self.video[:, self.count] = picture
        self.count += 1

    def _check_room(self, count: int, picture: Tensor) -> None:
        total = count * picture.numel() * picture.element_size()
        if total > self.max_bytes:
            raise ValueError(
                f"{self.path}: {count} frames of {picture.shape[1]} x {picture.shape[2]} pixels "
                f"take {total / 2**20:,.1f} MiB, more than max_bytes allows "
                f"({self.max_bytes / 2**20:,.1f} MiB): pass frames=, stride=, crop= or size= to "
                "read less, or a larger max_bytes="
            )

    def result(self) -> Tensor:
        """The frames so far: (3, count, H, W)."""
        whole = self.count == self.video.shape[1]
        return self.video if whole else self.video[:, : self.count].clone()


def at_least(least: int, name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} is {value!r}; expected a whole number, {least} or more")
    return value


def no_frame(path: Path) -> str:
    return f"{path} holds no video frame: it is empty, or only sound; choose another file"


def check_found(
    path: Path, seen: int, promised: int, start: int, frames: int | None, stride: int, kept: int
) -> None:
    """Refuse a file that ended before what was asked of it."""
    if seen == 0:
        raise ValueError(no_frame(path))
    short = f" (its header promises {promised}: it is cut short)" if seen < promised else ""
    if frames is not None and kept < frames:
        raise ValueError(
            f"{path}: {seen} frames were found{short}; {frames} frames from start={start} with "
            f"stride={stride} need {start + (frames - 1) * stride + 1}: ask for {kept} or fewer"
            + ("" if kept else ", that is, begin earlier")
        )
    if frames is None and kept == 0:
        raise ValueError(f"{path}: {seen} frames were found{short}; start={start} is past the end")
    if frames is None and short:
        raise ValueError(f"{path}: {seen} frames were found{short}; pass frames={kept} to use them")
