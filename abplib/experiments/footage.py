"""What an experiment reads of the user's files: video to learn from, and video held out."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from abplib.data import Clip, folder, load
from abplib.data.video import read_video, video_info
from abplib.presets import Model1Preset, Model2Preset, Model3Preset, Preset

FEWEST_HELD_OUT = 8  # frames; random features need 6
ONE_HELD_OUT = 5  # of Model-3's clips: one in five, the paper's 4:1


@dataclass(frozen=True)
class Footage:
    """Video to learn from, and video that was kept from the learning.

    Args:
        training: (3, T, H, W) for Model-1 and Model-2, (N, 3, T, H, W) for Model-3.
        held_out: later frames (3, T', H, W), or other clips (M, 3, T, H, W).
        fps: frames a second of what was read.
    """

    training: Tensor
    held_out: Tensor
    fps: float


def read_footage(
    path: Path, preset: Preset, start: int = 0, stride: int = 1
) -> tuple[Footage, Preset]:
    """Read what a preset learns from.

    Args:
        path: a video file; for Model-3 also a folder of them.
        preset: says how long and how large.
        start: first frame to use, of each file.
        stride: use every stride-th frame.

    Returns:
        The footage, and the preset without the windows for which the file is too short.

    Raises:
        ValueError: for files too short to learn from and to hold something out.
        FileNotFoundError: for a missing file or folder.
    """
    if isinstance(preset, Model3Preset):
        return read_clips(path, preset, start, stride), preset
    assert isinstance(preset, Model1Preset | Model2Preset)
    return _read_clip(path, preset, start, stride)


def _read_clip(
    path: Path, preset: Model1Preset | Model2Preset, start: int, stride: int
) -> tuple[Footage, Preset]:
    """One clip, and up to a window of later frames."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; this model learns from one file: name a file in it")
    size = preset.clip_size if isinstance(preset, Model1Preset) else preset.size
    most = preset.clip_frames + preset.frames
    wanted: int | None = most
    info = video_info(path)
    if info.frames is None:
        wanted = None  # the file does not say: read all of it
    elif start >= 0 and stride >= 1:
        wanted = min(most, max(1, math.ceil((info.frames - start) / stride)))
    video = read_video(path, start=start, frames=wanted, stride=stride, crop="square", size=size)
    room = video.shape[1] - FEWEST_HELD_OUT
    if room < preset.frames:
        raise ValueError(
            f"{path} gives {video.shape[1]} frames from frame {start} at stride {stride}; a window "
            f"to learn from has {preset.frames}, and at least {FEWEST_HELD_OUT} are held out: "
            "take a longer video, an earlier --start, a smaller --stride, or fewer --frames"
        )
    if isinstance(preset, Model1Preset):
        preset = replace(preset, clip_frames=min(preset.clip_frames, room))
    else:
        fitting = tuple(offset for offset in preset.offsets if offset + preset.frames <= room)
        preset = replace(preset, offsets=fitting)
    clip, rest = video[:, : preset.clip_frames], video[:, preset.clip_frames :]
    return Footage(clip, rest[:, : preset.frames], (info.fps or 25.0) / stride), preset


def read_clips(path: Path, preset: Model3Preset, start: int = 0, stride: int = 1) -> Footage:
    """Read many short clips: windows that do not overlap, from each file of a folder.

    Every fifth file is held out. With fewer than five files, the last fifth of each file's windows.

    Raises:
        ValueError: where fewer than five windows come together.
    """
    clips = folder(path) if path.is_dir() else [Clip(path, {})]
    videos, sources = load(
        clips,
        preset.frames,
        preset.size,
        start=start,
        stride=stride,
        hop=preset.frames,
        short="skip",
    )
    held = torch.zeros(len(videos), dtype=torch.bool)
    for k, clip in enumerate(clips):
        own = torch.tensor(
            [n for n, source in enumerate(sources) if source is clip], dtype=torch.long
        )
        if len(clips) >= ONE_HELD_OUT:
            held[own] = k % ONE_HELD_OUT == ONE_HELD_OUT - 1
        else:
            held[own[len(own) - -(-len(own) // ONE_HELD_OUT) :]] = True
    if len(videos) < ONE_HELD_OUT or not held.any():
        raise ValueError(
            f"{path} gives {len(videos)} clips of {preset.frames} frames, from {len(clips)} files "
            f"at stride {stride}; at least {ONE_HELD_OUT} are needed: add files, or take fewer "
            "--frames or a smaller --stride"
        )
    rates = sorted(video_info(clip.path).fps or 25.0 for clip in clips if clip.path.is_file())
    fps = rates[len(rates) // 2] if rates else 25.0
    return Footage(videos[~held], videos[held], fps / stride)
