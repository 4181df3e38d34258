"""Algorithm 1: alternating back-propagation.

Inferential step: langevin() moves the latents of the training videos, weights held still (eq. 4).
Learning step: one gradient step on the weights, latents held still (eq. 5). In turn, to the end.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from abplib.langevin import DivergenceError, curvature, langevin
from abplib.posterior import View, energy, frozen, squared_error
from abplib.priors import Prior

LARGEST_RMS = 10.0  # of latents; the prior's is 1, and a normalisation can hide a chain's escape


@dataclass(frozen=True)
class Settings:
    """What Algorithm 1 leaves open. The defaults are the paper's.

    Args:
        iterations: number of learning iterations T.
        langevin_steps: Langevin steps l of each inferential step.
        step_size: delta of eq. 4.
        learning_rate: of Adam.
        beta1: Adam's first moment decay.
        batch_size: training videos of one iteration; None: all of them.
        decay: fraction of the iterations after which the learning rate falls in a straight line
            to a twentieth; 1 keeps it constant, as in the paper.
        noise: False drops the noise of eq. 4, which turns sampling into gradient descent.
    """

    iterations: int = 500
    langevin_steps: int = 20
    step_size: float = 0.1
    learning_rate: float = 2e-4
    beta1: float = 0.5
    batch_size: int | None = None
    decay: float = 1.0
    noise: bool = True

    def __post_init__(self) -> None:
        if self.iterations < 0 or self.langevin_steps < 0:
            raise ValueError("iterations and langevin_steps must not be below zero")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}; expected at least 1, or None")
        if not 0 < self.decay <= 1:
            raise ValueError(f"decay is {self.decay}; expected a fraction in (0, 1]")

    def rate(self, iteration: int) -> float:
        """Learning rate at an iteration, counted from 0."""
        start = self.decay * self.iterations
        if iteration < start or self.decay == 1.0:
            return self.learning_rate
        left = (self.iterations - iteration) / max(1.0, self.iterations - start)
        return self.learning_rate * (0.05 + 0.95 * left)


class Extra(Protocol):
    """A term beside eq. 5 in the learning step's loss, for instance `abplib.moments`.

    Attributes:
        first: iteration from which on it is there. Adam starts anew at this iteration: the sizes
            of gradients that it has averaged are those of another loss.
    """

    first: int

    def __call__(self, iteration: int, latents: Tensor) -> Tensor:
        """The term, a scalar, at an iteration and with the latents of all examples."""
        ...

    def state(self) -> dict[str, Any]:
        """What `restore` needs, so that a restored run goes on exactly as it would have."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a `state`."""
        ...


