"""Lists of clips: found in a folder, split by their labels, and read to one tensor."""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from abplib.data._decoding import Crop, at_least, target
from abplib.data.video import read_video, video_info, windows

# FFmpeg opens nearly every file, a text file as a picture of its text: names decide what is video.
VIDEOS = re.compile(
    r"\.(3gp|avi|flv|gif|m2v|m4v|mjpeg|mkv|mov|mp4|mpe?g|mts|mxf|ogv|ts|vob|webm|wmv|y4m)", re.I
)
PICTURES = re.compile(r"\.(bmp|jpe?g|pgm|png|ppm|tiff?)", re.I)


@dataclass(frozen=True)
class Clip:
    """One clip of a data set: where it is, and what is known of it.

    `path` is a video file, or a folder that holds one picture a frame. `labels` are strings by
    name, such as ``{"actor": "daria", "action": "walk", "take": "1"}``.
    """

    path: Path
    labels: Mapping[str, str] = field(default_factory=dict)


def split(clips: Sequence[Clip], by: str, held_out: Sequence[str]) -> tuple[list[Clip], list[Clip]]:
    """Split clips into those to learn from and those held out, by whole actors or speakers.

    `by` is the name of a label, `held_out` the values to hold out. Raises ValueError for a label
    that a clip has not, a value that no clip has, and a side that is left empty.

    >>> clips = [Clip(Path(f"{who}_walk.avi"), {"actor": who}) for who in ("daria", "eli", "ira")]
    >>> learn, test = split(clips, "actor", ["eli"])
    >>> [clip.path.name for clip in learn], [clip.path.name for clip in test]
    (['daria_walk.avi', 'ira_walk.avi'], ['eli_walk.avi'])
    """
    held_out = [held_out] if isinstance(held_out, str) else list(held_out)
    for clip in clips:
        if by not in clip.labels:
            raise ValueError(f"{clip.path} has no label {by!r}; it has {', '.join(clip.labels)}")
    there = sorted({clip.labels[by] for clip in clips})
    if unknown := [value for value in held_out if value not in there]:
        raise ValueError(f"no clip has {by} {', '.join(unknown)}; there are {', '.join(there)}")
    learn = [clip for clip in clips if clip.labels[by] not in held_out]
    test = [clip for clip in clips if clip.labels[by] in held_out]
    if not learn or not test:
        raise ValueError(f"holding out {by} {held_out} leaves {len(learn)} and {len(test)} clips")
    return learn, test


def load(
    clips: Sequence[Clip],
    frames: int,
    size: int | tuple[int, int],
    *,
    crop: Crop | None = "square",
    start: int = 0,
    stride: int = 1,
    hop: int | None = None,
    short: str = "error",
    max_bytes: int = 2**31,
) -> tuple[Tensor, list[Clip]]:
    """Read clips to one tensor (N, 3, T, H, W) in [-1, 1], and the clip that each n comes from.

    - `frames`: T; `size`: (H, W) in pixels, or one int for both; `crop`: as for `read_video`.
    - `start`: first frame of each clip to use; `stride`: keep every stride-th frame from there.
    - `hop`: None takes one window from each clip; a number takes one every `hop` kept frames, as
      many as fit (section 4.1 cuts each sequence into segments: `hop=frames`).
    - `short`: what to do with a clip of fewer frames. "error" names them all; "skip" leaves them
      out with a warning; "cycle" begins them anew until they are long enough, as the paper does
      with mouth clips.
    - `max_bytes`: the largest result to allow, in bytes.

    Raises ValueError for no clip, bad numbers, short clips, and a result over `max_bytes`; and
    what `read_video` raises for a damaged file.

    >>> from tempfile import TemporaryDirectory
    >>> from abplib.data.video import write_video
    >>> with TemporaryDirectory() as place:
    ...     path = write_video(f"{place}/grey.mp4", torch.zeros(3, 9, 16, 24))
    ...     videos, sources = load([Clip(path, {"name": "grey"})], frames=4, size=8, hop=4)
    >>> videos.shape, [clip.labels["name"] for clip in sources]
    (torch.Size([2, 3, 4, 8, 8]), ['grey', 'grey'])
    """
    cut = _cut(frames, size, crop, start, stride, hop, short)
    parts: list[Tensor] = []
    sources: list[Clip] = []
    too_short: list[str] = []
    total = 0
    for clip in clips:
        video = read_clip(clip.path, cut)
        there = video.shape[1]
        if there < frames and (short != "cycle" or there == 0):
            too_short.append(f"{clip.path} ({there})")
            continue
        video = video[:, torch.arange(max(there, frames)) % there]
        offsets = [0] if hop is None else range(0, video.shape[1] - frames + 1, hop)
        parts.append(windows(video, frames, offsets=offsets))
        sources += [clip] * len(offsets)
        total += parts[-1].nbytes
        if total > max_bytes:
            raise ValueError(
                f"{len(sources)} windows take {total / 2**20:,.0f} MiB, more than max_bytes allows "
                f"({max_bytes / 2**20:,.0f} MiB): load fewer clips, frames or pixels"
            )
    _report_short(too_short, cut, short, left=len(sources))
    return torch.cat(parts), sources


