"""One sequence with missing frames: windows, their overlay, own gaps; the command of Table 1."""

import json
from dataclasses import replace

import pytest
import torch

from abplib.baselines import linear_in_time
from abplib.experiments import gaps
from abplib.experiments.__main__ import main
from abplib.experiments.interpolation import learn_windows, problem
from abplib.masks import consecutive, random_blocks
from abplib.presets.interpolation import INTERPOLATION, Recipe
from abplib.recover import Recovery

TINY = Recipe(
    replace(INTERPOLATION["ci"].plain, iterations=1, langevin_steps=1, size=16, width=1 / 64),
    replace(INTERPOLATION["ci"].windows, iterations=6, size=16, width=1 / 64),
)


@pytest.mark.parametrize("mask", [consecutive, random_blocks])
@pytest.mark.parametrize("seed", range(5))
def test_own_gaps_are_like_the_real_ones_and_apart_from_them(mask, seed):
    observed = mask((1, 64, 2, 2))
    asked = gaps.gaps_alike(observed, seed)
    assert not (asked & ~observed).any()
    shown = "".join("x" if s else "." for s in (observed & ~asked)[0, 0, :, 0, 0])
    lengths = {len(run) for run in shown.split("x") if run}
    assert lengths == ({8} if mask is consecutive else {3})
    assert shown[0] == shown[-1] == "x"
    assert 0 < int(asked[0, 0, :, 0, 0].sum()) <= 0.3 * int(observed[0, 0, :, 0, 0].sum())


def test_own_gaps_need_room():
    with pytest.raises(ValueError, match="no gap like the real ones fits"):
        gaps.gaps_alike(consecutive((1, 16, 2, 2), frames=8))


def test_windows_laid_over_each_other_give_back_the_clip():
    preset, clip = TINY.windows, torch.rand(1, 3, 48, 16, 16) - 0.5
    observed = consecutive((1, 48, 16, 16))
    overlay = gaps.Overlay(clip, observed, preset)
    run = gaps.start(clip, observed, preset)
    overlay.add(gaps.cut(clip, preset))
    found = overlay.recovery(run)
    torch.testing.assert_close(found.mean, clip)
    assert float(found.spread.max()) < 1e-6
    assert float(found.noise) == 0.0
    overlay.add(gaps.cut(clip + 0.2, preset))
    found = overlay.recovery(run)
    torch.testing.assert_close(found.mean, clip + 0.1)
    torch.testing.assert_close(found.spread, torch.full_like(clip, 0.1))
    assert float(found.noise) == pytest.approx(0.2 / 2**0.5, rel=1e-5)


def test_the_draw_takes_each_frame_from_the_window_around_it():
    preset = TINY.windows
    clip, observed = torch.rand(1, 3, 48, 16, 16) - 0.5, consecutive((1, 48, 16, 16))
    run = gaps.start(clip, observed, preset)
    found = gaps.learn(run, clip, observed, preset)
    windows = run.reconstruct()[0]
    torch.testing.assert_close(found.draw[0, :, 0], windows[0, :, 0])
    torch.testing.assert_close(found.draw[0, :, 23], windows[1, :, 15])  # 8..39 has 23 inside
    torch.testing.assert_close(found.draw[0, :, 47], windows[2, :, 31])


def test_hidden_frames_have_no_influence_whatever_they_hold():
    clip, observed = problem("flag", "consecutive", 0, TINY)
    spoiled = torch.where(observed, clip, torch.nan)
    a, b = (learn_windows(x, observed, TINY) for x in (clip, spoiled))
    assert torch.equal(a.average.mean, b.average.mean)
    assert (a.share, a.scales) == (b.share, b.scales)
    for one, other in zip(a.recoveries(clip).values(), b.recoveries(spoiled).values(), strict=True):
        assert torch.equal(one.mean, other.mean)


def made(mean):
    return Recovery(mean, mean, torch.full_like(mean, 0.1), torch.tensor([0.1]), mean)


