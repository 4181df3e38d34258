"""The synthesis command, from a video file to its results, at preset ci."""

import json
import math
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from abplib import checkpoint, presets
from abplib.data import patterns
from abplib.data.video import read_video, video_info, write_video
from abplib.experiments.__main__ import main
from abplib.experiments.footage import read_clips, read_footage

CI = presets.MODEL2["ci"]
FRAMES = CI.clip_frames + 20


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("footage") / "fire.mp4"
    return write_video(path, patterns.fire(FRAMES), fps=20)


@pytest.fixture(scope="module")
def finished(video, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("results") / "made" / "here"
    assert command(video, out) == 0
    return out


def command(video: Path, out: Path, *more: str) -> int:
    wanted = ["synthesis", "--model", "2", "--preset", "ci", "--seed", "3"]
    return main([*wanted, "--video", str(video), "--out", str(out), *more])


def results(out: Path) -> dict:
    """metrics.json without what one run need not share with the next."""
    content = json.loads((out / "metrics.json").read_text())
    assert content.pop("seconds") > 0
    return content


def test_files(finished):
    assert {f.name for f in finished.iterdir()} == {
        "synthesis.mp4",
        "strip.png",
        "metrics.json",
        "generator.safetensors",
    }
    info = video_info(finished / "synthesis.mp4")
    assert (info.frames, info.height, info.width, info.fps) == (2 * CI.frames, 256, 256, 20.0)
    with Image.open(finished / "strip.png") as picture:
        assert picture.width > 8 * CI.size  # eight frames a row,
        assert picture.height > 4 * CI.size  # four rows


def test_metrics(finished):
    content = json.loads((finished / "metrics.json").read_text())
    assert {
        "settings",
        "environment",
        "seconds",
        "reconstruction_psnr",
        "mean_frame_psnr",
        "diversity",
        "frame_difference",
        "fidelity",
    } <= set(content)
    for name, pair in content["fidelity"].items():
        assert set(pair) == {"synthesis", "held_out"}, name
        assert all(map(math.isfinite, pair.values())), name
    settings = content["settings"]
    assert (settings["seed"], settings["preset"], settings["model"]) == (3, "ci", 2)
    assert settings["video"] == "fire.mp4"
    for name in CI.differs_from_paper():
        assert name in settings["differs_from_paper"]
        value = settings[name]
        assert (tuple(value) if isinstance(value, list) else value) == getattr(CI, name)
    assert content["held_out"] == [3, FRAMES - CI.clip_frames, 64, 64]
    assert content["environment"]["torch"] == torch.__version__


def test_it_learned_something(finished):
    """Even a few seconds beat the mean frame, and two syntheses are not one."""
    content = json.loads((finished / "metrics.json").read_text())
    assert content["reconstruction_psnr"] > content["mean_frame_psnr"] + 0.5
    assert content["diversity"] > 0.1 * content["frame_difference"]


def test_stored_generator_is_the_finished_run(finished):
    stored = checkpoint.load(finished / "generator.safetensors")
    assert stored["run"]["iteration"] == CI.iterations
    assert len(stored["run"]["history"]) == CI.iterations


@pytest.mark.slow
def test_same_seed_same_results(video, finished, tmp_path):
    """Bit for bit on one machine, to the pixels of the film."""
    assert command(video, tmp_path) == 0
    assert results(tmp_path) == results(finished)
    a, b = (read_video(folder / "synthesis.mp4") for folder in (tmp_path, finished))
    assert torch.equal(a, b)


@pytest.mark.slow
def test_killed_run_resumes_to_the_same_results(video, finished, tmp_path, capsys):
    arguments = ["synthesis", "--preset", "ci", "--seed", "3", "--video", str(video)]
    arguments += ["--out", str(tmp_path), "--save-every", "0"]
    program = [sys.executable, "-m", "abplib.experiments", *arguments]
    file = tmp_path / "checkpoint.safetensors"
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if file.exists() and checkpoint.load(file)["run"]["iteration"] >= 3:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 3 <= checkpoint.load(file)["run"]["iteration"] < CI.iterations
    assert not (tmp_path / "metrics.json").exists()

    assert command(video, tmp_path) == 2
    assert "unfinished run: pass --resume" in capsys.readouterr().err
    assert command(video, tmp_path, "--resume", "--stride", "1", "--start", "2") == 2
    assert "other settings (start 0 there, 2 here)" in capsys.readouterr().err

    assert command(video, tmp_path, "--resume") == 0
    assert results(tmp_path) == results(finished)
    assert not file.exists()


def test_file_too_short(tmp_path, capsys):
    path = write_video(tmp_path / "short.mp4", patterns.fire(CI.frames + 7, size=16))
    assert command(path, tmp_path / "out") == 2
    message = capsys.readouterr().err
    assert f"gives {CI.frames + 7} frames" in message
    assert "take a longer video" in message


def test_short_file_gives_fewer_windows(tmp_path):
    path = write_video(tmp_path / "short.mp4", patterns.fire(CI.frames + 20, size=16))
    assert CI.offsets == (0, 8)
    footage, preset = read_footage(path, CI, start=8)
    assert preset.offsets == (0,)
    assert (footage.training.shape[1], footage.held_out.shape[1]) == (CI.frames, 12)
    footage, _ = read_footage(path, replace(CI, frames=16), start=1, stride=2)
    whole = read_video(path, size=64)
    assert torch.equal(torch.cat([footage.training, footage.held_out], 1), whole[:, 1::2])


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--frames", "50"], "multiples of 16"),
        (["--size", "60"], "multiples of 16"),
        (["--model", "3"], "at least 5 are needed"),
        (["--set", "colour=3"], "expected NAME=VALUE"),
        (["--set", "decay=soon"], "expected a value like 0.5"),
        (["--start", "5000"], "5000"),
        (["--stride", "0"], "stride"),
    ],
)
def test_bad_options(video, tmp_path, capsys, more, says):
    assert command(video, tmp_path / "out", *more) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out" / "metrics.json").exists()


