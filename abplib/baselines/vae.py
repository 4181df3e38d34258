"""3D VAE (Kingma and Welling 2014): the same generator, an encoder in place of the chain.

A Gaussian q(Z | I; V) stands in for the posterior. W and V both raise the evidence lower bound

    E_q[log p(I | Z; W)] - KL(q(Z | I; V) || p(Z))  =  log p(I; W) - KL(q(Z | I; V) || p(Z | I; W)).

The second form tells what is given up: where q cannot be the posterior, the bound is loose, and W
learns to have posteriors that q can be.
"""

from __future__ import annotations

from dataclasses import dataclass

from abplib.baselines.amortised import Amortised, divergence, mean_squared_error
from abplib.posterior import View, squared_error


@dataclass
class VAE(Amortised):
    """A variational auto-encoder on a `View`, with the energy of `abplib.ABP` as its likelihood.

    Args:
        view, latent_shape, settings, seed, network, network_rate: see `Amortised`.
        warm_up: fraction of the iterations during which the weight of the KL term rises from 0 to
            1, so that the latents are in use before the prior pulls at them. 0: full from the
            start, as in the original.

    With hidden pixels only observed ones count in the likelihood, and the encoder sees zeros.

    >>> import torch
    >>> from abplib.generators import LinearGenerator
    >>> run = VAE(View(LinearGenerator(torch.eye(3, 2)), torch.zeros(5, 3)), (2,))
    >>> sorted(run.iterate())
    ['error', 'iteration', 'kl']
    """

    warm_up: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.warm_up <= 1:
            raise ValueError(f"warm_up is {self.warm_up}; expected a fraction, from 0 to 1")
        super().__post_init__()

    def learn(self, view: View) -> dict[str, float]:
        """One Adam step on W and V that raises the bound of these videos, by one draw of q each.

        Returns:
            `error`, the mean squared error a pixel, and `kl`, the nats a video that q spends.
        """
        mean, log_variance = self._network(view.data, view.observed)
        squared = squared_error(self._draw(mean, log_variance, self.random), view)
        kl = divergence(mean, log_variance)
        rise = self.warm_up * self.settings.iterations
        pull = min(1.0, self.iteration / rise) if rise else 1.0
        loss = (view.weight / (2 * view.sigma**2) * squared + pull * kl).mean()
        self.optimizer.zero_grad(set_to_none=True)
        self.network_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.network_optimizer.step()
        return {"error": mean_squared_error(squared, view), "kl": float(kl.detach().mean())}
