"""Figure 2's measure against time: it sees the noise that it is made to see, and no other."""

import argparse
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from abplib.baselines import LinearDynamics
from abplib.experiments import figure2

CLIP = 32


def smooth(frames: int, seed: int = 0) -> torch.Tensor:
    """A stationary clip (3, T, 32, 32): four still pictures, weighted by slow processes."""
    random = torch.Generator().manual_seed(seed)
    pictures = torch.nn.functional.interpolate(
        torch.randn(4, 3, 12, 12, generator=torch.Generator().manual_seed(9)),
        size=(32, 32),
        mode="bicubic",
    )
    weights, w = [], torch.randn(4, generator=random)
    for _ in range(frames):
        w = 0.9 * w + (1 - 0.81) ** 0.5 * torch.randn(4, generator=random)
        weights.append(0.15 * w)
    return torch.einsum("tk,kchw->cthw", torch.stack(weights), pictures).clamp(-1, 1)


@pytest.fixture(scope="module")
def yardstick() -> figure2.Yardstick:
    return figure2.Yardstick(smooth(192))


def test_the_clip_itself_measures_as_real(yardstick: figure2.Yardstick) -> None:
    rows = yardstick.over_time(smooth(192))
    assert [row["frame"] for row in rows] == list(range(0, 192, 16))
    mean = {name: sum(row[name] for row in rows) / len(rows) for name in figure2.MEASURES}
    assert mean["variance"] == pytest.approx(1, rel=1e-9)  # the same windows, in the same sum
    assert mean["outside"] == 0
    # a mean of logarithms is below the logarithm of the mean: by 4 dB at most, for windows whose
    # power varies by no more than a factor of ten
    assert -4 < mean["sharpness"] <= 0
    assert -4 < mean["flicker"] <= 0


def test_noise_that_grows_is_seen_to_grow(yardstick: figure2.Yardstick) -> None:
    video = smooth(96, seed=1)
    noise = torch.randn(video.shape, generator=torch.Generator().manual_seed(2))
    growing = video + noise * torch.linspace(0, 0.4, 96)[:, None, None]
    rows: list[dict] = [{"method": "grows", "seed": 0, **r} for r in yardstick.over_time(growing)]
    rows += [{"method": "stays", "seed": 0, **r} for r in yardstick.over_time(video)]
    found = {(r["method"], r["measure"]): r for r in figure2.change(rows, 32)}
    for measure in ("distance", "sharpness", "flicker", "outside"):
        assert found["grows", measure]["change"] > 5 * abs(found["stays", measure]["change"])
    for name in ("distance", "sharpness", "flicker"):
        series = torch.tensor([float(r[name]) for r in rows if r["method"] == "grows"])
        assert (series.diff() > 0).all()


def test_noise_measures_are_in_decibels(yardstick: figure2.Yardstick) -> None:
    noise = torch.randn(3, 16, 32, 32, generator=torch.Generator().manual_seed(0))
    weak, strong = (yardstick.measure(s * noise) for s in (0.02, 0.2))
    # ten times the noise is 20 dB; the rounding noise of eight bits takes off 0.06 dB at 0.02
    assert strong["sharpness"] - weak["sharpness"] == pytest.approx(20, abs=0.1)
    assert strong["flicker"] - weak["flicker"] == pytest.approx(20, abs=0.1)
    assert strong["variance"] / weak["variance"] == pytest.approx(100, rel=1e-4)  # float32


def test_what_leaves_the_range_is_counted_and_then_cut(yardstick: figure2.Yardstick) -> None:
    window = torch.zeros(3, 16, 32, 32)
    window[:, :, :8] = 5
    cut = window.clamp(-1, 1)
    row, inside = yardstick.measure(window), yardstick.measure(cut)
    assert row.pop("outside") == 0.25
    assert inside.pop("outside") == 0
    assert row == inside


