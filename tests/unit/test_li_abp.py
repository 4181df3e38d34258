"""Learned initialisation: the V step, its optimum on a linear model, what it leaves alone."""

import re

import pytest
import torch

from abplib import dreams
from abplib.abp import ABP, Settings
from abplib.generators import LinearGenerator, Model3
from abplib.inference_nets import Encoder
from abplib.li_abp import LearnedInit, LearnedInitABP
from abplib.posterior import View, energy
from tests.unit import linear_case


def linear_run(iterations=300, learned=None, observed=None, **settings):
    x = linear_case.data()
    g = linear_case.generator()
    view = View(g, x, observed, sigma=linear_case.SIGMA, bounded=False)
    options = {"langevin_steps": 10, "step_size": 0.1, "learning_rate": 0.02, "decay": 0.3}
    return LearnedInitABP(
        [view],
        torch.zeros(len(x), 2).double(),
        Settings(iterations=iterations, **options | settings),
        learned=learned or LearnedInit(),
    )


def still_run(noise=True, masks=(), observed=None, **learned):
    """A run on a generator that is already right, to train V alone."""
    x = linear_case.data()
    source = torch.Generator().manual_seed(2)
    g = linear_case.generator(torch.randn(6, 2, generator=source, dtype=torch.float64))
    view = View(g, x, observed, sigma=linear_case.SIGMA, bounded=False)
    run = LearnedInitABP(
        [view],
        torch.zeros(len(x), 2).double(),
        Settings(iterations=1500, learning_rate=0.02, decay=0.3),
        network=Encoder(g, mask_channel=bool(masks)),
        learned=LearnedInit(dreams=256, noise=noise, dream_masks=masks, **learned),
    )
    for k in range(1500):
        run.iteration = k
        run.learn_initialiser(torch.arange(len(x)))
    return run, x, g.loading.detach()


# --- what f converges to ----------------------------------------------------------------------


def test_on_noisy_dreams_the_initialiser_becomes_the_posterior_mean():
    run, x, loading = still_run()
    mean, covariance = linear_case.posterior(loading, x)
    # Adam at a twentieth of 0.02 still jitters: a hundredth of the means' spread of about 1
    torch.testing.assert_close(run.initialise(x), mean, rtol=0, atol=0.03)
    expected = float(covariance[0].diagonal().mean())  # R(V) cannot fall below it
    errors = []
    for _ in range(100):
        errors.append(run.learn_initialiser(torch.arange(len(x))))
    assert sum(errors) / 100 == pytest.approx(expected, rel=0.05)


def test_on_clean_dreams_it_becomes_the_inverse_which_is_not_the_posterior_mean():
    run, x, loading = still_run(noise=False)
    inverse = x @ torch.linalg.pinv(loading).T
    clean = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(run.initialise(clean @ loading.T), clean, rtol=0, atol=0.03)
    mean, _ = linear_case.posterior(loading, x)
    assert (run.initialise(x) - mean).abs().mean() > 3 * (inverse - mean).abs().mean() / 4


def test_dreams_with_hidden_pixels_teach_to_guess_from_what_is_seen():
    """A named option, and its effect: the error against the exact masked posterior mean."""
    seen = torch.tensor([[True, True, True, False, False, False]]).expand(400, 6)
    errors = {}
    for masks in ((), ("own",)):
        run, x, loading = still_run(masks=masks, observed=seen)
        mean, _ = linear_case.posterior(loading, x, seen)
        hidden = torch.where(seen, x, torch.full((), torch.nan, dtype=x.dtype))
        guess = run.initialise(hidden, seen)
        errors[masks] = float((guess - mean).square().mean().sqrt())
    assert errors[("own",)] < 0.05  # linear in what is seen, so the mirror can be exact
    assert errors[()] > 5 * errors[("own",)]  # zeros in place of hidden pixels pull to the prior


def test_li_abp_on_a_linear_generator_nears_the_ppca_maximum():
    """Ten steps from f, as in the paper: within 0.03 nats, of the nats between it and nothing."""
    run, tail = linear_run(600), []
    loading = run.views[0].generator.loading
    run.fit(progress=False, callback=lambda r: tail.append(loading.detach().clone()))
    x = linear_case.data()
    best = linear_case.maximum(x)
    reached = sum(linear_case.log_likelihood(a, x) for a in tail[-50:]) / 50
    assert 0 <= best - reached < 0.03
    assert best - linear_case.log_likelihood(torch.zeros(6, 2).double(), x) > 1


