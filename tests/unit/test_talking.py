"""Talking faces from files: sound decoded and resampled, the mouth cut out, sets with sound."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from abplib.data.talking import load_speakers, read_sound, talking_face

av = pytest.importorskip("av")


def write_wave(path: Path, channels: np.ndarray, rate: int) -> Path:
    """A WAV file of 16 bits from (channels, samples) in [-1, 1]."""
    with wave.open(str(path), "wb") as file:
        file.setparams((len(channels), 2, rate, 0, "NONE", ""))
        file.writeframes((channels.T * 32767).astype("<i2").tobytes())
    return path


def tone(frequency: float, seconds: float, rate: int) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def write_face(
    path: Path, *, frames: int = 25, frequency: float = 500.0, rate: int = 16000
) -> Path:
    """A film of 25 frames a second, 48 x 64 pixels, that brightens; its right third is blue."""
    with av.open(str(path), "w") as container:
        film = container.add_stream("mpeg4", rate=25)
        film.width, film.height, film.pix_fmt, film.bit_rate = 64, 48, "yuv420p", 4_000_000
        sound = container.add_stream("aac", rate=rate, layout="mono")
        for k in range(frames):
            picture = np.full((48, 64, 3), 20 + 8 * k, np.uint8)
            picture[:, 44:] = (0, 0, 255)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            container.mux(film.encode(frame))
        container.mux(film.encode(None))
        samples = tone(frequency, frames / 25, rate).astype(np.float32)
        for start in range(0, len(samples), 1024):
            block = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples[None, start : start + 1024]), "fltp", "mono"
            )
            block.rate, block.pts, block.time_base = rate, start, Fraction(1, rate)
            container.mux(sound.encode(block))
        container.mux(sound.encode(None))
    return path


def loudest(sound: torch.Tensor, rate: int) -> float:
    """The frequency with the most power, in Hz."""
    spectrum = torch.fft.rfft(sound[0]).abs()
    return float(spectrum.argmax()) * rate / sound.shape[1]


def test_the_first_channel_is_read_and_resampled(tmp_path):
    both = np.stack([tone(500, 1, 22050), tone(2000, 1, 22050)])
    path = write_wave(tmp_path / "two.wav", both, 22050)
    for rate in (48000, 16000):
        sound = read_sound(path, rate=rate)
        assert abs(sound.shape[1] - rate) <= rate // 100
        assert abs(loudest(sound, rate) - 500) < 6
        middle = sound[0, rate // 4 : rate // 2]
        assert abs(float(middle.abs().max()) - 0.5) < 0.01


def test_a_stretch_is_cut_out_and_padded_with_silence(tmp_path):
    path = write_wave(tmp_path / "one.wav", tone(400, 1, 8000)[None], 8000)
    whole = read_sound(path, rate=8000)
    part = read_sound(path, rate=8000, start=0.5, seconds=0.25)
    assert torch.equal(part, whole[:, 4000:6000])
    longer = read_sound(path, rate=8000, start=0.75, seconds=0.5)
    assert longer.shape == (1, 4000)
    assert longer[:, 2100:].abs().max() == 0


def test_a_talking_face_has_picture_and_sound_in_step(tmp_path):
    path = write_face(tmp_path / "face.mp4")
    video, sound = talking_face(path, frames=8, size=16, rate=16000, box=(4, 4, 32, 32))
    assert video.shape == (3, 8, 16, 16)
    assert sound.shape == (1, 16000)
    assert abs(loudest(sound, 16000) - 500) < 6
    brightness = video.mean((0, 2, 3))
    assert (brightness.diff() > 0).all()
    expected = [(20 + 8 * int((k + 0.5) / 8 * 25)) / 127.5 - 1 for k in range(8)]
    assert torch.allclose(brightness, torch.tensor(expected), atol=0.06)  # MPEG-4 is lossy
    blue, _ = talking_face(path, frames=2, size=16, rate=16000, box=(8, 48, 16, 16))
    assert blue[2].mean() > blue[0].mean() + 1


def test_a_later_stretch_begins_there(tmp_path):
    path = write_face(tmp_path / "face.mp4", frames=30)
    early, _ = talking_face(path, frames=2, size=16, rate=8000, seconds=0.4)
    late, _ = talking_face(path, frames=2, size=16, rate=8000, start=0.6, seconds=0.4)
    assert late.mean() > early.mean() + 0.3


def test_a_folder_of_speakers_is_read_with_labels(tmp_path):
    for speaker in (1, 2):
        for take in (1, 2):
            write_face(tmp_path / f"s{speaker}_p03_t{take}.mp4", frequency=300.0 * speaker)
    spoken = load_speakers(tmp_path, frames=8, size=16, rate=8000)
    assert spoken.videos.shape == (4, 3, 8, 16, 16)
    assert spoken.sounds.shape == (4, 1, 8000)
    assert spoken.phrases.tolist() == [2] * 4
    assert spoken.speakers.tolist() == [1, 1, 2, 2]
    assert spoken.opening is None
    loud = spoken.sounds.square().mean((1, 2)).sqrt()
    assert torch.allclose(loud, torch.full((4,), 0.1), atol=1e-3)


def test_files_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_sound(tmp_path / "none.wav")
    short = write_wave(tmp_path / "short.wav", tone(400, 0.5, 8000)[None], 8000)
    with pytest.raises(ValueError, match="past its end"):
        read_sound(short, rate=8000, start=2)
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    with pytest.raises(ValueError, match="cannot be decoded"):
        read_sound(tmp_path / "bad.wav")
    from abplib.data.video import write_video

    silent = write_video(tmp_path / "silent.mp4", torch.zeros(3, 10, 16, 16))
    with pytest.raises(ValueError, match="holds no sound"):
        read_sound(silent)
    (tmp_path / "set" / "s1" / "p1" / "t1").mkdir(parents=True)
    picture = tmp_path / "set" / "s1" / "p1" / "t1" / "1.png"
    from PIL import Image

    Image.new("RGB", (16, 16)).save(picture)
    with pytest.raises(ValueError, match="have no sound"):
        load_speakers(tmp_path / "set")