@dataclass
class ABP:
    """A run of Algorithm 1 on one or more views that share their latents.

    Args:
        views: what to learn from; each view's data holds the same N examples.
        latents: (N, d, ...) where the chains start, or the shape (d, ...) of one latent, and then
            they start from the prior. Each training video keeps its chain for the whole run.
        settings: see `Settings`.
        seed: of the chains and of the order of the examples. Weights are seeded by whoever
            builds the generator.
        extra: a term that the learning step adds to its loss; see `Extra`. None, as in the paper:
            nothing is added.

    Raises:
        ValueError: if views differ in N, or the latent does not fit the generator.

    >>> generator = nn.Linear(2, 3)
    >>> run = ABP([View(generator, torch.zeros(5, 3))], (2,), Settings(iterations=2))
    >>> sorted(run.fit(progress=False)[-1])
    ['error', 'iteration', 'latent_rms']
    """

    views: Sequence[View]
    latents: Tensor | Sequence[int]
    settings: Settings = field(default_factory=Settings)
    seed: int = 0
    extra: Extra | None = None

    def __post_init__(self) -> None:
        counts = {len(view.data) for view in self.views}
        if len(counts) != 1:
            raise ValueError(f"views hold {sorted(counts)} examples; each must hold the same")
        self.n = counts.pop()
        data = self.views[0].data
        self.random = torch.Generator(device=data.device).manual_seed(self.seed)
        self.order = torch.Generator().manual_seed(self.seed)
        if isinstance(self.latents, Tensor):
            self.z = self.latents.detach().clone()
        else:
            shape = (self.n, *self.latents)
            self.z = torch.randn(shape, generator=self.random, device=data.device)
        if len(self.z) != self.n:
            raise ValueError(f"{len(self.z)} latents for {self.n} examples")
        with torch.no_grad(), frozen(*self.views):
            first = [view.select(torch.arange(1, device=data.device)) for view in self.views]
            energy(self.z[:1], *first)  # complains about shapes before anything is learned
        weights: dict[int, nn.Parameter] = {}
        for view in self.views:
            if isinstance(view.generator, nn.Module):
                weights.update((id(p), p) for p in view.generator.parameters())
        rate, beta1 = self.settings.learning_rate, self.settings.beta1
        self.optimizer = torch.optim.Adam(list(weights.values()), lr=rate, betas=(beta1, 0.999))
        self.iteration = 0
        self.waiting: list[int] = []
        self.history: list[dict[str, float]] = []

    def next_batch(self) -> Tensor:
        """Indices of the next examples, every example once an epoch, in random order."""
        size = min(self.settings.batch_size or self.n, self.n)
        if size == self.n:
            return torch.arange(self.n)
        if len(self.waiting) < size:
            self.waiting = torch.randperm(self.n, generator=self.order).tolist()
        index, self.waiting = self.waiting[:size], self.waiting[size:]
        return torch.tensor(index)

    def infer(self, index: Tensor) -> Tensor:
        """Inferential step (line 4): continue the chains of the examples `index`, eq. 4.

        Raises:
            DivergenceError: with step size, sigma, curvature and remedy.
        """
        views = [view.select(index) for view in self.views]
        start = self.z[index]

        def explain(z: Tensor) -> Tensor:
            return energy(z, *views)

        s = self.settings
        with frozen(*views):
            try:
                if s.noise:
                    steps, size = s.langevin_steps, s.step_size
                    z = langevin(
                        explain,
                        start,
                        steps=steps,
                        step_size=size,
                        generator=self.random,
                        limit=LARGEST_RMS,
                    )
                else:
                    z = descend(explain, start, s.langevin_steps, s.step_size)
            except DivergenceError as error:
                bend = float(curvature(explain, start).max())
                scale = ", ".join(f"sigma={v.sigma} weight={v.weight:.3g}" for v in views)
                raise DivergenceError(
                    f"iteration {self.iteration}: {error} This view has {scale}; the curvature "
                    f"where the chain started this iteration is {bend:.4g}."
                ) from None
        self.z[index] = z
        return z

    def learn(self, z: Tensor, index: Tensor) -> float:
        """Learning step (line 5): one Adam step on every generator's weights, eq. 5.

        Returns:
            Mean squared error of the observed pixels, averaged over views.
        """
        loss, error = torch.zeros((), device=z.device), 0.0
        for view in (view.select(index) for view in self.views):
            squared = squared_error(z, view)
            loss = loss + (view.weight / (2 * view.sigma**2) * squared).mean()
            error += float(squared.detach().sum()) / observed_pixels(view) / len(self.views)
        if self.extra is not None:
            loss = loss + self.extra(self.iteration, self.z)
            if self.iteration == self.extra.first:
                self.optimizer.state.clear()
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate(self.iteration)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return error

    def iterate(self) -> dict[str, float]:
        """One iteration of Algorithm 1 (lines 4 to 6) on the next batch."""
        index = self.next_batch()
        z = self.infer(index)
        error = self.learn(z, index)
        if not error < float("inf"):
            raise DivergenceError(
                f"iteration {self.iteration}: the reconstruction error is {error}: the weights "
                f"diverged; lower learning_rate={self.settings.learning_rate}"
            )
        self.iteration += 1
        rms = float(self.z.square().mean().sqrt())
        record = {"iteration": self.iteration, "error": error, "latent_rms": rms}
        self.history.append(record)
        return record

    def fit(
        self, *, progress: bool = True, callback: Callable[[ABP], None] | None = None
    ) -> list[dict[str, float]]:
        """Iterate until `settings.iterations` are done, from wherever the run stands.

        Args:
            progress: show a bar with reconstruction error, latent rms and seconds left, and print
                `summary` when done; where the environment variable ABPLIB_STATIC is set, the
                summary only.
            callback: called with this run after each iteration.

        Returns:
            The history: one record an iteration, with `error` (mean squared error a pixel) and
            `latent_rms` (1 if the latents fill the prior).
        """
        total, hide = (
            self.settings.iterations,
            not progress or bool(os.environ.get("ABPLIB_STATIC")),
        )
        options: dict[str, Any] = {"file": sys.stdout, "ncols": 88, "leave": False}
        with tqdm(total=total, initial=self.iteration, disable=hide, **options) as bar:
            while self.iteration < total:
                record = self.iterate()
                bar.set_postfix(
                    {"error": f"{record['error']:.4f}", "Z rms": f"{record['latent_rms']:.2f}"}
                )
                bar.update()
                if callback is not None:
                    callback(self)
        if progress and self.history:
            print(self.summary())
        return self.history

    def summary(self) -> str:
        """One line: iterations, rms error a pixel over their last tenth, and the latents' rms."""
        last = self.history[-max(1, len(self.history) // 10) :]
        error = (sum(record["error"] for record in last) / len(last)) ** 0.5
        rms = last[-1]["latent_rms"]
        return f"{self.iteration} iterations: rms error {error:.4f} a pixel, rms of Z {rms:.3f}"

    def reconstruct(self) -> list[Tensor]:
        """G(Z_i) of every example, one tensor a view, by the generators' present mode."""
        with torch.no_grad(), frozen(*self.views):
            return [view.generator(self.z) for view in self.views]

    def state(self) -> dict[str, Any]:
        """All that a later process needs to go on exactly where this one stands."""
        return {
            "latents": self.z.clone(),
            "weights": [{k: v.clone() for k, v in m.state_dict().items()} for m in self._modules()],
            "optimizer": self.optimizer.state_dict(),
            "random": self.random.get_state(),
            "order": self.order.get_state(),
            "waiting": list(self.waiting),
            "iteration": self.iteration,
            "history": list(self.history),
            "extra": {} if self.extra is None else self.extra.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a `state`; the run must have been built from the same views and settings.

        Raises:
            ValueError: if latents or weights have other shapes.
        """
        if state["latents"].shape != self.z.shape:
            raise ValueError(
                f"the saved latents are {tuple(state['latents'].shape)}, this run's "
                f"{tuple(self.z.shape)}: build the run as it was built before"
            )
        for module, weights in zip(self._modules(), state["weights"], strict=True):
            try:
                module.load_state_dict(weights)
            except RuntimeError as error:
                raise ValueError(f"the saved weights are of another generator: {error}") from None
        self.z = state["latents"].clone()
        self.optimizer.load_state_dict(state["optimizer"])
        self.random.set_state(state["random"])
        self.order.set_state(state["order"])
        self.waiting = list(state["waiting"])
        self.iteration = int(state["iteration"])
        self.history = list(state["history"])
        if self.extra is not None:
            self.extra.restore(state["extra"])

    def _modules(self) -> list[nn.Module]:
        return [v.generator for v in self.views if isinstance(v.generator, nn.Module)]


def descend(energy: Callable[[Tensor], Tensor], z: Tensor, steps: int, step_size: float) -> Tensor:
    """Eq. 4 without its noise: gradient descent on the energy, towards a mode of the posterior."""
    z = z.detach().clone()
    for _ in range(steps):
        z.requires_grad_(True)
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(energy(z).sum(), z)
        z = z.detach() - 0.5 * step_size**2 * gradient
    return z


def observed_pixels(view: View) -> int:
    """Number of observed values in a view, all examples and channels together."""
    if view.observed is None:
        return view.data.numel()
    return int(view.observed.expand_as(view.data).sum())


@torch.no_grad()
def synthesise(
    generator: nn.Module,
    latent_shape: Sequence[int],
    n: int = 1,
    *,
    seed: int = 0,
    prior: Prior | None = None,
) -> Tensor:
    """Draw Z from N(0, I) and generate: n new videos (section 4.1).

    Args:
        generator: a learned generator; its statistics stay as they are.
        latent_shape: (d, T0, H0, W0), for instance generator.latent_shape(128, 64, 64).
        n: number of videos.
        seed: of the latents.
        prior: draw Z from this instead; see `abplib.priors`.

    Returns:
        (n, C, T, H, W) in [-1, 1].
    """
    if prior is None:
        random = torch.Generator().manual_seed(seed)
        z = torch.randn((n, *latent_shape), generator=random)
    else:
        z = prior.draw(latent_shape, n, seed=seed)
    device = next(generator.parameters()).device
    with frozen(generator):
        return generator(z.to(device))
