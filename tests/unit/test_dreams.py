"""Dreams: their moments on a linear model, their masks, and where their latents lie."""

import pytest
import torch

from abplib import dreams, masks
from abplib.dreams import Dreams
from abplib.generators import LinearGenerator, Model3
from abplib.posterior import View


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_dreams_of_a_linear_model_have_its_marginal_covariance():
    loading = torch.tensor([[1.0, 0.0], [0.5, -1.0], [0.0, 2.0]])
    view = View(LinearGenerator(loading), torch.zeros(1, 3), sigma=0.6, weight=4.0)
    z = dreams.latents((40_000, 2), random())
    video, observed = Dreams(view).draw(z, random(1))
    assert observed is None
    assert not video.requires_grad
    expected = loading @ loading.T + 0.6**2 / 4 * torch.eye(3)
    # an entry's standard error is at most sqrt(2) 4 / sqrt(40000) = 0.03; four of them
    torch.testing.assert_close(torch.cov(video.T), expected, rtol=0, atol=0.12)
    clean, _ = Dreams(view, noise=False).draw(z, random(1))
    torch.testing.assert_close(clean, z @ loading.T)


def small_view(observed: torch.Tensor | None = None) -> View:
    generator = Model3(4, frame_size=(16, 16), frames=16, width=1 / 32)
    return View(generator, torch.zeros(5, 3, 16, 16, 16), observed)


def test_every_kind_of_mask_is_drawn():
    own = masks.frames_missing((1, 16, 16, 16), range(4))
    view = small_view(own)
    source = Dreams(view, ("all", "own", "M0.5", "B35"))
    _, observed = source.draw(dreams.latents((40, 4, 1, 1, 1), random()), random(1))
    assert observed is not None
    assert observed.shape == (40, 1, 16, 16, 16)
    share = observed.float().mean((1, 2, 3, 4))
    block = masks.named("B35", (1, 16, 16, 16)).float().mean()
    kinds = [share == 1.0, (observed == own).flatten(1).all(1), share == 0.5, share == block]
    assert all(5 <= int(kind.sum()) <= 20 for kind in kinds)  # 10 expected, spread sqrt(7.5)
    assert sum(int(kind.sum()) for kind in kinds) == 40
    scattered = observed[kinds[2]]
    assert not torch.equal(scattered[0], scattered[1])  # each dream has its own
    again = source.draw(dreams.latents((40, 4, 1, 1, 1), random()), random(1))[1]
    assert torch.equal(again, observed)


def test_masks_of_plain_vectors_are_the_views_own():
    seen = torch.tensor([[True, False, True], [False, True, True]])
    view = View(LinearGenerator(torch.eye(3, 2)), torch.zeros(2, 3), seen)
    _, observed = Dreams(view, ("own",)).draw(torch.zeros(50, 2), random())
    assert all(any(torch.equal(row, mask) for mask in seen) for row in observed)
    assert len(observed.unique(dim=0)) == 2


def test_latents_near_the_chains_go_from_them_to_the_prior():
    chains = torch.full((3, 4), 3.0)
    z = dreams.latents((20_000, 4), random(), near=chains)
    # r uniform: E[sqrt(1 - r^2)] = pi / 4, and the rest has variance E[r^2] + 9 Var[sqrt(1 - r^2)]
    assert float(z.mean()) == pytest.approx(3 * torch.pi / 4, abs=0.05)
    variance = 1 / 3 + 9 * (2 / 3 - (torch.pi / 4) ** 2)
    assert float(z.var()) == pytest.approx(variance, rel=0.03)
    assert dreams.latents((2, 1), random(), dtype=torch.float64).dtype == torch.float64


def test_dreaming_leaves_weights_and_statistics_alone():
    view = small_view()
    before = {k: v.clone() for k, v in view.generator.state_dict().items()}
    Dreams(view).draw(dreams.latents((4, 4, 1, 1, 1), random()), random())
    assert all(torch.equal(before[k], v) for k, v in view.generator.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in view.generator.parameters())


def test_own_masks_must_exist():
    with pytest.raises(ValueError, match="has no masks"):
        Dreams(small_view(), ("own",))
    with pytest.raises(ValueError, match="there is no mask 'P99'"):
        Dreams(small_view(), ("P99",)).draw(torch.zeros(2, 4, 1, 1, 1), random())