def _cut(
    frames: int,
    size: int | tuple[int, int],
    crop: Crop | None,
    start: int,
    stride: int,
    hop: int | None,
    short: str,
) -> Cut:
    """The arguments of `load`, checked."""
    if short not in ("error", "skip", "cycle"):
        raise ValueError(f"short is {short!r}; expected 'error', 'skip' or 'cycle'")
    if target(size) is None:
        raise ValueError("size is None; expected (H, W) or one int: clips differ in size")
    start, stride = at_least(0, "start", start), at_least(1, "stride", stride)
    hop = None if hop is None else at_least(1, "hop", hop)
    return Cut(at_least(1, "frames", frames), size, crop, start, stride, hop)


def _report_short(too_short: list[str], cut: Cut, short: str, left: int) -> None:
    """Refuse, or warn of, clips that are too short; refuse if nothing is left."""
    message = (
        f"too short for {cut.frames} frames from frame {cut.start} at stride {cut.stride}: "
        f"{', '.join(too_short[:5])}{', ...' if len(too_short) > 5 else ''}"
    )
    advice = "ask for fewer frames or a smaller stride, or pass short='skip' or short='cycle'"
    if too_short and (short != "skip" or not left):
        raise ValueError(f"{message} (frames there are in brackets): {advice}")
    if not left:
        raise ValueError("there is no clip to load: the list is empty")
    if too_short:
        warnings.warn(f"{message}; they are left out", stacklevel=3)


def natural(name: str) -> list[tuple[int, str]]:
    """Sort key that puts frame 9 before frame 10."""
    parts = re.split(r"(\d+)", name.lower())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def files_below(path: Path, what: str) -> list[Path]:
    """All files below a folder but hidden ones, sorted; an error if there is none.

    Raises FileNotFoundError, NotADirectoryError, or ValueError for an empty folder.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no folder {path}; expected {what}")
    if not path.is_dir():
        raise NotADirectoryError(f"{path} is a file; expected the folder of {what}")
    found = [
        file
        for file in path.rglob("*")
        if file.is_file() and not any(p.startswith(".") for p in file.relative_to(path).parts)
    ]
    if not found:
        raise ValueError(f"{path} is an empty folder; expected {what}")
    return sorted(found, key=lambda file: natural(file.relative_to(path).as_posix()))


def clip_paths(path: Path, what: str, *, pictures: bool = True) -> list[Path]:
    """The clips below a folder, sorted: video files, and folders of pictures if `pictures`.

    Raises what `files_below` raises, and ValueError if no file is of a clip.
    """
    files = files_below(path, what)
    paths = [file for file in files if VIDEOS.fullmatch(file.suffix)]
    if pictures:
        paths += {file.parent for file in files if PICTURES.fullmatch(file.suffix)}
    if not paths:
        raise ValueError(f"{path} holds no clip: found {inventory(files, path)}; expected {what}")
    return sorted(paths, key=lambda file: natural(file.relative_to(path).as_posix()))


def inventory(files: list[Path], path: Path) -> str:
    """What lies in a folder, in a few words: "12 files (10 .zip, 2 .txt) such as run.zip"."""
    kinds = Counter(file.suffix.lower() or "without a suffix" for file in files)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4))
    zips = "; unpack the .zip archives" if kinds[".zip"] else ""
    return f"{len(files)} files ({counts}) such as {files[0].relative_to(path).as_posix()}{zips}"


def pictures_of(folder: Path) -> list[Path]:
    """The pictures of a folder, in the order of their numbers."""
    files = [file for file in folder.iterdir() if PICTURES.fullmatch(file.suffix)]
    files = [file for file in files if not file.name.startswith(".")]
    return sorted(files, key=lambda file: natural(file.name))


@dataclass(frozen=True)
class Cut:
    """Which frames and pixels of every clip are wanted."""

    frames: int
    size: int | tuple[int, int]
    crop: Crop | None
    start: int
    stride: int
    hop: int | None  # in kept frames; None: one window a clip


def read_clip(path: Path, cut: Cut) -> Tensor:
    """Every stride-th frame of a clip from `start` on: (3, T, H, W), T as large as is needed.

    T is `cut.frames` where one window is wanted and the clip has enough, all there are where it
    has not or where every window is wanted; 0 for a clip that ends before `start`.
    """
    promised = len(pictures_of(path)) if path.is_dir() else video_info(path).frames
    wanted = None if cut.hop is not None else cut.frames
    if promised is not None:
        there = max(0, math.ceil((promised - cut.start) / cut.stride))
        if there == 0:
            return torch.empty(3, 0, 1, 1)
        wanted = there if wanted is None else min(wanted, there)
    if path.is_dir():
        assert wanted is not None  # pictures are counted
        chosen = pictures_of(path)[cut.start :: cut.stride][:wanted]
        return torch.cat([read_video(file, crop=cut.crop, size=cut.size) for file in chosen], 1)
    read = partial(read_video, path, crop=cut.crop, size=cut.size)
    try:
        return read(start=cut.start, stride=cut.stride, frames=wanted)
    except ValueError:  # a file that did not say it is too short; or damage, which shows again here
        return read()[:, cut.start :: cut.stride][:, :wanted].clone()