def test_share_is_one_for_a_right_generator_and_none_for_a_line():
    source = torch.Generator().manual_seed(0)
    clip = torch.rand(1, 3, 64, 4, 4, generator=source) * 1.6 - 0.8
    observed = random_blocks((1, 64, 4, 4))
    asked = gaps.gaps_alike(observed)
    shown = observed & ~asked
    right, straight = made(clip), linear_in_time(clip, observed)
    assert gaps.fitted_share(right, clip, shown, asked) == 1.0
    wrong = made(torch.rand(clip.shape, generator=source) * 1.6 - 0.8)
    assert gaps.fitted_share(wrong, straight, observed, asked) <= 0.05
    torch.testing.assert_close(gaps.with_line(right, clip, shown, 1.0).mean, clip)


def test_the_run_that_fills_sees_every_observed_frame_and_the_pilot_does_not(monkeypatch):
    clip, observed = problem("flag", "random", 1, TINY)
    masks = []
    start = gaps.start

    def watched(clip, observed, preset, seed):
        masks.append((observed, preset.iterations))
        return start(clip, observed, preset, seed)

    monkeypatch.setattr(gaps, "start", watched)
    filled = learn_windows(clip, observed, TINY, seed=1)
    (pilot, few), (full, all_of_them) = masks
    assert torch.equal(pilot, observed & ~gaps.gaps_alike(observed, 1))
    assert torch.equal(full, observed)
    assert (few, all_of_them) == (3, 6)
    assert filled.run.iteration == 6


def test_a_recipe_s_windows_cover_the_clip():
    with pytest.raises(ValueError, match="plain has one window"):
        Recipe(TINY.plain, replace(TINY.windows, offsets=(0, 8)))
    with pytest.raises(ValueError, match="clip has 40 frames"):
        gaps.start(torch.zeros(1, 3, 40, 16, 16), consecutive((1, 40, 16, 16)), TINY.windows)


def test_the_command_fills_every_cell_once(tmp_path, monkeypatch):
    monkeypatch.setitem(INTERPOLATION, "ci", TINY)
    out = tmp_path / "table1.json"
    command = ["interpolation", "--preset", "ci", "--seeds", "1", "--family", "light"]
    assert main([*command, "--mask", "random", "--out", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    methods = [row["method"] for row in rows]
    assert methods == [
        "LHD",
        "LHD, mean start",
        "linear",
        "mean frame",
        "ABP",
        "ABP + windows",
        "ABP + average",
        "ABP + residual",
        "ABP + linear",
    ]
    assert all(row["error"] > 0 and row["sharpness"] > 0 for row in rows)
    assert all(0 <= row["coverage"] <= 1 for row in rows[-3:])
    before = out.stat().st_mtime_ns
    assert main([*command, "--mask", "random", "--out", str(out)]) == 0
    assert out.stat().st_mtime_ns == before


def test_the_command_takes_files(tmp_path, monkeypatch):
    pytest.importorskip("av")
    from abplib.data import patterns
    from abplib.data.video import write_video

    monkeypatch.setitem(INTERPOLATION, "ci", TINY)
    file = write_video(tmp_path / "fire.mp4", patterns.clip("fire", 50, size=32))
    first, _ = problem(file, "random", 0, TINY)
    again, _ = problem(file, "random", 1, TINY)
    assert first.shape == again.shape == (1, 3, 48, 16, 16)
    assert not torch.equal(first, again)
    short = write_video(tmp_path / "short.mp4", patterns.clip("fire", 40, size=32))
    with pytest.raises(ValueError, match="has 40 frames; 48 are needed"):
        problem(short, "random", 0, TINY)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--family", "sea"], "unknown family 'sea'"),
        (["--seeds", "0"], "--seeds is 0"),
        (["--video", "nowhere.mp4"], "there is no video nowhere.mp4"),
    ],
)
def test_what_the_command_refuses(arguments, message, tmp_path, capsys):
    assert main(["interpolation", "--out", str(tmp_path / "x.json"), *arguments]) == 2
    assert message in capsys.readouterr().err
