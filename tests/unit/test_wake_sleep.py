"""3D wake-sleep: the PPCA maximum, what each phase trains, dreams with masks, resume."""

import pytest
import torch

from abplib import dreams
from abplib.abp import Settings
from abplib.baselines.wake_sleep import WakeSleep
from abplib.generators import Model3
from abplib.inference_nets import GaussianEncoder
from abplib.posterior import View
from tests.unit import linear_case
from tests.unit.linear_case import SIGMA


def test_linear_wake_sleep_reaches_the_ppca_maximum():
    """As the VAE does: q is diagonal, and the loading's columns turn until the posterior is.

    No bound is followed here, so nothing promises it in general; on this model both phases have
    the maximum likelihood as their common fixed point.
    """
    x = linear_case.data()
    g = linear_case.generator()
    view = View(g, x, sigma=SIGMA, bounded=False)
    run = WakeSleep(view, (2,), Settings(iterations=2000, learning_rate=0.02, decay=0.3))
    tail = []
    run.fit(progress=False, callback=lambda r: tail.append(g.loading.detach().clone()))
    best = linear_case.maximum(x)
    reached = sum(linear_case.log_likelihood(a, x) for a in tail[-50:]) / 50
    assert best - linear_case.log_likelihood(torch.zeros(6, 2).double(), x) > 1
    assert 0 <= best - reached < 0.01
    mean, covariance = linear_case.posterior(g.loading.detach(), x)
    torch.testing.assert_close(run.encode(x)[0], mean, rtol=0, atol=0.06)
    exact = covariance[0].diagonal().expand_as(mean)
    torch.testing.assert_close(run.encode(x)[1].exp(), exact, rtol=0.25, atol=0)


def test_sleep_alone_finds_the_posteriors_mean_and_variances():
    """W held still and not orthogonal: q becomes the posterior's marginals, not its modes' shape.

    Sleep lowers KL(p || q), so the diagonal q has the true marginal variances. A VAE's, which
    lowers KL(q || p), would have the smaller 1 / diagonal of the precision.
    """
    source = torch.Generator().manual_seed(2)
    loading = torch.randn(6, 2, generator=source, dtype=torch.float64)
    loading[:, 1] += 1.5 * loading[:, 0]
    x = linear_case.data()
    view = View(linear_case.generator(loading), x, sigma=SIGMA, bounded=False)
    run = WakeSleep(view, (2,), Settings(iterations=1500, learning_rate=0.02, decay=0.3))
    for k in range(1500):
        for group in run.network_optimizer.param_groups:
            group["lr"] = run.settings.rate(k)
        run.sleep(256)
    made = torch.randn(400, 2, generator=source).double() @ loading.T
    mean, covariance = linear_case.posterior(loading, made)
    found, log_variance = run.encode(made)
    torch.testing.assert_close(found, mean, rtol=0, atol=0.06)
    marginal = covariance[0].diagonal()
    conditional = 1 / torch.linalg.inv(covariance[0]).diagonal()
    assert (marginal > 1.3 * conditional).all()  # the two answers can be told apart
    torch.testing.assert_close(log_variance.exp().mean(0), marginal, rtol=0.15, atol=0)


# --- on videos --------------------------------------------------------------------------------


def clips(n=6):
    t, y, x = torch.meshgrid(*[torch.arange(16.0)] * 3, indexing="ij")
    made = [torch.sin(0.4 * (x + y) + (0.3 + 0.1 * i) * t + i) for i in range(n)]
    return 0.8 * torch.stack(made)[:, None].expand(n, 3, 16, 16, 16)


def masks():
    return torch.rand(6, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0)) > 0.3


def small(seed=0, masked=False, data=None, iterations=6, mask_channel=False, **options):
    torch.manual_seed(0)
    g = Model3(4, frame_size=(16, 16), frames=16, width=1 / 32, norm="none", slope=0.2)
    view = View(g, clips() if data is None else data, masks() if masked else None, sigma=0.3)
    settings = Settings(iterations=iterations, learning_rate=2e-3, batch_size=3, decay=0.5)
    network = GaussianEncoder(g, mask_channel=mask_channel, norm="none")
    return WakeSleep(view, (4, 1, 1, 1), settings, seed, network=network, **options)


def copies(module):
    return [p.clone() for p in module.parameters()]


def moved(before, module):
    return [not torch.equal(p, q) for p, q in zip(before, module.parameters(), strict=True)]


def test_wake_trains_the_generator_alone_and_sleep_the_encoder_alone():
    run = small()
    for optimizer in (run.optimizer, run.network_optimizer):
        optimizer.param_groups[0]["lr"] = 1e-3
    g, q = copies(run.generator), copies(run.network)
    run.wake(run.view)
    assert all(moved(g, run.generator))
    assert not any(moved(q, run.network))
    assert all(p.grad is None for p in run.network.parameters())
    g = copies(run.generator)
    for p in run.generator.parameters():
        p.grad = None
    run.sleep(4)
    assert all(moved(q, run.network))
    assert not any(moved(g, run.generator))
    assert all(p.grad is None and p.requires_grad for p in run.generator.parameters())


def test_learning_lowers_both_phases_losses():
    run = small(iterations=200)
    z = dreams.latents((100, 4, 1, 1, 1), torch.Generator().manual_seed(3))
    run.fit(progress=False)
    first, last = run.history[:10], run.history[-10:]
    assert sum(h["error"] for h in last) < 0.8 * sum(h["error"] for h in first)
    assert sum(h["sleep"] for h in last) < sum(h["sleep"] for h in first)
    video, _ = dreams.Dreams(run.view).draw(z, torch.Generator().manual_seed(4))
    guess, _ = run.encode(video)
    assert float((guess - z).square().mean()) < 0.9  # 1 is knowing nothing


@pytest.mark.parametrize("sample", [True, False])
def test_hidden_pixels_have_no_influence(sample):
    hidden = torch.where(masks(), clips(), torch.full((), torch.nan))
    options = {"masked": True, "mask_channel": True, "dream_masks": ("own",), "sample": sample}
    a, b = small(**options), small(data=hidden, **options)
    assert a.fit(progress=False) == b.fit(progress=False)
    assert torch.equal(a.impute(clips(), masks()), b.impute(hidden, masks()))


def test_resume_goes_on_exactly():
    options = {"masked": True, "dream_masks": ("own", "M0.5")}
    whole, first, second = small(**options), small(**options), small(seed=9, **options)
    whole.fit(progress=False)
    for _ in range(3):
        first.iterate()
    second.restore(first.state())
    second.fit(progress=False)
    assert second.history == whole.history
    assert not any(moved(copies(whole.network), second.network))
    assert not any(moved(copies(whole.generator), second.generator))


def test_own_masks_must_exist():
    with pytest.raises(ValueError, match="has no masks"):
        small(dream_masks=("own",))