# --- one step at a time -----------------------------------------------------------------------


def small(**learned):
    torch.manual_seed(0)
    g = Model3(4, frame_size=(16, 16), frames=16, width=1 / 32, norm="none", slope=0.2)
    t, y, x = torch.meshgrid(*[torch.arange(16.0)] * 3, indexing="ij")
    clips = [torch.sin(0.4 * (x + y) + (0.3 + 0.1 * i) * t + i) for i in range(6)]
    data = 0.8 * torch.stack(clips)[:, None].expand(6, 3, 16, 16, 16)
    observed = torch.rand(6, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0)) > 0.3
    view = View(g, data, observed if learned.pop("masked", False) else None, weight=1 / 16)
    settings = Settings(
        iterations=6, langevin_steps=2, step_size=0.05, learning_rate=2e-3, batch_size=3, decay=0.5
    )
    seed = learned.pop("seed", 0)
    return LearnedInitABP([view], (4, 1, 1, 1), settings, seed, learned=LearnedInit(**learned))


EVERY = {"persistent": True, "near": True, "teach": True, "dream_masks": ("all", "M0.5")}


@pytest.mark.parametrize("learned", [{"noise": False}, EVERY | {"noise": False}])
def test_the_v_step_lowers_r_and_leaves_w_and_the_chains_alone(learned):
    run = small(**learned, dreams=16)
    weights = [p.clone() for p in run.views[0].generator.parameters()]
    chains = run.z.clone()
    near = chains if run.learned.near else None
    z = dreams.latents((200, 4, 1, 1, 1), torch.Generator().manual_seed(5), near)
    fresh = dreams.Dreams(run.views[0], run.learned.dream_masks, noise=False)
    video, observed = fresh.draw(z, torch.Generator().manual_seed(6))
    before = float((run.initialise(video, observed) - z).square().mean())
    for _ in range(150):
        run.learn_initialiser(torch.arange(3))
    assert float((run.initialise(video, observed) - z).square().mean()) < 0.9 * before
    after = run.views[0].generator.parameters()
    assert all(torch.equal(p, q) for p, q in zip(weights, after, strict=True))
    assert all(p.grad is None for p in run.views[0].generator.parameters())
    assert torch.equal(run.z, chains)


def test_the_w_step_and_the_chains_leave_v_alone():
    run = small()
    before = [p.clone() for p in run.network.parameters()]
    index = torch.arange(3)
    ABP.learn(run, run.infer(index), index)
    assert all(torch.equal(p, q) for p, q in zip(before, run.network.parameters(), strict=True))
    assert all(p.grad is None for p in run.network.parameters())


def test_chains_start_at_the_guess():
    run = small()
    run.settings = Settings(langevin_steps=0)
    index = torch.tensor([1, 4])
    guess = run.initialise(run.views[0].data)[index]
    torch.testing.assert_close(run.infer(index), guess)
    waiting = small(warm_up=0.5)
    waiting.settings = Settings(langevin_steps=0)
    there = waiting.z.clone()
    assert torch.equal(waiting.infer(index), there[index])


def test_persistent_chains_start_at_the_better_place():
    run = small(persistent=True)
    run.settings = Settings(langevin_steps=0)
    view = run.views[0]
    guess, there = run.initialise(view.data), run.z.clone()
    with torch.no_grad():
        better = energy(guess, view) < energy(there, view)
    found = run.infer(torch.arange(6))
    for k in range(6):
        torch.testing.assert_close(found[k], guess[k] if better[k] else there[k])


