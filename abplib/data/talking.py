"""Talking faces from files: a mouth's pictures and the sound that goes with them, one second each.

For sets laid out like OuluVS, and for any video file with sound. Sound is decoded by PyAV; of
several channels the first is taken.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from abplib.data._decoding import Crop, at_least, import_av
from abplib.data.datasets import OULU_NAMES, oulu_vs
from abplib.data.speech.clips import Spoken
from abplib.data.video import read_video, video_info


def read_sound(
    path: str | Path, *, rate: int = 48000, start: float = 0.0, seconds: float | None = None
) -> Tensor:
    """Read the sound of any file that FFmpeg reads: (1, samples), float32 in [-1, 1].

    Args:
        path: the file.
        rate: samples a second to resample to.
        start: where to begin, in seconds.
        seconds: how much to read; None: all that follows. Sound that ends sooner is continued by
            silence, for many files have a few milliseconds less sound than picture.

    Raises:
        FileNotFoundError: for a missing file.
        ValueError: for a file without sound, and where none is left after `start`.

    >>> import tempfile, wave
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with wave.open(f"{folder}/a.wav", "wb") as file:
    ...         file.setparams((2, 2, 8000, 0, "NONE", ""))
    ...         file.writeframes(b"\\0" * 4 * 4000)
    ...     read_sound(f"{folder}/a.wav", rate=16000).shape
    torch.Size([1, 8000])
    """
    path, rate = Path(path), at_least(1, "rate", rate)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    sound = _first_channel(path, rate)
    first = round(start * rate)
    if first >= sound.shape[1]:
        raise ValueError(
            f"{path} holds {sound.shape[1] / rate:.2f} s of sound; start={start} is past its end"
        )
    sound = sound[:, first:]
    if seconds is not None:
        wanted = round(seconds * rate)
        sound = torch.nn.functional.pad(sound[:, :wanted], (0, max(0, wanted - sound.shape[1])))
    return sound.clamp(-1, 1)


def _first_channel(path: Path, rate: int) -> Tensor:
    av = import_av()
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise ValueError(f"{path} holds no sound: choose a file with an audio track")
            resampler = av.AudioResampler(format="fltp", rate=rate)
            parts = []
            for frame in container.decode(container.streams.audio[0]):
                parts += [new.to_ndarray()[:1] for new in resampler.resample(frame)]
            parts += [new.to_ndarray()[:1] for new in resampler.resample(None)]
    except av.error.FFmpegError as error:
        raise ValueError(f"{path} cannot be decoded ({error}): is it a sound or video?") from error
    whole = np.concatenate(parts, 1) if parts else np.zeros((1, 0), np.float32)
    return torch.from_numpy(np.ascontiguousarray(whole, dtype=np.float32))


def talking_face(
    path: str | Path,
    *,
    box: tuple[int, int, int, int] | None = None,
    start: float = 0.0,
    seconds: float = 1.0,
    frames: int = 32,
    size: int = 64,
    rate: int = 48000,
) -> tuple[Tensor, Tensor]:
    """Picture and sound of one stretch of a file: (3, frames, size, size) and (1, samples).

    Args:
        path: a video file with sound.
        box: where the mouth is, (top, left, height, width) in pixels; None: the largest centred
            square, for files that show the mouth alone.
        start, seconds: the stretch.
        frames, size, rate: of the result. Frames are those nearest in time.

    Raises:
        FileNotFoundError: for a missing file.
        ValueError: for a file without sound or picture, that ends before `start`, or a box outside
            the picture.
    """
    path = Path(path)
    fps = video_info(path).fps or 25.0
    crop: Crop = "square" if box is None else box
    first = int(start * fps)
    video = read_video(path, crop=crop, size=size)[:, first:]
    there = min(video.shape[1], max(1, round(seconds * fps)))
    if there == 0:
        raise ValueError(f"{path} ends before start={start} s")
    nearest = ((torch.arange(frames) + 0.5) / frames * there).long().clamp(max=there - 1)
    return video[:, nearest].clone(), read_sound(path, rate=rate, start=start, seconds=seconds)


def load_speakers(
    folder: str | Path,
    *,
    names: str = OULU_NAMES,
    box: tuple[int, int, int, int] | None = None,
    frames: int = 32,
    size: int = 64,
    rate: int = 48000,
) -> Spoken:
    """All clips of a folder laid out like OuluVS, with their sound; see `abplib.data.oulu_vs`.

    A clip is a video file with sound, s3_p07_t2.mp4. Sounds are made equally loud, each to a root
    mean square of 0.1, for microphones differ; the lips' true opening is not known.

    Args:
        folder: where the clips are.
        names, box, frames, size, rate: as for `oulu_vs` and `talking_face`.

    Raises:
        what `oulu_vs` and `talking_face` raise.
    """
    clips = [clip for clip in oulu_vs(folder, names=names) if clip.path.is_file()]
    if not clips:
        raise ValueError(f"{folder} holds folders of pictures only, which have no sound")
    pairs = [
        talking_face(clip.path, box=box, frames=frames, size=size, rate=rate) for clip in clips
    ]
    sounds = torch.stack([sound for _, sound in pairs])
    loud = sounds.square().mean((1, 2), keepdim=True).sqrt().clamp(min=1e-4)
    return Spoken(
        torch.stack([video for video, _ in pairs]),
        (sounds * (0.1 / loud)).clamp(-1, 1),
        torch.tensor([int(clip.labels["phrase"]) - 1 for clip in clips]),
        torch.tensor([int(clip.labels["speaker"]) for clip in clips]),
        None,
    )
