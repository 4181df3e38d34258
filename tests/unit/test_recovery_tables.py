"""Tables 2 and 3: the protocol, equal budgets, no leak of what is hidden, and the commands."""

import json
import math
from dataclasses import replace

import pytest
import torch

from abplib import dreams
from abplib.abp import ABP
from abplib.component_encoder import ComponentEncoder
from abplib.data import patterns
from abplib.data.video import write_video
from abplib.experiments import incomplete, learners, recovery
from abplib.experiments.__main__ import main
from abplib.experiments.learners import METHODS, RECIPES, start, train
from abplib.experiments.segments import Plan, Segments, cut, footage, mask, pattern
from abplib.li_abp import LearnedInit, LearnedInitABP
from abplib.posterior import View, energy
from abplib.starts import component_scores

CI = RECIPES["ci"]
FIELDS = {"video", "mask", "method", "seed", "budget", "error", "moving_error", "sharpness"} | {
    "coverage",
    "seconds",
    "updates",
}


@pytest.fixture(scope="module")
def parts() -> Segments:
    return pattern("windmill", CI.plan, 0)


@pytest.fixture(autouse=True)
def short_budgets(monkeypatch):
    monkeypatch.setitem(RECIPES, "ci", replace(CI, seconds=0.05, updates=2, steps=4, every=1))


# the protocol


def test_segments_kept_from_the_learning_share_no_frame_with_it():
    plan = Plan(learn=3, aside=1, test=2, hop=8)
    numbered = torch.arange(96.0).view(1, -1, 1, 1).expand(3, -1, 16, 16) / 96
    found = cut(numbered, plan)
    frames = [
        set((part[:, 0, :, 0, 0] * 96).round().flatten().tolist()) for part in vars(found).values()
    ]
    assert [len(f) for f in frames] == [48, 16, 32]
    assert not (frames[0] & frames[1])
    assert not (frames[0] & frames[2])
    assert not (frames[1] & frames[2])
    assert [len(part) for part in vars(found).values()] == [5, 1, 2]
    with pytest.raises(ValueError, match="the plan needs 96"):
        cut(numbered[:, :95], plan)


def test_book_splits_four_to_one_with_twelve_test_clips():
    plan = RECIPES["book"].plan
    assert plan.test >= 12
    assert 3.5 <= plan.learn / plan.test <= 4.5


def test_scenes_follow_the_seed_and_the_two_flags_differ():
    plan = Plan(size=16, learn=1, aside=1, test=1)
    first = pattern("flag1", plan, 0).test
    assert torch.equal(first, pattern("flag1", plan, 0).test)
    assert not torch.equal(first, pattern("flag1", plan, 1).test)
    assert not torch.equal(first, pattern("flag2", plan, 0).test)


def test_files_are_split_by_themselves(tmp_path):
    for name in ("a", "b"):
        write_video(tmp_path / f"{name}.mp4", patterns.fire(12 * 16, size=32))
    write_video(tmp_path / "short.mp4", patterns.fire(20, size=32))
    found = footage(tmp_path, Plan(size=16, hop=16))
    assert [len(part) for part in vars(found).values()] == [2 * 9, 2, 2 * 2]
    with pytest.raises(ValueError, match="no video of 96 frames"):
        footage(tmp_path / "short.mp4", Plan(size=16))


# budgets


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_to_either_budget(method, parts):
    run = start(method, CI, parts.learn)
    assert train(run, updates=3)[1] == 3
    spent, done = train(start(method, CI, parts.learn), seconds=0.3)
    assert 0.2 <= spent < 0.3 + 5 * spent / done + 0.3  # the last update may run over
    assert done >= 1


def test_the_learning_rate_falls_with_the_share_of_the_seconds(parts):
    run = start("3D ABP", CI, parts.learn)
    rates = []
    once = run.iterate

    def watched():
        rates.append(run.settings.rate(run.iteration))
        return once()

    run.iterate = watched
    train(run, seconds=0.6)
    assert rates[1] == run.settings.learning_rate
    assert rates[-1] < 0.5 * rates[1]


def test_wrong_budgets_and_methods_are_refused(parts):
    run = start("3D ABP", CI, parts.learn)
    for wrong in ({}, {"seconds": 1.0, "updates": 1}):
        with pytest.raises(ValueError, match="not both"):
            train(run, **wrong)
    with pytest.raises(ValueError, match="unknown method 'GAN'"):
        start("GAN", CI, parts.learn)
    with pytest.raises(ValueError, match="cannot learn from incomplete"):
        start("3D GAN", CI, parts.learn, mask("M0.5", parts.learn, 0))