def test_inline_algorithm_equals_the_library():
    """Algorithm 1 with its optional parts, written out; the same latents and weights."""
    library = small()
    data, sigma2 = library.views[0].data, 16.0  # weight 1/16
    twin = small()
    g, f = twin.views[0].generator, twin.network
    random, asleep = torch.Generator().manual_seed(0), torch.Generator().manual_seed(1)
    torch.randn(6, 4, 1, 1, 1, generator=random)  # where ABP's chains would have started
    adam = torch.optim.Adam(g.parameters(), betas=(0.5, 0.999))
    adam_v = torch.optim.Adam(f.parameters(), betas=(0.5, 0.999))
    for t in range(4):
        index, rate = library.next_batch(), library.settings.rate(t)
        x = data[index]
        z = f(x).detach()
        for _ in range(2):
            z.requires_grad_(True)
            u = (x - g(z)).square().sum() / 2 / sigma2 + z.square().sum() / 2
            (gradient,) = torch.autograd.grad(u, z)
            noise = torch.randn(z.shape, generator=random)
            z = z.detach() - 0.05**2 / 2 * gradient + 0.05 * noise
        adam.param_groups[0]["lr"] = adam_v.param_groups[0]["lr"] = rate
        adam.zero_grad()
        ((x - g(z)).square().flatten(1).sum(1) / 2 / sigma2).mean().backward()
        adam.step()
        dream = torch.randn(3, 4, 1, 1, 1, generator=asleep)
        with torch.no_grad():
            video = g(dream)
            video = video + sigma2**0.5 * torch.randn(video.shape, generator=asleep)
        adam_v.zero_grad()
        (dream - f(video)).square().mean().backward()
        adam_v.step()
    library = small()
    for _ in range(4):
        library.iterate()
    # the same operations; only the order of a factor may differ
    for ours, theirs in ((g, library.views[0].generator), (f, library.network)):
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-4)


# --- the loop ---------------------------------------------------------------------------------


@pytest.mark.parametrize("learned", [{}, EVERY | {"masked": True, "dream_masks": ("own", "M0.5")}])
def test_resume_goes_on_exactly(learned):
    whole = small(**learned)
    whole.fit(progress=False)
    first = small(**learned)
    for _ in range(3):
        first.iterate()
    second = small(**learned, seed=9)
    second.restore(first.state())
    second.fit(progress=False)
    assert torch.equal(second.z, whole.z)
    assert second.history == whole.history
    pairs = zip(second.network.parameters(), whole.network.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)


def test_hidden_pixels_have_no_influence():
    runs = [small(masked=True, dream_masks=("own",)) for _ in range(2)]
    view = runs[1].views[0]
    hidden = torch.where(view.observed, view.data, torch.full((), torch.nan))
    spoiled = View(view.generator, hidden, view.observed, weight=view.weight)
    runs[1].views = [spoiled]
    for run in runs:
        run.fit(progress=False)
    assert torch.equal(runs[0].z, runs[1].z)
    seen = view.observed
    a = runs[0].impute(view.data, seen, steps=3, seed=1)
    b = runs[1].impute(hidden, seen, steps=3, seed=1)
    assert torch.equal(a, b)
    assert torch.isfinite(a).all()
    assert torch.equal(a, runs[0].impute(view.data, seen, steps=3, seed=1))
    with torch.no_grad():
        start = runs[0].views[0].generator(runs[0].initialise(hidden, seen))
    assert torch.equal(runs[0].impute(hidden, seen, steps=0), start)


def test_errors_say_what_to_do():
    g = Model3(4, frame_size=(16, 16), frames=16, width=1 / 32, norm="none")
    view = View(g, torch.zeros(2, 3, 16, 16, 16))
    with pytest.raises(ValueError, match="there are 2 views"):
        LearnedInitABP([view, view], (4, 1, 1, 1))
    other = Encoder(Model3(5, frame_size=(16, 16), frames=16, width=1 / 32))
    with pytest.raises(ValueError, match=re.escape("the network makes (5, 1, 1, 1)")):
        LearnedInitABP([view], (4, 1, 1, 1), network=other)
    with pytest.raises(ValueError, match="dreams is 0"):
        LearnedInit(dreams=0)
    with pytest.raises(ValueError, match="warm_up is 2"):
        LearnedInit(warm_up=2.0)
    plain = ABP([view], (4, 1, 1, 1))
    with pytest.raises(ValueError, match="one of plain ABP"):
        LearnedInitABP([view], (4, 1, 1, 1)).restore(plain.state())
    bare = View(LinearGenerator(torch.eye(2)), torch.zeros(3, 2))
    with pytest.raises(ValueError, match="has no masks"):
        LearnedInitABP([bare], (2,), learned=LearnedInit(dream_masks=("own",)))