def test_missing_video(tmp_path, capsys):
    assert command(tmp_path / "none.mp4", tmp_path / "out") == 2
    assert "none.mp4" in capsys.readouterr().err


def test_model1_makes_a_larger_longer_video(tmp_path):
    ci = presets.MODEL1["ci"]
    frames = ci.clip_frames + 12
    path = write_video(tmp_path / "sea.mp4", patterns.ocean(frames, size=ci.clip_size))
    arguments = ["synthesis", "--model", "1", "--preset", "ci", "--set", "iterations=3"]
    assert main([*arguments, "--video", str(path), "--out", str(tmp_path / "out")]) == 0
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert content["settings"]["iterations"] == 3
    assert content["held_out"] == [3, 12, ci.clip_size, ci.clip_size]
    info = video_info(tmp_path / "out" / "synthesis.mp4")
    factor = 256 // (2 * ci.clip_size)  # pixels are repeated
    side = 2 * ci.clip_size * factor
    assert (info.frames, info.height, info.width) == (2 * ci.frames, side, side)


def test_model3_learns_from_a_folder(tmp_path):
    ci = presets.MODEL3["ci"]
    folder = tmp_path / "clips"
    folder.mkdir()
    for seed in range(6):
        video = patterns.flag(ci.frames + seed, size=ci.size, seed=seed)
        write_video(folder / f"{seed}.mp4", video)
    arguments = ["synthesis", "--model", "3", "--preset", "ci", "--set", "iterations=3"]
    assert main([*arguments, "--video", str(folder), "--out", str(tmp_path / "out")]) == 0
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert content["held_out"] == [1, 3, ci.frames, ci.size, ci.size]
    assert content["mean_frame_psnr"] > 0
    for name, pair in content["fidelity"].items():
        assert all(map(math.isfinite, pair.values())), name
    info = video_info(tmp_path / "out" / "synthesis.mp4")
    assert info.frames == ci.frames


def test_clips_that_are_held_out(tmp_path):
    """Every fifth file; of fewer files, the last windows of each."""
    ci = replace(presets.MODEL3["ci"], size=16)
    clips = [patterns.fire(2 * ci.frames, size=16, seed=seed) for seed in range(5)]
    for seed, video in enumerate(clips):
        write_video(tmp_path / f"{seed}.mp4", video)
    footage = read_clips(tmp_path, ci)
    assert (len(footage.training), len(footage.held_out)) == (8, 2)
    assert torch.equal(footage.held_out[0], read_video(tmp_path / "4.mp4")[:, : ci.frames])
    for seed in (2, 3, 4):
        (tmp_path / f"{seed}.mp4").unlink()
    with pytest.raises(ValueError, match=f"gives 4 clips of {ci.frames} frames, from 2 files"):
        read_clips(tmp_path, ci)
