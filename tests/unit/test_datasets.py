"""The readers of real sets, on files written here in the layouts of those sets."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from abplib import data
from abplib.data import Clip, load, split
from abplib.data.video import read_video, write_video

ACTORS = ("daria", "denis", "eli", "ido", "ira", "lena", "lyova", "moshe", "shahar")
ACTIONS = ("bend", "jack", "jump", "pjump", "run", "side", "skip", "walk", "wave1", "wave2")


def frames(count: int, height: int = 36, width: int = 44) -> np.ndarray:
    """Frame t is grey of level 10 t: (T, H, W, 3) bytes."""
    levels = 10 * np.arange(count, dtype=np.uint8)[:, None, None, None]
    return np.broadcast_to(levels, (count, height, width, 3))


def avi(path: Path, count: int = 3, height: int = 36, width: int = 44) -> Path:
    """Write an MPEG-4 file in an AVI container, as the sets come."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for picture in frames(count, height, width):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def pictures(folder: Path, count: int, suffix: str = ".png") -> Path:
    """Write frames as numbered pictures; number 10 sorts before 9 by letters, not by number."""
    folder.mkdir(parents=True)
    for t, picture in enumerate(frames(count), 1):
        Image.fromarray(np.ascontiguousarray(picture)).save(folder / f"mouth{t}{suffix}")
    return folder


