"""Reading and writing video files: every promise of `abplib.data.video` on files made here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from abplib.data import video as video_module
from abplib.data.video import VideoInfo, read_video, video_info, windows, write_video
from abplib.metrics import psnr


def encode(path: Path, pixels: np.ndarray, codec: str, pix_fmt: str, **options: object) -> Path:
    """Write uint8 (T, H, W, 3) with any codec; FFV1 in RGB is lossless, so reads are exact."""
    with av.open(str(path), "w", **options) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = pixels.shape[1:3]
        stream.pix_fmt = pix_fmt
        for picture in pixels:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def noise(frames: int, height: int = 20, width: int = 32) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def as_tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(3, 0, 1, 2).float() / 127.5 - 1


def smooth_clip(frames: int = 12, height: int = 48, width: int = 64) -> torch.Tensor:
    t, y, x = torch.meshgrid(
        torch.arange(frames) / 12,
        torch.arange(height) / 48,
        torch.arange(width) / 64,
        indexing="ij",
    )
    waves = [torch.sin(6.28 * (x + t)), torch.sin(6.28 * (y - t)), torch.sin(6.28 * (x + y))]
    return 0.8 * torch.stack(waves)


@pytest.fixture
def lossless(tmp_path: Path) -> tuple[Path, torch.Tensor]:
    pixels = noise(12)
    return encode(tmp_path / "clip.mkv", pixels, "ffv1", "bgr0"), as_tensor(pixels)


@pytest.mark.parametrize(
    ("options", "index"),
    [
        ({}, (slice(None), slice(None), slice(None), slice(None))),
        ({"start": 3}, (slice(None), slice(3, None), slice(None), slice(None))),
        ({"frames": 5}, (slice(None), slice(0, 5), slice(None), slice(None))),
        ({"stride": 4}, (slice(None), slice(0, None, 4), slice(None), slice(None))),
        (
            {"start": 1, "frames": 4, "stride": 3},
            (slice(None), slice(1, 11, 3), slice(None), slice(None)),
        ),
        ({"crop": (2, 5, 7, 9)}, (slice(None), slice(None), slice(2, 9), slice(5, 14))),
        ({"crop": "square"}, (slice(None), slice(None), slice(None), slice(6, 26))),
    ],
)
def test_reading_equals_indexing_exactly(lossless, options, index):
    path, truth = lossless
    read = read_video(path, **options)
    assert read.dtype == torch.float32
    # Both divide the same whole numbers by 127.5; allow one float32 rounding near 1.
    torch.testing.assert_close(read, truth[index], rtol=0, atol=2e-7)
    assert read.untyped_storage().nbytes() == read.nbytes  # no spare room stays behind


@pytest.mark.parametrize(("size", "shape"), [(8, (8, 8)), ((10, 6), (10, 6)), (64, (64, 64))])
def test_size_is_an_int_or_a_pair(lossless, size, shape):
    assert read_video(lossless[0], frames=1, size=size).shape == (3, 1, *shape)


def test_resizing_averages_instead_of_dropping_pixels(tmp_path):
    stripes = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    stripes[:, :, ::4] = 255  # one white column in four
    path = encode(tmp_path / "stripes.mkv", stripes, "ffv1", "bgr0")
    small = read_video(path, size=8)
    # A quarter white is -0.5. Interpolating between the two columns nearest to each centre, without
    # anti-aliasing, would miss every white column: -1. Only float32 rounding is left.
    assert (small[..., 1:-1] + 0.5).abs().max() < 1e-5


def test_crop_comes_before_resize(lossless):
    path, truth = lossless
    cropped = truth[:, :1, 4:14, 8:18]
    read = read_video(path, frames=1, crop=(4, 8, 10, 10), size=5)
    # Anti-aliased averaging with normalised weights cannot leave the range of the crop.
    assert cropped.min() <= read.min()
    assert read.max() <= cropped.max()
    whole = read_video(path, frames=1, size=5)
    assert not torch.equal(read, whole)


def test_gif(tmp_path):
    colours = [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)]
    pictures = [Image.new("RGB", (20, 16), colour) for colour in colours]
    path = tmp_path / "blink.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=40)
    read = read_video(path)
    # Each frame has a palette of its own that holds its one colour, so nothing is lost.
    torch.testing.assert_close(read, as_tensor(np.stack([np.array(p) for p in pictures])))


def test_round_trip_keeps_a_smooth_clip(tmp_path):
    clip = smooth_clip()
    path = write_video(tmp_path / "clip.mp4", clip, fps=12.5)
    read = read_video(path)
    assert read.shape == clip.shape
    # crf 16 and halved colour resolution leave 37.1 dB; conversion that rounds down gives 34.0, a
    # wrong colour matrix or range under 28, swapped channels 10.
    assert psnr(read, clip) > 36
    assert video_info(path) == VideoInfo(12, 48, 64, 12.5, 12 / 12.5)


@pytest.mark.parametrize("level", [-1.0, -0.5, 0.0, 0.3, 1.0])
def test_flat_greys_are_neither_darkened_nor_tinted(tmp_path, level):
    path = write_video(tmp_path / "grey.mp4", torch.full((3, 4, 16, 16), level))
    # Half a level of 2 / 255 is lost in rounding to 8 bits, half a step of 255 / 219 levels in luma
    # and half a level on the way back: 1.6 levels in all.
    assert (read_video(path) - level).abs().max() <= 1.6 * 2 / 255


def test_colours_are_unbiased(tmp_path):
    clip = smooth_clip()
    error = read_video(write_video(tmp_path / "clip.mp4", clip)) - clip
    # FFmpeg's fast conversion rounds down: a bias of one level (2 / 255 = 0.008) in each channel.
    assert error.mean((1, 2, 3)).abs().max() < 0.004


def test_one_channel_becomes_grey(tmp_path):
    clip = smooth_clip()[:1]
    read = read_video(write_video(tmp_path / "grey.mp4", clip))
    assert read.shape == (3, *clip.shape[1:])
    # Grey has no colour to lose: channels agree within the rounding of the conversion.
    assert (read - read.mean(0)).abs().max() <= 2 / 255
    assert psnr(read, clip.expand(3, -1, -1, -1)) > 36  # as for the colour clip above


def test_odd_sizes_repeat_the_last_row_and_column(tmp_path):
    clip = smooth_clip(height=15, width=17)
    read = read_video(write_video(tmp_path / "odd.mp4", clip))
    assert read.shape == (3, 12, 16, 18)
    padded = torch.nn.functional.pad(clip, (0, 1, 0, 1), mode="replicate")
    # Measured 36 and 38 dB; a border of zeros would give 11.
    assert psnr(read[:, :, -1], padded[:, :, -1]) > 30
    assert psnr(read[..., -1], padded[..., -1]) > 30


def test_writing_is_atomic(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.mp4", torch.zeros(3, 4, 16, 16))
    before = path.read_bytes()

    def fails_half_way(partial: Path, *_: object) -> None:
        partial.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(video_module, "_encode", fails_half_way)
    with pytest.raises(OSError, match="disk full"):
        write_video(path, torch.ones(3, 4, 16, 16))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["clip.mp4"]


def test_rotation_is_respected(tmp_path):
    clip = torch.full((3, 4, 32, 64), -1.0)
    clip[:, :, :, :16] = 1.0  # white on the left of the stored picture
    path = write_video(tmp_path / "phone.mp4", clip)
    data = bytearray(path.read_bytes())
    # The track header's display matrix, 44 bytes after its name in version 0 (ISO 14496-12): a
    # quarter turn clockwise, as a phone held upright writes it. Left becomes top.
    at = data.index(b"tkhd") + 44
    turned = (0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
    data[at : at + 36] = b"".join(v.to_bytes(4, "big", signed=True) for v in turned)
    path.write_bytes(data)
    info = video_info(path)
    assert (info.height, info.width) == (64, 32)
    read = read_video(path)
    assert read.shape == (3, 4, 64, 32)
    # The blocks are whole macroblocks, so only compression noise is left, far below 0.5.
    assert read[:, :, :12].min() > 0.5
    assert read[:, :, 20:].max() < -0.5


def count_decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    decoded: list[int] = []
    original = video_module.decoded

    def counting(*args):
        for frame in original(*args):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(video_module, "decoded", counting)
    return decoded


def test_decoding_stops_with_the_last_wanted_frame(lossless, monkeypatch):
    decoded = count_decoded(monkeypatch)
    read_video(lossless[0], start=1, frames=2, stride=3)
    assert len(decoded) == 5  # frames 0 to 4, of 12


MEMORY = """
import resource, sys
from abplib.data.video import read_video
unit = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss: bytes on macOS, else KiB
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
read_video(sys.argv[1], frames=100, size=16)  # loads the codec and the resizer
before = peak()
shape = read_video(sys.argv[1], size=16).shape
assert tuple(shape) == (3, 1200, 16, 16), shape
print(peak() - before)
"""


def test_memory_follows_the_result_not_the_file(tmp_path):
    pixels = np.broadcast_to(noise(1, 144, 176), (1200, 144, 176, 3))
    path = encode(tmp_path / "long.avi", pixels, "mpeg4", "yuv420p")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env=environment,
    )
    # The result takes 4 MiB. All frames take 348 MiB as floats and 87 MiB as bytes; keeping each
    # small frame in a tensor of its own, which splits the heap, costs some 100 MiB.
    assert float(done.stdout) < 40
    assert done.stderr == ""


def test_max_bytes_stops_a_long_read(lossless):
    path, truth = lossless
    # Matroska does not say how many frames it holds, so they are counted as they come.
    assert video_info(path).frames is None
    assert read_video(path, max_bytes=truth.numel() * 4).shape == truth.shape
    with pytest.raises(ValueError, match=r"12 frames of 20 x 32 .* max_bytes .* pass frames="):
        read_video(path, max_bytes=truth.numel() * 4 - 1)
    with pytest.raises(ValueError, match="max_bytes"):
        read_video(path, frames=3, max_bytes=1000)


def test_max_bytes_stops_at_the_first_frame_where_the_header_tells_the_length(
    tmp_path, monkeypatch
):
    path = write_video(tmp_path / "clip.mp4", smooth_clip())
    decoded = count_decoded(monkeypatch)
    with pytest.raises(ValueError, match="6 frames of 48 x 64"):
        read_video(path, stride=2, max_bytes=5 * 3 * 48 * 64 * 4)
    assert len(decoded) == 1
    assert read_video(path, stride=2, max_bytes=6 * 3 * 48 * 64 * 4).shape[1] == 6


# Bad files ---------------------------------------------------------------------------------------


def test_missing_file(tmp_path):
    for function in (read_video, video_info):
        with pytest.raises(FileNotFoundError, match=r"no file .*gone\.mp4: check the path"):
            function(tmp_path / "gone.mp4")


def test_folder(tmp_path):
    with pytest.raises(ValueError, match="is not a file"):
        read_video(tmp_path)


@pytest.mark.parametrize("content", [b"", b"just some words\n" * 50])
def test_unreadable_file(tmp_path, content):
    path = tmp_path / "words.mp4"
    path.write_bytes(content)
    for function in (read_video, video_info):
        with pytest.raises(ValueError, match=r"words\.mp4 cannot be read as a video"):
            function(path)


def half(path: Path) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def test_truncated_mp4_without_its_index(tmp_path):
    path = half(encode(tmp_path / "cut.mp4", noise(40), "libx264", "yuv420p"))
    with pytest.raises(ValueError, match=r"cannot be read as a video .* cut short"):
        read_video(path, frames=2)


def test_truncated_mp4_with_its_index_names_the_frames_found(tmp_path):
    whole = encode(
        tmp_path / "cut.mp4", noise(40), "libx264", "yuv420p", options={"movflags": "faststart"}
    )
    path = half(whole)  # where in a frame this cuts depends on the encoder's threads
    told = r"promises 40: it is cut short|cut short: \d+ frames were found before frame"
    with pytest.raises(ValueError, match=told) as caught:
        read_video(path, frames=40)
    found = int(str(caught.value).split(" frames were found")[0].split()[-1])
    assert 5 < found < 35  # noise takes about as many bytes in each frame, so about half are left
    assert read_video(path, frames=found).shape[1] == found
    with pytest.raises(ValueError, match=f"pass frames={found} to use them|before frame {found}"):
        read_video(path)


def test_truncated_avi(tmp_path):
    path = half(encode(tmp_path / "cut.avi", noise(40), "mpeg4", "yuv420p"))
    with pytest.raises(ValueError, match=r"damaged or cut short: \d+ frames were found"):
        read_video(path)
    assert read_video(path, frames=5).shape[1] == 5


def test_zero_frame_files(tmp_path):
    for name, codec in (("none.mp4", "libx264"), ("none.avi", "mpeg4")):
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.height = stream.width = 16
            stream.pix_fmt = "yuv420p"
            container.start_encoding()
        for function in (read_video, video_info):
            with pytest.raises(ValueError, match="holds no video frame"):
                function(path)


def test_sound_only_file(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(ValueError, match="only sound"):
        read_video(path)


def test_pictures_that_change_size(tmp_path):
    first = encode(tmp_path / "a.h264", noise(4, 32, 32), "libx264", "yuv420p", format="h264")
    second = encode(tmp_path / "b.h264", noise(4, 48, 64), "libx264", "yuv420p", format="h264")
    first.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(ValueError, match=r"change from \(32, 32\) to \(48, 64\).*pass size="):
        read_video(first)
    assert read_video(first, size=16).shape == (3, 8, 16, 16)


# Bad arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 13}, r"12 frames were found; 13 frames from start=0 .* ask for 12 or fewer"),
        ({"start": 4, "frames": 5, "stride": 2}, r"need 13: ask for 4 or fewer"),
        ({"start": 12}, "12 frames were found; start=12 is past the end"),
        ({"start": 12, "frames": 1}, "begin earlier"),
        ({"start": -1}, "start is -1"),
        ({"stride": 0}, "stride is 0; expected a whole number, 1 or more"),
        ({"stride": 1.5}, r"stride is 1\.5"),
        ({"frames": 0}, "frames is 0"),
        ({"crop": "round"}, "crop is 'round'; expected 'square' or"),
        ({"crop": (1, 2, 3)}, r"crop is \(1, 2, 3\)"),
        ({"crop": (0, 0.5, 8, 8)}, r"crop is \(0, 0\.5, 8, 8\)"),
        ({"crop": (0, 0, 21, 8)}, "does not lie within .* 20 high and 32 wide"),
        ({"crop": (0, 30, 8, 8)}, "does not lie within"),
        ({"crop": (-1, 0, 8, 8)}, "does not lie within"),
        ({"crop": (0, 0, 0, 8)}, "does not lie within"),
        ({"size": 0}, "size is 0"),
        ({"size": (8, -1)}, "size is"),
        ({"size": (8, 8, 8)}, "size is"),
        ({"size": 8.0}, "size is"),
    ],
)
def test_bad_read_arguments(lossless, options, message):
    with pytest.raises(ValueError, match=message):
        read_video(lossless[0], **options)


def spoiled(value: float) -> torch.Tensor:
    clip = torch.zeros(3, 2, 8, 8)
    clip[1, 1, 4, 4] = value
    return clip


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (spoiled(float("nan")), "not finite"),
        (spoiled(float("inf")), "not finite"),
        (spoiled(1.001), r"from 0 to 1\.001; expected \[-1, 1\]"),
        (spoiled(-2.0), r"from -2 to 0; expected \[-1, 1\]"),
        (torch.zeros(3, 2, 8, 8, dtype=torch.uint8), "torch.uint8; expected floating point"),
        (torch.zeros(1, 3, 2, 8, 8), "has shape"),
        (torch.zeros(2, 2, 8, 8), "has shape"),
        (torch.zeros(3, 0, 8, 8), "has shape"),
    ],
)
def test_bad_video_to_write(tmp_path, clip, message):
    with pytest.raises(ValueError, match=message):
        write_video(tmp_path / "bad.mp4", clip)
    assert list(tmp_path.iterdir()) == []


def test_a_rounding_error_beyond_the_range_is_clamped(tmp_path):
    assert write_video(tmp_path / "edge.mp4", spoiled(1 + 5e-5)).exists()


def test_bad_name_folder_and_rate(tmp_path):
    clip = torch.zeros(3, 2, 8, 8)
    with pytest.raises(ValueError, match="makes MP4 files"):
        write_video(tmp_path / "clip.avi", clip)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_video(tmp_path / "nowhere" / "clip.mp4", clip)
    for fps in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="fps is"):
            write_video(tmp_path / "clip.mp4", clip, fps=fps)


def test_without_pyav_the_error_says_what_to_install(lossless, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match="pip install av"):
        read_video(lossless[0])


# Windows -----------------------------------------------------------------------------------------


def test_windows_overlap_and_keep_their_order():
    clip = torch.randn(3, 10, 2, 2, generator=torch.Generator().manual_seed(0))
    cut = windows(clip, 4, offsets=[6, 0, 2])
    assert cut.shape == (3, 3, 4, 2, 2)
    for window, offset in zip(cut, [6, 0, 2], strict=True):
        assert torch.equal(window, clip[:, offset : offset + 4])


@pytest.mark.parametrize(
    ("frames", "offsets", "message"),
    [
        (4, [0, 7], "4 frames at offset 7 .* 10 frames: use offsets from 0 to 6"),
        (4, [-1], "offset -1"),
        (4, [], "offsets is empty"),
        (0, [0], "frames is 0"),
        (11, [0], "11 frames at offset 0"),
    ],
)
def test_bad_windows(frames, offsets, message):
    with pytest.raises(ValueError, match=message):
        windows(torch.zeros(3, 10, 2, 2), frames, offsets=offsets)


def test_windows_want_one_clip():
    with pytest.raises(ValueError, match="expected one clip"):
        windows(torch.zeros(1, 3, 10, 2, 2), 4, offsets=[0])