def test_an_unstable_linear_system_leaves_the_range() -> None:
    """The one case in which noise must accumulate: a spectral radius above 1."""
    t = torch.arange(48.0)
    clip = smooth(48) / 4
    for channel, wave in enumerate((torch.cos(0.7 * t), torch.sin(0.7 * t))):
        clip[channel] += 0.5 * (1.05 ** (t - 47) * wave)[:, None, None]
    yardstick = figure2.Yardstick(clip)
    changes = {}
    for stabilise in (False, True):
        model = LinearDynamics.learn(clip, 8, stabilise=stabilise)
        assert (model.spectral_radius > 1) is not stabilise
        rows = [
            {"method": "line", "seed": seed, **row}
            for seed in range(3)
            for row in yardstick.over_time(model.synthesise(192, seed=seed, clamp=False))
        ]
        found = {row["measure"]: row for row in figure2.change(rows, 48)}
        changes[stabilise] = found["outside"]
    assert changes[False]["change"] > 0.1
    assert changes[True]["change"] < 0.05


def test_change_is_averaged_over_seeds_with_its_standard_error() -> None:
    rows = [
        {"method": "a", "seed": seed, "frame": frame, "distance": slope * frame}
        for seed, slope in ((0, 1.0), (1, 3.0))
        for frame in (0, 16, 32, 48)
    ]
    (row,) = figure2.change(rows, 32)
    assert row["early"] == pytest.approx(2 * 8)  # mean slope 2, mean frame of the first two
    assert row["late"] == pytest.approx(2 * 40)
    assert row["change"] == pytest.approx(64)
    # changes 32 and 96: standard deviation 64 / sqrt(2), over sqrt(2) seeds
    assert row["error"] == pytest.approx(32)
    (single,) = figure2.change([r for r in rows if r["seed"] == 0], 16)
    assert math.isnan(single["error"])


def test_the_yardstick_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        figure2.Yardstick(torch.zeros(3, 15, 32, 32))
    with pytest.raises(ValueError, match="does not move"):
        figure2.Yardstick(torch.zeros(3, 16, 32, 32))


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Methods that cost nothing: the trainings have tests of their own."""

    def learn(clip: torch.Tensor, seed: int) -> dict[str, figure2.Learned]:
        model = LinearDynamics.learn(clip, 4)
        return {"linear dynamics": figure2.Learned(lambda n, s: model.synthesise(n, seed=s), 0.5)}

    monkeypatch.setattr(figure2, "learn", learn)


def options(out: Path, **more: object) -> argparse.Namespace:
    base = {"pattern": ["fire"], "out": out, "seeds": 1, "times": 1, "jobs": 1}
    return argparse.Namespace(**{**base, **more})


def test_the_command_writes_rows_and_goes_on_with_them(
    cheap: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made" / "figure2.json"
    first = figure2.run(options(out))
    saved = json.loads(out.read_text())
    assert saved == json.loads(json.dumps(first))
    assert {r["method"] for r in saved["rows"]} == {"real", "linear dynamics"}
    assert len(saved["rows"]) == 2 * figure2.CLIP // 16
    assert "fire, linear dynamics, distance" in capsys.readouterr().out

    with pytest.raises(ValueError, match="other settings"):
        figure2.run(options(out, times=2))
    second = figure2.run(options(out, seeds=2))
    assert second["rows"][: len(saved["rows"])] == saved["rows"]
    assert {r["seed"] for r in second["rows"]} == {0, 1}
    fresh = figure2.run(options(tmp_path / "again.json", seeds=2))
    assert fresh["rows"] == second["rows"]  # going on gives what one run gives
    assert [p.name for p in out.parent.iterdir()] == ["figure2.json"]  # nothing half written


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        figure2.run(options(tmp_path / "x.json", seeds=0))


@pytest.mark.slow
def test_every_method_goes_on_from_a_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    short = replace(figure2.FRAMEWISE, abp=replace(figure2.FRAMEWISE.abp, iterations=20))
    monkeypatch.setattr(figure2, "FRAMEWISE", short)
    monkeypatch.setattr(figure2, "MODEL2", replace(figure2.MODEL2, width=0.1, iterations=10))
    methods = figure2.learn(figure2.patterns.fire(figure2.CLIP))
    assert list(methods) == ["linear dynamics", "stabilised", "frame-wise ABP", "Model-2"]
    for method in methods.values():
        video = method.synthesise(64, 5)
        assert video.shape == (3, 64, 64, 64)
        assert torch.equal(video, method.synthesise(64, 5))
        assert not torch.equal(video, method.synthesise(64, 6))
    assert methods["stabilised"].radius is not None
    assert methods["stabilised"].radius < 1
    assert methods["Model-2"].radius is None


def test_the_training_windows_cover_the_clip() -> None:
    assert figure2.MODEL2.clip_frames == figure2.CLIP
