"""Canonical correlations: against a model where they are known, and tuned on held-out examples."""

from __future__ import annotations

import pytest
import torch

from abplib.baselines.cca import CCA, GRID, tuned


def pairs(n: int, noise: float = 0.3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Two views (n, 30) and (n, 4, 5) of a latent of two dimensions."""
    random = torch.Generator().manual_seed(7)
    a, b = torch.randn(2, 30, generator=random), torch.randn(2, 20, generator=random)
    random.manual_seed(seed)
    z = torch.randn(n, 2, generator=random)
    views = z @ a, (z @ b)
    given, wanted = (v + noise * torch.randn(v.shape, generator=random) for v in views)
    return given, wanted.reshape(n, 4, 5)


def test_it_predicts_what_the_views_share():
    given, wanted = pairs(300)
    new = pairs(100, seed=1)
    model = CCA.learn(given, wanted, 5, 2)
    error = (model.predict(new[0]) - new[1]).square().mean().sqrt()
    assert model.predict(new[0]).shape == (100, 4, 5)
    assert error < 0.36  # the noise of 0.3 that nothing predicts, and a little


def test_views_that_share_nothing_are_not_predicted_better_than_by_the_mean():
    given, _ = pairs(200, seed=2)
    _, wanted = pairs(200, seed=3)
    there = torch.arange(200) >= 150
    model = tuned(given, wanted, there)
    fresh = pairs(200, seed=4)[1]
    mean = (wanted.mean(0) - fresh).abs().mean()
    assert (model.predict(pairs(200, seed=5)[0]) - fresh).abs().mean() > 0.98 * mean


def test_tuning_chooses_as_many_directions_as_there_are():
    given, wanted = pairs(300, noise=0.5)
    model = tuned(given, wanted, torch.arange(300) >= 200, grid=[(5, 1), (5, 2), (19, 19)])
    assert (model.principal, model.components) == (5, 2)


def test_tuning_is_no_worse_on_the_held_out_than_any_entry():
    given, wanted = pairs(120, noise=2.0)
    held = torch.arange(120) >= 90
    grid = [pair for pair in GRID if pair[0] <= 10]
    best = tuned(given, wanted, held, grid)
    errors = {
        pair: float(
            (CCA.learn(given[~held], wanted[~held], *pair).predict(given[held]) - wanted[held])
            .abs()
            .mean()
        )
        for pair in grid
    }
    assert errors[best.principal, best.components] == min(errors.values())


def test_wrong_numbers_are_refused():
    given, wanted = pairs(20)
    with pytest.raises(ValueError, match="expected pairs"):
        CCA.learn(given[:10], wanted, 2, 1)
    with pytest.raises(ValueError, match="at most 19"):
        CCA.learn(given, wanted, 30, 1)
    with pytest.raises(ValueError, match="canonical and"):
        CCA.learn(given, wanted, 2, 3)
    with pytest.raises(ValueError, match="holds all examples, or none"):
        tuned(given, wanted, torch.zeros(20, dtype=torch.bool))
    with pytest.raises(ValueError, match="no entry of the grid"):
        tuned(given, wanted, torch.arange(20) >= 4, grid=[(10, 1)])
