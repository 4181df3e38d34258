"""Learned initialisation: Algorithm 1 with its optional parts (section 3.3), LI-ABP.

    start:   Z_i = f(I_i; V),                    then Langevin dynamics as before (eq. 4)
    V step:  lower R(V) = sum ||Z~ - f(I~; V)||^2   over dreams (Z~, I~) ~ p(Z) p(I | Z; W)

The network f only says where the chains start. What is inferred is still a draw of the chain, so a
poor f costs time, and does not bias what is learned once the chains are long enough.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from abplib import dreams
from abplib.abp import ABP
from abplib.inference_nets import Encoder
from abplib.posterior import energy, frozen
from abplib.recover import recover


@runtime_checkable
class LinearStart(Protocol):
    """What "solve" and "jump" ask of f: a part linear in scores, as of a `ComponentEncoder`."""

    def scores(self, video: Tensor, observed: Tensor | None = None) -> Tensor:
        """What f is linear in: (N, d, ...)."""

    def guess(self, scores: Tensor) -> Tensor:
        """f of videos with these scores: (N, d, ...)."""

    def solve(self, scores: Tensor, latents: Tensor) -> None:
        """Set the linear part to the least squares of latents on scores."""


@dataclass(frozen=True)
class LearnedInit:
    """What section 3.3 leaves open. The defaults are the paper's, as far as it says.

    Args:
        learning_rate: of V's Adam; None: that of W. It falls as W's does (`Settings.decay`).
        dreams: their number in an iteration (the paper's n~); None: as many as training videos.
        noise: dreams have the noise of eq. 1; see `abplib.dreams.Dreams`.
        dream_masks: hide pixels of the dreams, so that f learns to guess from incomplete videos;
            names as for `abplib.dreams.Dreams`. Empty: all is seen.
        near: dream on the way from the prior to the chains of the training videos (see
            `abplib.dreams.latents`), not of the prior alone.
        persistent: start each chain at the better of f(I; V) and where the chain stood, by energy.
        teach: let the chains teach too: f also learns (Z_i, I_i) of the training videos.
        warm_up: fraction of the iterations in which chains go on from where they stood, as without
            f, while f already learns from dreams.
        every: learn f in one of so many iterations only, for its step costs as much as W's; None:
            in none of them.
        solve: number of dreams from which `LearnedInitABP.finish` sets the linear part of f, in
            closed form; with "teach" the training videos' chains are as many pairs more. 0: it
            does not. Needs a network with a linear part, `abplib.component_encoder`.
        jump: at the end (`LearnedInitABP.finish`), a chain goes to f(I; V) where the energy there
            is lower than where it stands.
    """

    learning_rate: float | None = None
    dreams: int | None = None
    noise: bool = True
    dream_masks: tuple[str, ...] = ()
    near: bool = False
    persistent: bool = False
    teach: bool = False
    warm_up: float = 0.0
    every: int | None = 1
    solve: int = 0
    jump: bool = False

    def __post_init__(self) -> None:
        if self.dreams is not None and self.dreams < 1:
            raise ValueError(f"dreams is {self.dreams}; expected at least 1, or None")
        if not 0 <= self.warm_up <= 1:
            raise ValueError(f"warm_up is {self.warm_up}; expected a fraction, from 0 to 1")
        if self.every is not None and self.every < 1:
            raise ValueError(f"every is {self.every}; expected at least 1, or None")
        if self.solve == 1 or self.solve < 0:
            raise ValueError(f"solve is {self.solve}; expected 2 dreams or more, or 0")


@dataclass
class LearnedInitABP(ABP):
    """Algorithm 1 with a learned initialisation of its chains; used as `ABP` is.

    Args:
        views, latents, settings, seed: see `ABP`; one view. The chains given as `latents` are
            where "persistent" and "near" begin.
        network: f(I; V), called as network(video, observed); None: the generator's mirror,
            `Encoder(generator)`. Trained in place.
        learned: see `LearnedInit`.

    Raises:
        ValueError: for more than one view, and a network whose output is no latent.

    >>> from abplib.abp import Settings
    >>> from abplib.generators import LinearGenerator
    >>> from abplib.posterior import View
    >>> view = View(LinearGenerator(torch.eye(3, 2)), torch.zeros(5, 3))
    >>> run = LearnedInitABP([view], (2,), Settings(iterations=2))
    >>> sorted(run.fit(progress=False)[-1])
    ['error', 'initialiser', 'iteration', 'latent_rms']
    """

    network: nn.Module | None = None
    learned: LearnedInit = field(default_factory=LearnedInit)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.views) != 1:
            raise ValueError(f"there are {len(self.views)} views; a learned start reads one")
        (view,) = self.views
        if self.network is None:
            assert isinstance(view.generator, nn.Module), "pass a network for a bare function"
            self.network = Encoder(view.generator, seed=self.seed)
        self._network: nn.Module = self.network
        self._scores: Tensor | None = None  # of the training videos, which stay the same
        if self.learned.solve or self.learned.jump:
            if not isinstance(self.network, LinearStart):
                raise ValueError("solve and jump need a linear part in f, as of a ComponentEncoder")
            self._scores = self.network.scores(view.data, view.observed)
        self._latest = 1.0  # R(V) of an f that knows nothing, until f has learned once
        self._dreams = dreams.Dreams(view, self.learned.dream_masks, self.learned.noise)
        device = view.data.device
        self.dream_random = torch.Generator(device=device).manual_seed(self.seed + 1)
        few = view.select(torch.arange(min(2, self.n), device=device))
        guess = self.initialise(few.data, few.observed)
        if guess.shape[1:] != self.z.shape[1:]:
            raise ValueError(
                f"the network makes {tuple(guess.shape[1:])} of a video, its latent is "
                f"{tuple(self.z.shape[1:])}: pass a network of that output"
            )
        betas = (self.settings.beta1, 0.999)
        self.network_optimizer = torch.optim.Adam(self._network.parameters(), betas=betas)

    def initialise(self, data: Tensor, observed: Tensor | None = None) -> Tensor:
        """f(I; V): where chains start, for training or other videos.

        Args:
            data: (N, C, ...) in [-1, 1]; what is hidden may hold anything.
            observed: bool, broadcastable to `data`; None: everywhere.

        Returns:
            (N, d, ...), without a gradient.
        """
        with torch.no_grad(), frozen(self._network):
            return self._network(data, observed)

    def infer(self, index: Tensor) -> Tensor:
        """Inferential step (line 4) from f(I; V); see `ABP.infer`."""
        if self.iteration < self.learned.warm_up * self.settings.iterations:
            return super().infer(index)
        view = self.views[0].select(index)
        start = self.initialise(view.data, view.observed)
        self.z[index] = self._lower(start, index) if self.learned.persistent else start
        return super().infer(index)

    def _lower(self, start: Tensor, index: Tensor) -> Tensor:
        """The start or where the chain stands, whichever has the lower energy."""
        view, here = self.views[0].select(index), self.z[index]
        with torch.no_grad(), frozen(view):
            better = energy(start, view) < energy(here, view)
        return torch.where(better.view(-1, *[1] * (here.ndim - 1)), start, here)

    def finish(self) -> None:
        """After the last iteration: what "solve" and "jump" ask for; see `LearnedInit`."""
        if self._scores is None:
            return
        s, network = self.learned, self._network
        assert isinstance(network, LinearStart)  # as __post_init__ has seen to
        if s.solve:
            near = self.z if s.near else None
            z = dreams.latents((s.solve, *self.z.shape[1:]), self.dream_random, near, self.z.dtype)
            scores, latents = network.scores(*self._dreams.draw(z, self.dream_random)), z
            if s.teach:
                scores, latents = torch.cat([scores, self._scores]), torch.cat([z, self.z])
            network.solve(scores, latents)
        if s.jump:
            with torch.no_grad():
                guess = network.guess(self._scores)
            for index in torch.arange(self.n, device=self.z.device).split(16):
                self.z[index] = self._lower(guess[index], index)

    def learn_initialiser(self, index: Tensor) -> float:
        """One Adam step on V that lowers R(V) (line 5, optional); W stands still.

        Returns:
            R(V) before the step, a mean over dreams and entries of the latent: 1 for an f that
            knows no more than the prior.
        """
        s, network = self.learned, self._network
        shape = (s.dreams or len(index), *self.z.shape[1:])
        near = self.z if s.near else None
        z = dreams.latents(shape, self.dream_random, near, self.z.dtype)
        video, observed = self._dreams.draw(z, self.dream_random)
        error = (network(video, observed) - z).square().mean()
        loss = error
        if s.teach:
            view = self.views[0].select(index)
            seen = view.observed
            if seen is None:
                seen = self._dreams.hide(view.data, self.dream_random)
            loss = loss + (network(view.data, seen) - self.z[index]).square().mean()
        rate = self.settings.rate(self.iteration)
        if s.learning_rate is not None:
            rate *= s.learning_rate / self.settings.learning_rate
        for group in self.network_optimizer.param_groups:
            group["lr"] = rate
        self.network_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.network_optimizer.step()
        return float(error.detach())

    def learn(self, z: Tensor, index: Tensor) -> float:
        """Learning step (line 5), W's and then V's; see `ABP.learn`."""
        error = super().learn(z, index)
        every = self.learned.every
        if every is not None and self.iteration % every == 0:
            self._latest = self.learn_initialiser(index)
        return error

    def iterate(self) -> dict[str, float]:
        """One iteration of Algorithm 1 with its optional parts on the next batch.

        Returns:
            As `ABP.iterate`, and `initialiser`: R(V) as `learn_initialiser` returns it.
        """
        record = super().iterate()
        record["initialiser"] = self._latest
        return record

    def impute(
        self,
        data: Tensor,
        observed: Tensor,
        *,
        steps: int = 200,
        step_size: float | None = None,
        seed: int = 0,
    ) -> Tensor:
        """Recovery at testing time (section 3.4): Langevin dynamics from f(I; V), then G.

        Args:
            data: (N, C, ...) in [-1, 1]; what is hidden may hold anything.
            observed: bool, broadcastable to `data`.
            steps: Langevin steps (the paper: 200); 0: G(f(I; V)) alone.
            step_size: delta; None: that of the settings.
            seed: of the chains' noise.

        Returns:
            (N, C, ...): G(Z) for one draw of Z, at every pixel.

        Raises:
            DivergenceError: if the step is too long; see `abplib.recover.recover`.
        """
        view = self.views[0]
        found = recover(
            view.generator,
            data,
            observed,
            self.initialise(data, observed),
            sigma=view.sigma,
            weight=view.weight,
            steps=steps,
            step_size=self.settings.step_size if step_size is None else step_size,
            chains=1,
            bounded=view.bounded,
            seed=seed,
        )
        return found.draw

    def state(self) -> dict[str, Any]:
        """See `ABP.state`; V and its optimiser as well."""
        weights = {k: v.clone() for k, v in self._network.state_dict().items()}
        return super().state() | {
            "network": weights,
            "network_optimizer": self.network_optimizer.state_dict(),
            "dream_random": self.dream_random.get_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """See `ABP.restore`.

        Raises:
            ValueError: for the state of a run without a network, or with another.
        """
        if "network" not in state:
            raise ValueError("the saved run has no initialisation network: it is one of plain ABP")
        super().restore(state)
        try:
            self._network.load_state_dict(state["network"])
        except RuntimeError as error:
            raise ValueError(f"the saved network is another: {error}") from None
        self.network_optimizer.load_state_dict(state["network_optimizer"])
        self.dream_random.set_state(state["dream_random"])
