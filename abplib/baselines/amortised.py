"""What 3D VAE and 3D wake-sleep share: a generator, an encoder q(Z | I; V), batches, imputation.

Inference is amortised: one network infers every video's latent, in one pass and without a chain.
For a video with hidden pixels that pass is repeated (Rezende et al. 2014): encode the completed
video, decode, put the decoded pixels where pixels are hidden, and again.
"""

from __future__ import annotations

import math
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from abplib.abp import Settings, observed_pixels
from abplib.inference_nets import GaussianEncoder
from abplib.langevin import DivergenceError
from abplib.posterior import View, frozen, squared_error


@dataclass
class Amortised(ABC):
    """A generator and an encoder, learned together. Use `VAE` or `WakeSleep`.

    Args:
        view: what to learn from, and the generator to learn, as for `abplib.ABP`.
        latent_shape: (d, ...) of one latent.
        settings: as for `abplib.ABP`; the Langevin steps, their size and noise are not used.
        seed: of draws and the order of the videos.
        network: q(Z | I; V), called as network(video, observed), returns mean and log-variance;
            None: the generator's mirror, `GaussianEncoder(generator)`. Trained in place.
        network_rate: learning rate of V; None: that of W. It falls as W's does.

    Raises:
        ValueError: if the latent does not fit the generator, or the network the latent.
    """

    view: View
    latent_shape: Sequence[int]
    settings: Settings = field(default_factory=Settings)
    seed: int = 0
    network: nn.Module | None = None
    network_rate: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.view.generator, nn.Module):
            raise ValueError("the view's generator is a bare function; expected an nn.Module")
        self.generator: nn.Module = self.view.generator
        self.n = len(self.view.data)
        if self.network is None:
            self.network = GaussianEncoder(self.generator, seed=self.seed)
        self._network: nn.Module = self.network
        self.random = torch.Generator(device=self.view.data.device).manual_seed(self.seed)
        self.order = torch.Generator().manual_seed(self.seed)
        first = self.view.select(torch.arange(min(2, self.n), device=self.view.data.device))
        with torch.no_grad(), frozen(self.generator, self._network):
            made = self._network(first.data, first.observed)
            if isinstance(made, Tensor):
                raise ValueError(
                    "the network returns one tensor; expected a mean and a log-variance"
                )
            mean = made[0]
            if mean.shape[1:] != tuple(self.latent_shape):
                raise ValueError(
                    f"the network makes {tuple(mean.shape[1:])} of a video, the latent is "
                    f"{tuple(self.latent_shape)}: pass a network of that output"
                )
            squared_error(mean, first)  # complains about shapes before anything is learned
        options: dict[str, Any] = {"betas": (self.settings.beta1, 0.999)}
        self.optimizer = torch.optim.Adam(self.generator.parameters(), **options)
        self.network_optimizer = torch.optim.Adam(self._network.parameters(), **options)
        self.waiting: list[int] = []
        self.iteration = 0
        self.history: list[dict[str, float]] = []

    @abstractmethod
    def learn(self, view: View) -> dict[str, float]:
        """One update of W and V on the videos of a view; what to record of it, `error` at least."""

    def next_batch(self) -> Tensor:
        """Indices of the next examples, every example once an epoch, in random order."""
        size = min(self.settings.batch_size or self.n, self.n)
        if size == self.n:
            return torch.arange(self.n)
        if len(self.waiting) < size:
            self.waiting = torch.randperm(self.n, generator=self.order).tolist()
        index, self.waiting = self.waiting[:size], self.waiting[size:]
        return torch.tensor(index)

    def iterate(self) -> dict[str, float]:
        """One update of both networks on the next batch.

        Raises:
            DivergenceError: if a loss is no longer finite.
        """
        rate, other = self.settings.rate(self.iteration), self.network_rate
        self.optimizer.param_groups[0]["lr"] = rate
        share = 1.0 if other is None else other / self.settings.learning_rate
        self.network_optimizer.param_groups[0]["lr"] = rate * share
        record = self.learn(self.view.select(self.next_batch()))
        if not all(math.isfinite(value) for value in record.values()):
            raise DivergenceError(
                f"iteration {self.iteration}: {record} is not finite; lower learning_rate="
                f"{self.settings.learning_rate}"
            )
        self.iteration += 1
        record = {"iteration": self.iteration, **record}
        self.history.append(record)
        return record

    def fit(
        self, *, progress: bool = True, callback: Callable[[Any], None] | None = None
    ) -> list[dict[str, float]]:
        """Iterate until `settings.iterations` are done, from wherever the run stands.

        Args:
            progress: show a bar, and print `summary` when done; where the environment variable
                ABPLIB_STATIC is set, the summary only.
            callback: called with this run after each iteration.

        Returns:
            The history, one record an iteration.
        """
        total = self.settings.iterations
        hide = not progress or bool(os.environ.get("ABPLIB_STATIC"))
        options: dict[str, Any] = {"file": sys.stdout, "ncols": 88, "leave": False}
        with tqdm(total=total, initial=self.iteration, disable=hide, **options) as bar:
            while self.iteration < total:
                record = self.iterate()
                bar.set_postfix({k: f"{v:.3f}" for k, v in record.items() if k != "iteration"})
                bar.update()
                if callback is not None:
                    callback(self)
        if progress and self.history:
            print(self.summary())
        return self.history

    def summary(self) -> str:
        """One line: iterations, and the rms error a pixel over their last tenth."""
        last = self.history[-max(1, len(self.history) // 10) :]
        error = (sum(record["error"] for record in last) / len(last)) ** 0.5
        return f"{self.iteration} iterations: rms error {error:.4f} a pixel"

    def encode(self, data: Tensor, observed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(Z | I; V), (N, d, ...) each, without a gradient."""
        with torch.no_grad(), frozen(self._network):
            return self._network(data, observed)

    def infer(
        self,
        data: Tensor,
        observed: Tensor | None = None,
        *,
        sweeps: int = 20,
        random: torch.Generator | None = None,
    ) -> Tensor:
        """Infer latents, hidden pixels imputed in turn (Rezende et al. 2014).

        Args:
            data: (N, C, ...) in [-1, 1]; what is hidden may hold anything.
            observed: bool, broadcastable to `data`; None: everywhere, and then nothing is imputed.
            sweeps: times that the completed video is encoded again.
            random: draw from q in every sweep; None: take its mean, which on a linear model
                converges to the exact posterior mean given the observed pixels.

        Returns:
            (N, d, ...): the latents of the last sweep.
        """
        z = self._draw(*self.encode(data, observed), random)
        if observed is None:
            return z
        for _ in range(sweeps):
            completed = torch.where(observed, data, self.decode(z))
            z = self._draw(*self.encode(completed), random)
        return z

    def initialise(self, data: Tensor, observed: Tensor | None = None, sweeps: int = 0) -> Tensor:
        """The mean of q(Z | I; V), for chains to start at: `infer` without a draw."""
        return self.infer(data, observed, sweeps=sweeps)

    def impute(
        self, data: Tensor, observed: Tensor, *, sweeps: int = 20, seed: int | None = None
    ) -> Tensor:
        """Recovery at testing time (section 4.2): G(Z) of the inferred latents.

        Args:
            data, observed, sweeps: see `infer`.
            seed: draw from q, with this seed; None: take its mean.

        Returns:
            (N, C, ...): G(Z), at every pixel.
        """
        random = None
        if seed is not None:
            random = torch.Generator(device=data.device).manual_seed(seed)
        return self.decode(self.infer(data, observed, sweeps=sweeps, random=random))

    def decode(self, z: Tensor) -> Tensor:
        """G(z), without a gradient."""
        with torch.no_grad(), frozen(self.generator):
            return self.generator(z)

    def bound(self, view: View | None = None, draws: int = 1, seed: int = 0) -> Tensor:
        """The evidence lower bound of each video, constants included, by `draws` draws of q.

            E_q[log p(I | Z)] - KL(q || p)   <=   log p(I)

        The noise has the variance sigma^2 / weight, as the energy implies.

        Returns:
            (N,), in nats.
        """
        view = self.view if view is None else view
        mean, log_variance = self.encode(view.data, view.observed)
        random = torch.Generator(device=mean.device).manual_seed(seed)
        variance = view.sigma**2 / view.weight
        squared = torch.zeros(len(mean), dtype=mean.dtype, device=mean.device)
        with torch.no_grad(), frozen(self.generator):
            for _ in range(draws):
                squared += squared_error(self._draw(mean, log_variance, random), view) / draws
        seen = torch.ones_like(view.data, dtype=torch.bool)
        if view.observed is not None:
            seen = view.observed.expand_as(view.data)
        constant = 0.5 * math.log(2 * math.pi * variance) * seen.flatten(1).sum(1)
        return -squared / (2 * variance) - constant - divergence(mean, log_variance)

    def state(self) -> dict[str, Any]:
        """All that a later process needs to go on exactly where this one stands."""
        modules = (self.generator, self._network)
        return {
            "weights": [{k: v.clone() for k, v in m.state_dict().items()} for m in modules],
            "optimizers": [o.state_dict() for o in (self.optimizer, self.network_optimizer)],
            "random": self.random.get_state(),
            "order": self.order.get_state(),
            "waiting": list(self.waiting),
            "iteration": self.iteration,
            "history": list(self.history),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a `state`; the run must have been built as that one was.

        Raises:
            ValueError: if the weights have other shapes.
        """
        modules = (self.generator, self._network)
        try:
            for module, weights in zip(modules, state["weights"], strict=True):
                module.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(f"the saved weights are of other networks: {error}") from None
        optimizers = (self.optimizer, self.network_optimizer)
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.random.set_state(state["random"])
        self.order.set_state(state["order"])
        self.waiting = list(state["waiting"])
        self.iteration = int(state["iteration"])
        self.history = list(state["history"])

    @staticmethod
    def _draw(mean: Tensor, log_variance: Tensor, random: torch.Generator | None) -> Tensor:
        """mean + e exp(log-variance / 2), e ~ N(0, I): a draw of q that lets gradients through."""
        if random is None:
            return mean
        return mean + torch.empty_like(mean).normal_(generator=random) * (0.5 * log_variance).exp()


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, I)) of each example: (N,), in nats.

    >>> divergence(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
    tensor([0.5000])
    """
    entries = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
    return entries.flatten(1).sum(1)


def mean_squared_error(squared: Tensor, view: View) -> float:
    """A pixel's mean squared error, from the sums (N,) over the observed pixels of each video."""
    return float(squared.detach().sum()) / observed_pixels(view)
