"""Tables 2 and 3: six methods on one generator, and an equal budget for each.

The paper's ABP starts its chains at the prior. LI-ABP starts them at f(I; V), and of the cheap f
used here that is at principal components, before it has learned anything. What those starts give
by themselves is told apart by a sixth method, ABP + components: they are all it adds to ABP.

A method is trained for so many seconds of processor time, or for so many updates of the generator.
The learning rate falls with the share of the budget that is spent, whichever it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from abplib import presets
from abplib.abp import ABP
from abplib.baselines.gan import GAN, GANSettings
from abplib.baselines.interpolation import linear_in_time
from abplib.baselines.vae import VAE
from abplib.baselines.wake_sleep import WakeSleep
from abplib.component_encoder import ComponentEncoder, GaussianComponentEncoder
from abplib.experiments.segments import MASKS, Plan
from abplib.generators import SpatialTemporalGenerator
from abplib.inference_nets import Encoder, GaussianEncoder
from abplib.li_abp import LearnedInit, LearnedInitABP
from abplib.posterior import View
from abplib.presets import Model3Preset
from abplib.starts import component_scores


@dataclass(frozen=True)
class Recipe:
    """Every number of a table.

    Args:
        model: Model-3, and how its chains and weights move.
        plan: footage and segments.
        seconds: of processor time that a method may learn in the table of equal seconds.
        updates: of the generator, in the table of equal updates.
        steps: Langevin steps at testing time (the paper: 200).
        step_size: delta at testing time (the paper: 0.05).
        chains: a video, at testing time; the paper's answer is the first one's last draw.
        every: take every so many of a chain's steps into the posterior mean.
        sweeps: of the iterative imputation of 3D VAE and 3D WS.
        learned: LI-ABP's learned initialisation.
        mirror: whether the networks that infer, of LI-ABP, 3D VAE and 3D WS, are the generator's
            mirror, as in the paper, or else `abplib.component_encoder`'s, which cost little and
            start where ABP's chains start.
        gan: 3D GAN's settings; its budget is the table's.
    """

    model: Model3Preset
    plan: Plan
    seconds: float = 7.0
    updates: int = 150
    steps: int = 200
    step_size: float = 0.05
    chains: int = 1
    every: int = 5
    sweeps: int = 10
    learned: LearnedInit = field(default_factory=LearnedInit)
    mirror: bool = True
    gan: GANSettings = field(default_factory=GANSettings)


_MODEL = replace(presets.MODEL3["book"], width=0.25, sigma=0.5, step_size=0.05, moments=0.0)
_PAPER = replace(presets.MODEL3["paper"], latent_channels=100, sigma=0.5)
_LEARNED = LearnedInit(
    learning_rate=1e-3,
    dreams=1,
    dream_masks=("all", *MASKS),
    near=True,
    teach=True,
    warm_up=1.0,
    every=None,
    solve=24,
)
_BOOK = Recipe(
    _MODEL,
    Plan(),
    seconds=9.0,
    steps=30,
    step_size=0.1,
    every=3,
    learned=_LEARNED,
    mirror=False,
    gan=GANSettings(width=0.25, batch_size=4),
)

RECIPES: dict[str, Recipe] = {
    "ci": replace(
        _BOOK,
        model=replace(_MODEL, size=16, width=0.0625, latent_channels=6),
        plan=Plan(size=16, learn=6, aside=2, test=2, hop=8),
        seconds=0.2,
        updates=4,
        steps=10,
        sweeps=2,
        gan=GANSettings(width=0.0625, batch_size=4),
    ),
    "book": _BOOK,
    "paper": Recipe(_PAPER, Plan(frames=32, size=64, hop=32), updates=500),
}
"""Table 2's numbers by preset; "paper" as far as section 4.2 gives them."""


