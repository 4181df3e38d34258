"""Two views, one latent: inference against the closed form, learning, predicting, Table 4."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from abplib import ABP, LinearGenerator, Settings, View, energy, langevin, linear_posterior
from abplib.data import speech
from abplib.experiments import multimodal as experiment
from abplib.experiments.__main__ import main
from abplib.experiments.two_views import speakers_of
from abplib.langevin import LinearPosterior
from abplib.multimodal import PRESETS, Multimodal
from abplib.spectra import LogSpectrum

D = 3
CHAINS = 6000


def linear_views() -> tuple[dict[str, tuple[torch.Tensor, torch.Tensor, float]], torch.Tensor]:
    """A "video" of 12 values and a "sound" of 8, made from one latent, with noise of their own."""
    random = torch.Generator().manual_seed(0)
    z = torch.randn(1, D, generator=random, dtype=torch.float64)
    terms = {}
    for name, size, sigma in (("video", 12, 0.8), ("sound", 8, 1.3)):
        loading = torch.randn(size, D, generator=random, dtype=torch.float64)
        noise = sigma * torch.randn(1, size, generator=random, dtype=torch.float64)
        terms[name] = (loading, z @ loading.T + noise, sigma)
    return terms, z


@pytest.mark.parametrize("given", [("video", "sound"), ("video",), ("sound",)])
def test_shared_inference_on_linear_views_equals_the_closed_form(given):
    terms, _ = linear_views()
    exact: LinearPosterior = linear_posterior(*(terms[name] for name in given))
    views = [
        View(LinearGenerator(a), x.expand(CHAINS, -1), sigma=s, bounded=False)
        for a, x, s in (terms[name] for name in given)
    ]
    step = 0.3 * exact.largest_stable_step
    # Steps for the slowest direction to forget its start: it decays by 1 - step^2 / 2 a step.
    z = langevin(
        lambda z: energy(z, *views),
        torch.zeros(CHAINS, D, dtype=torch.float64),
        steps=int(12 / step**2) + 50,
        step_size=step,
        generator=torch.Generator().manual_seed(1),
    )
    covariance = exact.chain_covariance(step)
    deviation = (z.mean(0) - exact.mean[0]) / (covariance.diagonal() / CHAINS).sqrt()
    assert deviation.abs().max() < 4  # standard errors
    # A sample covariance is off by about sqrt(2 / chains) = 2% of its size.
    scale = covariance.diagonal().sqrt()
    gap = (torch.cov(z.T) - covariance) / (scale[:, None] * scale)
    assert gap.abs().max() < 0.08


def test_both_views_know_more_than_either_alone():
    terms, _ = linear_views()
    both = linear_posterior(*terms.values())
    for term in terms.values():
        alone = linear_posterior(term)
        assert torch.linalg.eigvalsh(alone.covariance - both.covariance).min() > 0
    together = sum(linear_posterior(t).precision for t in terms.values()) - torch.eye(D)
    assert torch.allclose(both.precision, together.to(both.precision))


def test_linear_abp_on_two_views_predicts_one_from_the_other():
    """Learned from pairs, a linear ABP predicts as well as the true linear model does."""
    random = torch.Generator().manual_seed(0)
    loadings = [torch.randn(size, 2, generator=random) for size in (8, 6)]
    z = torch.randn(300, 2, generator=random)
    data = [z @ a.T + 0.2 * torch.randn(300, len(a), generator=random) for a in loadings]
    torch.manual_seed(0)
    views = [
        View(LinearGenerator(0.1 * torch.randn(len(a), 2)), x[:200], sigma=0.2, bounded=False)
        for a, x in zip(loadings, data, strict=True)
    ]
    settings = Settings(400, langevin_steps=5, step_size=0.08, learning_rate=0.03, decay=0.5)
    ABP(views, (2,), settings).fit(progress=False)

    def predicted(a: torch.Tensor, b: torch.Tensor) -> float:
        mean = linear_posterior((a, data[0][200:], 0.2)).mean
        return float((mean @ b.T - data[1][200:]).square().mean().sqrt())

    learned = predicted(*(v.generator.loading.detach() for v in views))  # type: ignore[attr-defined]
    assert learned < 1.15 * predicted(*loadings)
    assert learned < 0.5 * float(data[1][200:].std())


@pytest.fixture(scope="module")
def spoken() -> speech.Spoken:
    names = ["Hello", "See you"]
    return speech.dataset([1, 2], phrases=names, takes=2, frames=16, size=32, rate=8000)


@pytest.mark.parametrize("options", [{}, {"spectral": False, "still": False}])
def test_a_run_learns_and_predicts_both_ways(spoken, options):
    preset = replace(PRESETS["ci"], latent_channels=5, batch_size=4, **options)
    learned = preset.start(spoken.videos, spoken.sounds, seed=0)
    history = learned.run.fit(progress=False)
    assert history[-1]["error"] < history[0]["error"]
    heard, seen = learned.hear(spoken.videos), learned.see(spoken.sounds)
    assert heard.shape == spoken.sounds.shape
    assert seen.shape == spoken.videos.shape
    assert torch.equal(heard, learned.hear(spoken.videos))
    for data in (heard, seen):
        assert data.abs().max() <= 1


def test_draws_are_averaged_over_the_second_half_of_the_chain(spoken):
    preset = replace(
        PRESETS["ci"], latent_channels=5, draws=4, steps=16, known_starts=0, price=None
    )
    learned = Multimodal(preset, spoken.videos, spoken.sounds)
    z = learned.infer(learned.audio_view(spoken.sounds))
    assert z.shape == (4, 8, 5, 1, 1, 1)
    one = replace(preset, draws=1)
    learned.preset = one
    assert torch.equal(learned.infer(learned.audio_view(spoken.sounds))[0], z[-1])
    assert torch.allclose(
        learned.sound_of(z), torch.stack([learned.audio_generator(a) for a in z]).mean(0), atol=1e-6
    )


def test_the_spectral_view_is_the_sound_behind_a_fixed_map(spoken):
    learned = Multimodal(PRESETS["ci"], spoken.videos, spoken.sounds)
    view = learned.audio_view(spoken.sounds)
    z = torch.randn(2, PRESETS["ci"].latent_channels, 1, 1, 1)
    assert torch.equal(view.generator(z), learned.spectrum(learned.audio_generator(z)))
    assert torch.equal(view.data, LogSpectrum(256, 80)(spoken.sounds))
    weights = {id(p) for p in view.generator.parameters()}  # type: ignore[attr-defined]
    assert weights == {id(p) for p in learned.audio_generator.parameters()}


def test_still_takes_out_the_mean_frame_and_puts_the_mean_of_all_back(spoken):
    learned = Multimodal(PRESETS["ci"], spoken.videos, spoken.sounds)
    view = learned.video_view(spoken.videos)
    back = view.data + spoken.videos.mean(2, keepdim=True)
    inside = view.data.abs() < 1  # a dark gap in pale skin differs by more than the range holds
    assert inside.float().mean() > 0.99
    assert torch.allclose(back[inside], spoken.videos[inside], atol=1e-6)
    assert torch.allclose(learned.face[:, 0], spoken.videos.mean((0, 2)), atol=1e-6)
    brighter = learned.video_view(spoken.videos * 0.5 + 0.1)
    assert torch.allclose(brighter.data[inside], 0.5 * view.data[inside], atol=1e-6)


def test_presets_say_what_they_change():
    assert PRESETS["paper"].differs_from_paper() == {}
    changed = PRESETS["book"].differs_from_paper()
    assert changed["spectral"] == (True, False)
    assert changed["still"] == (True, False)
    assert (PRESETS["paper"].steps, PRESETS["paper"].predict_step) == (200, 0.1)


def test_what_still_takes_out_stays_out_of_predictions(spoken):
    learned = Multimodal(PRESETS["ci"], spoken.videos, spoken.sounds)
    motion = learned.video_of(torch.randn(2, 3, PRESETS["ci"].latent_channels, 1, 1, 1))
    motion = motion - learned.face
    assert motion.abs().max() > 1e-3
    assert motion.mean(2).abs().max() < 1e-5  # the mean frame is the face


def test_gain_scales_the_predicted_motion(spoken):
    learned = Multimodal(PRESETS["ci"], spoken.videos, spoken.sounds)
    z = torch.randn(2, 3, PRESETS["ci"].latent_channels, 1, 1, 1)
    moved = {}
    for gain in (0.5, 1.0):
        learned.preset = replace(PRESETS["ci"], gain=gain)
        moved[gain] = learned.video_of(z) - learned.face
    inside = (moved[1.0] + learned.face).abs() < 1
    assert torch.allclose(moved[0.5][inside], moved[1.0][inside] / 2, atol=1e-5)
    assert moved[1.0].abs().max() > 1e-3


def test_chains_start_at_the_nearest_known_clips_one_from_each(spoken):
    preset = replace(PRESETS["ci"], latent_channels=5, known_starts=3, steps=0, draws=1)
    learned = Multimodal(preset, spoken.videos, spoken.sounds)
    view = learned.audio_view(spoken.sounds[:2])
    z = learned.infer(view)
    assert z.shape == (3, 2, 5, 1, 1, 1)
    with torch.no_grad():
        made = view.generator(learned.run.z)
    for n in range(2):
        apart = (made - view.data[n]).flatten(1).norm(dim=1)
        order = apart.argsort()[:3]
        assert torch.equal(z[:, n], learned.run.z[order])
    learned.preset = replace(preset, known_starts=50)
    assert len(learned.infer(view)) == len(spoken)  # there are no more


def test_a_price_gives_a_softer_sound_of_the_mean_levels(spoken):
    learned = Multimodal(replace(PRESETS["ci"], price=None), spoken.videos, spoken.sounds)
    z = torch.randn(3, 2, PRESETS["ci"].latent_channels, 1, 1, 1)
    with torch.no_grad():
        draws = torch.stack([learned.audio_generator(one) for one in z])
    assert torch.allclose(learned.sound_of(z), draws.mean(0), atol=1e-6)
    loud = {}
    for price in (0.0, 3000.0):
        learned.preset = replace(learned.preset, price=price)
        loud[price] = float(learned.sound_of(z).abs().mean())
    assert loud[3000.0] < loud[0.0]
    levels = torch.stack([learned.spectrum(one) for one in draws]).mean(0)
    learned.preset = replace(learned.preset, price=0.0)
    off = (learned.spectrum(learned.sound_of(z)) - levels).abs().mean() * 40
    assert off < (learned.spectrum(draws.mean(0)) - levels).abs().mean() * 40


def test_clips_of_another_size_are_refused(spoken):
    with pytest.raises(ValueError, match="this preset learns from"):
        PRESETS["paper"].start(spoken.videos, spoken.sounds)


@pytest.mark.slow
def test_the_experiment_fills_every_row_and_goes_on(tmp_path, capsys):
    out = tmp_path / "multimodal.json"
    command = ["multimodal", "--preset", "ci", "--takes", "1", "--seeds", "1", "--out", str(out)]
    assert main([*command, "--methods", "mean", "silence"]) == 0
    assert main(command) == 0
    assert "seed=0" not in capsys.readouterr().err
    record = json.loads(out.read_text())
    for method in experiment.METHODS:
        rows = [row for row in record["rows"] if row["method"] == method]
        assert len(rows) == (10 if method == "silence" else 20)
        for row in rows:
            other = {"V->A": "log_spectral_distance", "A->V": "lip_correlation"}[row["direction"]]
            assert row["error"] > 0
            assert row["seed"] == 0
            assert isinstance(row[other], float)
    assert {row["phrase"] for row in record["rows"]} == set(speech.PHRASES)
    assert main([*command, "--takes", "2"]) == 2  # other settings, the same file


def test_training_and_new_speakers_are_others_in_every_seed():
    sets = [set(part) for seed in range(4) for part in speakers_of(seed)]
    assert [len(part) for part in sets] == [10, 3] * 4
    assert len(set().union(*sets)) == 52


def test_the_papers_table_is_quoted_as_printed():
    import csv
    from pathlib import Path

    path = Path(__file__).resolve().parents[3] / "shared/paper/tables/table4_multimodal.csv"
    if not path.exists():
        pytest.skip("the paper's tables are not beside the project")
    with path.open() as file:
        for row in list(csv.reader(file))[1:]:
            assert experiment.PAPER[row[0]][row[1]] == tuple(float(x) for x in row[2:])