def test_the_component_encoder_starts_where_the_chains_start():
    clips = torch.rand(12, 3, 4, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    encoder = ComponentEncoder(clips, 5)
    assert torch.allclose(
        encoder(clips).flatten(1), component_scores(clips.flatten(1), 5), atol=1e-4
    )
    seen = mask("M0.5", clips, 0)
    spoilt = torch.where(seen, clips, torch.full_like(clips, math.nan))
    assert torch.equal(encoder(clips, seen), encoder(spoilt, seen))
    assert ComponentEncoder(clips, 20)(clips)[:, 11:].abs().max() == 0


def test_solving_gives_the_least_squares_of_the_latents_on_the_scores():
    clips = torch.rand(12, 3, 4, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    encoder, random = ComponentEncoder(clips, 5), torch.Generator().manual_seed(1)
    scores = torch.randn(200, 5, 1, 1, 1, generator=random)
    latents = torch.randn(200, 5, 1, 1, 1, generator=random) + 2 * scores
    encoder.solve(scores, latents, ridge=0.0)
    design = torch.cat([scores.flatten(1), torch.ones(200, 1)], 1)
    exact = torch.linalg.lstsq(design, latents.flatten(1)).solution
    torch.testing.assert_close(encoder.matrix, exact[:5], rtol=0, atol=1e-4)
    torch.testing.assert_close(encoder.offset, exact[5], rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="are no pairs"):
        encoder.solve(scores[:1], latents[:1])
    with pytest.raises(ValueError, match="are no pairs"):
        encoder.solve(scores, latents[:9])


class Mix(torch.nn.Module):
    """A linear generator of clips (N, 3, 4, 4, 4), whose latents are no component scores."""

    def __init__(self) -> None:
        super().__init__()
        source = torch.Generator().manual_seed(0)
        self.axes = torch.nn.Parameter(0.2 * torch.randn(4, 192, generator=source))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return (z.flatten(1) @ self.axes).view(-1, 3, 4, 4, 4)


def test_finishing_lowers_r_and_no_chains_energy_rises():
    random, mix = torch.Generator().manual_seed(1), Mix()
    clips = mix(torch.randn(30, 4, 1, 1, 1, generator=random)).detach()
    view = View(mix, clips, sigma=0.1, bounded=False)
    run = LearnedInitABP(
        [view],
        (4, 1, 1, 1),
        network=ComponentEncoder(view.data, 4),
        learned=LearnedInit(solve=64, jump=True),
    )
    z = torch.randn(100, 4, 1, 1, 1, generator=random)
    video, _ = dreams.Dreams(view).draw(z, random)
    with torch.no_grad():
        risk = float((run.initialise(video) - z).square().mean())
        before = energy(run.z, view)
        run.finish()
        after = energy(run.z, view)
        assert float((run.initialise(video) - z).square().mean()) < 0.05 * risk
    assert (after <= before).all()
    assert (after < before).float().mean() > 0.8  # chains stood at the prior


def test_seeing_how_long_the_finish_takes_changes_nothing(parts):
    tried, plain = (start("LI-ABP", CI, parts.learn) for _ in range(2))
    assert train(tried, seconds=1e-4)[1] <= 1  # a trial of the finish, and no time for more
    assert torch.equal(tried.z, plain.z)
    assert train(tried, updates=2)[1] == 2
    plain.finish()
    train(plain, updates=2)
    assert torch.equal(tried.z, plain.z)
    assert torch.equal(tried.network.matrix, plain.network.matrix)


def test_only_a_network_with_a_linear_part_can_be_solved(parts):
    view = start("LI-ABP", CI, parts.learn).views[0]
    with pytest.raises(ValueError, match="need a linear part"):
        LearnedInitABP([view], (6, 1, 1, 1), learned=LearnedInit(solve=8))
    with pytest.raises(ValueError, match="solve is 1"):
        LearnedInit(solve=1)


def test_abp_starts_at_the_prior_and_only_its_named_variant_at_components(parts):
    plain, named = (start(name, CI, parts.learn) for name in ("3D ABP", "ABP + components"))
    scores = component_scores(parts.learn.flatten(1), 6)
    assert not torch.allclose(plain.z.flatten(1), scores, atol=0.1)
    assert torch.allclose(named.z.flatten(1), scores, atol=1e-4)
    assert torch.equal(start("LI-ABP", CI, parts.learn).z.abs() > 0, named.z.abs() > 0)


def test_the_learned_start_learns_in_one_of_so_many_updates(parts):
    recipe = replace(CI, learned=replace(CI.learned, every=3))
    run = start("LI-ABP", recipe, parts.learn)
    changed = []
    for _ in range(6):
        before = run.network.layers[2].bias.clone()
        run.iterate()
        changed.append(not torch.equal(before, run.network.layers[2].bias))
    assert changed == [True, False, False, True, False, False]
    with pytest.raises(ValueError, match="every is 0"):
        replace(CI.learned, every=0)


# nothing leaks


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["M0.5", "B35"])
def test_what_is_hidden_of_a_test_clip_has_no_influence(method, name, parts):
    run = start(method, CI, parts.learn)
    train(run, updates=2)
    seen = torch.cat([mask(name, parts.aside, 5), mask(name, parts.test, 6)])
    random = torch.rand(parts.test.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    other = replace(parts, test=torch.where(seen[len(parts.aside) :], parts.test, random))
    answers = [list(recovery.learned_answers(method, run, CI, p, seen, 0)) for p in (parts, other)]
    for (label, a, *_), (_, b, *_) in zip(*answers, strict=True):
        assert torch.equal(a, b), label


@pytest.mark.parametrize("method", incomplete.LEARNERS)
def test_what_is_hidden_of_a_training_clip_is_never_learned(method, parts):
    seen = mask("P20", parts.learn, 3)
    random = torch.rand(parts.learn.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    found = []
    for videos in (parts.learn, torch.where(seen, parts.learn, random)):
        run = start(method, CI, videos, seen)
        train(run, updates=2)
        found.append(list(incomplete.learned_answers(method, run, CI, run_data(run), seen, 0)))
    for (label, a, *_), (_, b, *_) in zip(*found, strict=True):
        assert torch.equal(a, b), label


def run_data(run) -> torch.Tensor:
    return run.views[0].data if isinstance(run, ABP) else run.view.data


# the commands


def rows(out) -> list[dict]:
    return json.loads(out.read_text())["rows"]


def test_recovery_fills_every_row_and_does_not_run_again(tmp_path):
    out = tmp_path / "recovery.json"
    command = ["recovery", "--preset", "ci", "--only", "windmill", "--out", str(out)]
    assert main(command) == 0
    table = rows(out)
    assert all(row.keys() >= FIELDS for row in table)
    assert {row["mask"] for row in table} == {"M0.5", "P20", "B35"}
    names = {row["method"] for row in table}
    assert set(METHODS) | {"linear", "mean frame", "nearest clip", "LHD", "PPCA"} <= names
    assert {"ABP + posterior mean", "ABP + residual", "ABP + motion", "VAE + Langevin"} <= names
    for row in table:
        assert math.isfinite(row["error"])
        assert 0 < row["error"] < 2
        assert (row["budget"] == "none") == (row["learner"] == "trivial")
    before = out.read_text()
    assert main(command) == 0
    assert out.read_text() == before


def test_incomplete_fills_every_row(tmp_path):
    out = tmp_path / "incomplete.json"
    command = ["incomplete", "--preset", "ci", "--only", "flag2", "--mask", "P20"]
    assert main([*command, "--out", str(out)]) == 0
    table = rows(out)
    assert all(row.keys() >= FIELDS for row in table)
    names = {row["method"] for row in table}
    assert set(incomplete.LEARNERS) | {"linear", "mean frame", "LHD", "ABP + motion"} <= names


def test_own_files_and_chosen_methods(tmp_path):
    path = write_video(tmp_path / "blaze.mp4", patterns.fire(7 * 16, size=32))
    out = tmp_path / "real.json"
    command = ["recovery", "--preset", "ci", "--video", str(path), "--out", str(out)]
    assert main([*command, "--method", "3D ABP", "--budget", "updates", "--mask", "P20"]) == 0
    assert {(row["video"], row["budget"], row["updates"]) for row in rows(out)} == {
        ("blaze", "updates", 2)
    }


def test_errors(tmp_path, capsys):
    out = str(tmp_path / "a.json")
    assert main(["recovery", "--preset", "ci", "--only", "lava", "--out", out]) == 2
    assert "no video lava" in capsys.readouterr().err
    (tmp_path / "b.json").write_text("{}")
    command = ["recovery", "--preset", "ci", "--only", "grid", "--method", "trivial"]
    assert main([*command, "--out", str(tmp_path / "b.json")]) == 2
    assert "is no record" in capsys.readouterr().err


def test_paper_recipe_has_the_papers_numbers():
    paper = learners.RECIPES["paper"]
    assert (paper.steps, paper.step_size, paper.updates, paper.chains) == (200, 0.05, 500, 1)
    assert paper.model.differs_from_paper() == {"latent_channels": (100, 20), "sigma": (0.5, 1.0)}