def start(
    method: str, recipe: Recipe, videos: Tensor, observed: Tensor | None = None, seed: int = 0
) -> Any:
    """A method, ready to learn: an object with `iterate`, as `abplib.ABP` has it.

    Args:
        method: a key of `METHODS`.
        recipe: see `Recipe`.
        videos: (N, 3, T, H, W) in [-1, 1].
        observed: bool, broadcastable to the videos; None: everywhere.
        seed: of first weights, draws, and the order of the videos.

    Raises:
        ValueError: for an unknown method, and 3D GAN with hidden pixels.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; expected one of {', '.join(METHODS)}")
    network = recipe.model.generator(seed).to(videos.device)
    if recipe.model.mean_bias:
        network.start_at_mean(videos, observed)
    view = View(network, videos, observed, recipe.model.sigma, recipe.model.weight)
    return METHODS[method](recipe, view, network, seed)


def _abp(recipe: Recipe, view: View, network: SpatialTemporalGenerator, seed: int) -> ABP:
    return ABP([view], _shape(view, network), recipe.model.settings(), seed)


def _components(recipe: Recipe, view: View, network: SpatialTemporalGenerator, seed: int) -> ABP:
    return ABP([view], _codes(recipe, view, network, seed), recipe.model.settings(), seed)


def _li_abp(
    recipe: Recipe, view: View, network: SpatialTemporalGenerator, seed: int
) -> LearnedInitABP:
    learned = recipe.learned
    codes: Tensor | Sequence[int] = _shape(view, network)
    if view.observed is not None and learned.dream_masks:  # Table 3: its answer is the chains
        learned = replace(learned, dream_masks=("own",), jump=True)
    encoder: nn.Module
    if recipe.mirror:
        learned = replace(learned, solve=0)
        encoder = Encoder(network, mask_channel=bool(learned.dream_masks), seed=seed)
    else:
        d = recipe.model.latent_channels
        encoder = ComponentEncoder(_interpolated(view), d, seed=seed)
        codes = encoder.scores(_interpolated(view))
    settings = recipe.model.settings()
    return LearnedInitABP([view], codes, settings, seed, network=encoder, learned=learned)


def _vae(recipe: Recipe, view: View, network: SpatialTemporalGenerator, seed: int) -> VAE:
    encoder = _gaussian(recipe, view, network, seed)
    return VAE(view, _shape(view, network), recipe.model.settings(), seed, network=encoder)


def _ws(recipe: Recipe, view: View, network: SpatialTemporalGenerator, seed: int) -> WakeSleep:
    encoder, settings = _gaussian(recipe, view, network, seed), recipe.model.settings()
    own = () if view.observed is None else ("own",)
    return WakeSleep(
        view, _shape(view, network), settings, seed, network=encoder, noise=False, dream_masks=own
    )


def _gaussian(
    recipe: Recipe, view: View, network: SpatialTemporalGenerator, seed: int
) -> nn.Module:
    """q(Z | I; V) of 3D VAE and 3D WS: the mirror, or from the components that ABP starts at."""
    if recipe.mirror:
        return GaussianEncoder(network, mask_channel=view.observed is not None, seed=seed)
    clips = _interpolated(view)
    return GaussianComponentEncoder(clips, recipe.model.latent_channels, seed=seed)


def _gan(recipe: Recipe, view: View, network: SpatialTemporalGenerator, seed: int) -> GAN:
    if view.observed is not None:
        raise ValueError("3D GAN infers no latent, so it cannot learn from incomplete videos")
    return GAN(network, view.data, _shape(view, network), recipe.gan, seed)


METHODS: dict[str, Callable[[Recipe, View, SpatialTemporalGenerator, int], Any]] = {
    "3D GAN": _gan,
    "3D VAE": _vae,
    "3D WS": _ws,
    "3D ABP": _abp,
    "ABP + components": _components,
    "LI-ABP": _li_abp,
}
"""The paper's methods, by its names for them, and ABP whose chains start at components."""


def generator_of(run: Any) -> SpatialTemporalGenerator:
    """The generator that a method learns."""
    network = run.views[0].generator if isinstance(run, ABP) else run.generator
    assert isinstance(network, SpatialTemporalGenerator)
    return network


def train(
    run: Any, *, seconds: float | None = None, updates: int | None = None
) -> tuple[float, int]:
    """Iterate until the budget is spent; what comes after the last iteration is part of it.

    Args:
        run: what `start` returned. If it has a method `finish`, as LI-ABP has, that is called at
            the end, and once at the start to see how many seconds to keep for it.
        seconds: of processor time (of wall time on a GPU), or
        updates: of the generator; exactly one of the two.

    Returns:
        Seconds and updates that were spent.

    Raises:
        ValueError: for no budget or two.

    >>> recipe = RECIPES["ci"]
    >>> run = start("3D ABP", recipe, torch.zeros(8, 3, 16, 16, 16))
    >>> train(run, updates=2)[1]
    2
    """
    if (seconds is None) == (updates is None):
        raise ValueError("pass seconds or updates, and not both")
    on_cpu = next(generator_of(run).parameters()).device.type == "cpu"
    clock = time.process_time if on_cpu else time.perf_counter
    settings, began, done = run.settings, clock(), 0
    finish: Callable[[], None] = getattr(run, "finish", lambda: None)
    if seconds is not None and hasattr(run, "finish"):
        before, start_of_finish = run.state(), clock()
        finish()
        seconds -= clock() - start_of_finish
        run.restore(before)
    spent = clock() - began
    while done < updates if updates is not None else spent < (seconds or 0):
        if updates is not None:
            total = updates
        else:  # as many as the pace so far allows: the rate follows the share that is spent
            total = round(done * (seconds or 0) / spent) if done else 10**9
        run.settings = replace(settings, iterations=max(total, done + 1))
        run.iterate()
        done, spent = done + 1, clock() - began
    finish()
    run.settings = replace(settings, iterations=max(1, done))
    return clock() - began, done


def _shape(view: View, network: SpatialTemporalGenerator) -> Sequence[int]:
    t, h, w = view.data.shape[2:]
    return network.latent_shape(t, h, w)


def _codes(
    recipe: Recipe, view: View, network: SpatialTemporalGenerator, seed: int
) -> Tensor | Sequence[int]:
    """Where chains start: at components of the videos, or at the prior."""
    d, n = recipe.model.latent_channels, len(view.data)
    there = min(d, n - 1)
    if there < 1:
        return _shape(view, network)
    random = torch.Generator().manual_seed(seed)
    codes = torch.randn(n, d, 1, 1, 1, generator=random).to(view.data)
    scores = component_scores(_interpolated(view).flatten(1), there)
    codes[:, : scores.shape[1], 0, 0, 0] = scores
    return codes


def _interpolated(view: View) -> Tensor:
    """The videos, hidden pixels interpolated in time."""
    return view.data if view.observed is None else linear_in_time(view.data, view.observed)