def touch(*paths: Path) -> None:
    """Listing looks at names alone, so empty files serve."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def levels(video: torch.Tensor) -> list[int]:
    """The frame numbers of a clip made by `frames`, from its mean brightness."""
    return ((video.mean((0, 2, 3)) + 1) * 127.5 / 10).round().int().tolist()


# Weizmann ----------------------------------------------------------------------------------------


def weizmann_names() -> list[str]:
    twice = {("lena", action) for action in ("run", "skip", "walk")}
    return [
        f"{actor}_{action}{take}.avi"
        for actor in ACTORS
        for action in ACTIONS
        for take in (("1", "2") if (actor, action) in twice else ("",))
    ]


@pytest.mark.parametrize("in_folders", [False, True])
def test_weizmann_reads_every_name_of_the_set(tmp_path, in_folders):
    for name in weizmann_names():
        action = name.split("_")[1].removesuffix(".avi").rstrip("12")
        touch(tmp_path / action / name if in_folders else tmp_path / name)
    clips = data.weizmann(tmp_path)
    assert len(clips) == 93  # nine actors, ten actions, three of them twice by lena
    assert {clip.labels["actor"] for clip in clips} == set(ACTORS)
    assert {clip.labels["action"] for clip in clips} == set(ACTIONS)
    by_name = {clip.path.name: clip.labels for clip in clips}
    assert by_name["ira_wave2.avi"] == {"actor": "ira", "action": "wave2", "take": "1"}
    assert by_name["lena_run2.avi"] == {"actor": "lena", "action": "run", "take": "2"}


def test_weizmann_pixels(tmp_path):
    avi(tmp_path / "walk" / "daria_walk.avi", 6, 144, 180)
    avi(tmp_path / "walk" / "lena_walk1.avi", 5, 144, 180)
    videos, clips = load(data.weizmann(tmp_path), frames=4, size=(32, 40), start=1)
    assert videos.shape == (2, 3, 4, 32, 40)
    assert [clip.labels["actor"] for clip in clips] == ["daria", "lena"]
    assert levels(videos[0]) == levels(videos[1]) == [1, 2, 3, 4]
    whole = read_video(clips[0].path, start=1, frames=4, crop="square", size=(32, 40))
    assert torch.equal(videos[0], whole)


def test_weizmann_refuses_unknown_names_and_doubles(tmp_path):
    touch(tmp_path / "daria_walk.avi", tmp_path / "daria_swim.avi", tmp_path / "bob_walk.avi")
    with pytest.raises(ValueError, match=r"names: bob_walk\.avi, daria_swim\.avi; expected ACTOR"):
        data.weizmann(tmp_path)
    touch(tmp_path / "b" / "walk" / "eli_walk.avi", tmp_path / "b" / "eli_walk.avi")
    with pytest.raises(ValueError, match=r"are the same clip: remove one"):
        data.weizmann(tmp_path / "b")


# DynTex ------------------------------------------------------------------------------------------


def test_dyntex_reads_names_and_classes(tmp_path):
    touch(tmp_path / "6ammj00.avi", tmp_path / "sea" / "54pb110.AVI", tmp_path / "annotation.xml")
    assert {clip.path.stem: clip.labels for clip in data.dyntex(tmp_path)} == {
        "6ammj00": {"sequence": "6ammj00", "group": ""},
        "54pb110": {"sequence": "54pb110", "group": "sea"},
    }


def test_dyntex_pixels_of_both_sizes(tmp_path):
    avi(tmp_path / "6ammj00.avi", 6, 288, 352)
    avi(tmp_path / "644c610.avi", 4, 576, 720)
    videos, clips = load(data.dyntex(tmp_path), frames=2, size=16, hop=2)
    assert videos.shape == (5, 3, 2, 16, 16)
    assert [clip.labels["sequence"] for clip in clips] == ["6ammj00"] * 3 + ["644c610"] * 2


def test_dyntex_refuses_unknown_names(tmp_path):
    touch(tmp_path / "6ammj00.avi", tmp_path / "fire.avi")
    with pytest.raises(ValueError, match=r"unknown names: fire\.avi; .*6ammj00\.avi.*data\.folder"):
        data.dyntex(tmp_path)


# OuluVS ------------------------------------------------------------------------------------------


def test_oulu_vs_reads_files_and_folders_of_pictures(tmp_path):
    write_video(tmp_path / "s3_p07_t2.mp4", torch.zeros(3, 4, 16, 16))
    pictures(tmp_path / "s03" / "p07" / "t1", 11)
    clips = data.oulu_vs(tmp_path)
    assert [(clip.path.name, clip.labels) for clip in clips] == [
        ("t1", {"speaker": "3", "phrase": "7", "take": "1"}),
        ("s3_p07_t2.mp4", {"speaker": "3", "phrase": "7", "take": "2"}),
    ]
    videos, _ = load(clips[:1], frames=10, size=24, start=1)
    assert levels(videos[0]) == list(range(1, 11))  # by number: 2, 3, ..., 11


def test_oulu_vs_with_names_of_another_copy(tmp_path):
    touch(tmp_path / "Speaker12" / "hello5-4.avi")
    names = r"Speaker(?P<speaker>\d+)/[a-z]+(?P<phrase>\d+)-(?P<take>\d+)"
    labels = data.oulu_vs(tmp_path, names=names)[0].labels
    assert labels == {"speaker": "12", "phrase": "5", "take": "4"}
    with pytest.raises(ValueError, match=r"no group phrase, take"):
        data.oulu_vs(tmp_path, names=r"(?P<speaker>\d+).*")


@pytest.mark.parametrize("name", ["s21_p1_t1.avi", "s1_p11_t1.avi", "s0_p1_t1.avi", "talk.avi"])
def test_oulu_vs_refuses_unknown_names(tmp_path, name):
    touch(tmp_path / name)
    with pytest.raises(ValueError, match=rf"unknown names: {name}; expected s3_p07_t2\.avi"):
        data.oulu_vs(tmp_path)


def test_oulu_vs_refuses_doubles(tmp_path):
    touch(tmp_path / "s1_p1_t1.avi", tmp_path / "s01_p01_t1.avi")
    with pytest.raises(ValueError, match="the same clip"):
        data.oulu_vs(tmp_path)


# Any folder, and wrong ones ----------------------------------------------------------------------


def test_folder_takes_clips_in_order_and_passes_over_the_rest(tmp_path):
    touch(tmp_path / "clip10.mp4", tmp_path / "clip9.GIF", tmp_path / "sea" / "a.mkv")
    touch(tmp_path / "notes.txt", tmp_path / ".hidden.avi", tmp_path / "__pad" / ".x" / "b.avi")
    pictures(tmp_path / "frames", 2, ".jpg")
    assert [clip.labels for clip in data.folder(tmp_path)] == [
        {"name": "clip9", "group": ""},
        {"name": "clip10", "group": ""},
        {"name": "frames", "group": ""},
        {"name": "a", "group": "sea"},
    ]


READERS = [data.folder, data.weizmann, data.dyntex, data.oulu_vs]


@pytest.mark.parametrize("reader", READERS)
def test_wrong_folders_are_explained(tmp_path, reader):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*gone; expected .*\.avi"):
        reader(tmp_path / "gone")
    with pytest.raises(ValueError, match=r"is an empty folder; expected .*\.avi"):
        reader(tmp_path)
    touch(tmp_path / "walk.zip", tmp_path / "run.zip", tmp_path / "readme.txt")
    with pytest.raises(NotADirectoryError, match=r"walk\.zip is a file; expected the folder of"):
        reader(tmp_path / "walk.zip")
    found = r"3 files \(2 \.zip, 1 \.txt\) such as readme\.txt; unpack the \.zip archives; expected"
    with pytest.raises(ValueError, match=found):
        reader(tmp_path)


# Loading -----------------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> list[Clip]:
    """Clips of 9 and 5 frames: an AVI file, and one that does not say how long it is."""
    avi(tmp_path / "a.avi", 9)
    avi(tmp_path / "b.mkv", 5)
    return data.folder(tmp_path)


def test_windows_at_every_hop(two):
    videos, clips = load(two, frames=4, size=8, hop=2)
    assert [levels(video) for video in videos] == [
        [0, 1, 2, 3],
        [2, 3, 4, 5],
        [4, 5, 6, 7],
        [0, 1, 2, 3],
    ]
    assert [clip.path.name for clip in clips] == ["a.avi"] * 3 + ["b.mkv"]


def test_stride_and_start(two):
    videos, _ = load(two[:1], frames=3, size=8, start=2, stride=3)
    assert levels(videos[0]) == [2, 5, 8]


def test_short_clips_are_refused_with_their_lengths(two):
    message = r"too short for 6 frames from frame 0 at stride 1: .*b\.mkv \(5\) .*: ask for fewer"
    with pytest.raises(ValueError, match=message):
        load(two, frames=6, size=8)
    with pytest.raises(ValueError, match=r"b\.mkv \(0\)"):
        load(two, frames=1, size=8, start=6)
    with pytest.raises(ValueError, match=r"too short .*a\.avi \(0\), .*b\.mkv \(0\)"):
        load(two, frames=1, size=8, start=20, short="cycle")


def test_short_clips_can_be_left_out_but_not_all_of_them(two):
    with pytest.warns(UserWarning, match=r"b\.mkv \(5\); they are left out"):
        videos, clips = load(two, frames=6, size=8, short="skip")
    assert len(videos) == len(clips) == 1
    with pytest.raises(ValueError, match=r"a\.avi \(9\), .*b\.mkv \(5\)"):
        load(two, frames=10, size=8, short="skip")


def test_short_clips_can_begin_anew(two, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        videos, _ = load(two, frames=7, size=8, short="cycle")
    assert levels(videos[0]) == list(range(7))
    assert levels(videos[1]) == [0, 1, 2, 3, 4, 0, 1]
    mouth = Clip(pictures(tmp_path / "mouth", 3))
    assert levels(load([mouth], frames=8, size=8, short="cycle")[0][0]) == [0, 1, 2] * 2 + [0, 1]


def test_a_damaged_clip_is_an_error_even_where_short_ones_are_skipped(two):
    content = two[0].path.read_bytes()
    two[0].path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"a\.avi .*cut short"):
        load(two, frames=9, size=8, short="skip")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 0}, "frames is 0"),
        ({"size": None}, "size is None"),
        ({"size": 0}, "size is 0"),
        ({"hop": 0}, "hop is 0"),
        ({"stride": 0}, "stride is 0"),
        ({"start": -1}, "start is -1"),
        ({"short": "loop"}, "short is 'loop'; expected 'error', 'skip' or 'cycle'"),
        ({"max_bytes": 1000}, "more than max_bytes allows"),
    ],
)
def test_bad_arguments(two, options, message):
    with pytest.raises(ValueError, match=message):
        load(two, **{"frames": 2, "size": 8, **options})


def test_no_clip():
    with pytest.raises(ValueError, match="the list is empty"):
        load([], frames=2, size=8)


# Splitting ---------------------------------------------------------------------------------------


def test_split_by_actor_keeps_order_and_shares_nobody(tmp_path):
    touch(*(tmp_path / name for name in weizmann_names()))
    clips = data.weizmann(tmp_path)
    learn, test = split(clips, "actor", ["lena", "eli"])
    assert len(learn) + len(test) == 93
    assert {clip.labels["actor"] for clip in test} == {"lena", "eli"}
    assert not {clip.labels["actor"] for clip in learn} & {"lena", "eli"}
    assert learn == [clip for clip in clips if clip in learn]
    assert split(clips, "actor", "lena")[1] == split(clips, "actor", ["lena"])[1]


@pytest.mark.parametrize(
    ("by", "held_out", "message"),
    [
        ("speaker", ["1"], "has no label 'speaker'; it has actor"),
        ("actor", ["bob"], "no clip has actor bob; there are eli, ira"),
        ("actor", ["eli", "ira"], "leaves 0 and 2 clips"),
        ("actor", [], "leaves 2 and 0 clips"),
    ],
)
def test_bad_splits(by, held_out, message):
    clips = [Clip(Path("a.avi"), {"actor": "eli"}), Clip(Path("b.avi"), {"actor": "ira"})]
    with pytest.raises(ValueError, match=message):
        split(clips, by, held_out)


# Moving MNIST ------------------------------------------------------------------------------------


def test_moving_mnist(tmp_path):
    stored = np.random.default_rng(0).integers(0, 256, (20, 5, 64, 64), dtype=np.uint8)
    np.save(tmp_path / "mnist_test_seq.npy", stored)
    videos = data.moving_mnist(tmp_path / "mnist_test_seq.npy", start=1, count=3, frames=16)
    assert videos.shape == (3, 3, 16, 64, 64)
    assert videos.dtype == torch.float32
    expected = torch.from_numpy(stored[:16, 1:4]).transpose(0, 1) / 127.5 - 1
    for channel in range(3):
        # Both divide the same bytes; one float32 rounding near 1 may differ.
        torch.testing.assert_close(videos[:, channel], expected, rtol=0, atol=2e-7)
    with pytest.raises(ValueError, match="5 sequences of 20 frames: sequences 3 to 5"):
        data.moving_mnist(tmp_path / "mnist_test_seq.npy", start=3, count=3)
    with pytest.raises(ValueError, match="of 21 frames"):
        data.moving_mnist(tmp_path / "mnist_test_seq.npy", count=1, frames=21)


def test_moving_mnist_refuses_other_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected mnist_test_seq\.npy"):
        data.moving_mnist(tmp_path / "gone.npy")
    (tmp_path / "words.npy").write_text("no array")
    with pytest.raises(ValueError, match=r"is no \.npy file"):
        data.moving_mnist(tmp_path / "words.npy")
    np.save(tmp_path / "other.npy", np.zeros((20, 5, 32, 32)))
    with pytest.raises(ValueError, match=r"float64 \(20, 5, 32, 32\); expected uint8"):
        data.moving_mnist(tmp_path / "other.npy")


def test_the_import_is_light():
    code = "import sys, abplib.data; print({'av', 'pooch', 'requests'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
