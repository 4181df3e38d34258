"""3D wake-sleep (Hinton et al. 1995): the same generator, an encoder that learns from dreams.

    wake:   Z ~ q(Z | I; V) of real videos;    W raises  log p(I | Z; W)
    sleep:  (Z~, I~) ~ p(Z) p(I | Z; W);       V raises  log q(Z~ | I~; V)

Each phase trains one network on what the other makes of the world. Sleep lowers
KL(p(Z | I) || q(Z | I)) and on dreams alone, where a VAE lowers KL(q || p) on the videos: q covers
the posterior instead of fitting into it, and it is right where the model dreams.
"""

from __future__ import annotations

from dataclasses import dataclass

from abplib import dreams
from abplib.baselines.amortised import Amortised, mean_squared_error
from abplib.posterior import View, squared_error


@dataclass
class WakeSleep(Amortised):
    """Wake-sleep on a `View`, with the energy of `abplib.ABP` as its likelihood.

    Args:
        view, latent_shape, settings, seed, network, network_rate: see `Amortised`.
        noise: dreams have the noise of eq. 1; see `abplib.dreams.Dreams`.
        dream_masks: hide pixels of the dreams; names as for `abplib.dreams.Dreams`. For learning
            from incomplete videos `("own",)` lets dreams look like them.
        sample: False: in the wake phase Z is the mean of q, not a draw.

    >>> import torch
    >>> from abplib.generators import LinearGenerator
    >>> run = WakeSleep(View(LinearGenerator(torch.eye(3, 2)), torch.zeros(5, 3)), (2,))
    >>> sorted(run.iterate())
    ['error', 'iteration', 'sleep']
    """

    noise: bool = True
    dream_masks: tuple[str, ...] = ()
    sample: bool = True

    def __post_init__(self) -> None:
        self._dreams = dreams.Dreams(self.view, self.dream_masks, self.noise)
        super().__post_init__()

    def learn(self, view: View) -> dict[str, float]:
        """A wake phase on these videos, then a sleep phase on as many dreams.

        Returns:
            `error`, the mean squared error a pixel when awake, and `sleep`, the negative log
            density that q gives a dream's latent, in nats an entry and without its constant:
            0.5 for a q that knows no more than the prior.
        """
        return {"error": self.wake(view), "sleep": self.sleep(len(view.data))}

    def wake(self, view: View) -> float:
        """One Adam step on W, latents drawn from q; V stands still."""
        random = self.random if self.sample else None
        z = self._draw(*self.encode(view.data, view.observed), random)
        squared = squared_error(z, view)
        self.optimizer.zero_grad(set_to_none=True)
        (view.weight / (2 * view.sigma**2) * squared).mean().backward()
        self.optimizer.step()
        return mean_squared_error(squared, view)

    def sleep(self, count: int) -> float:
        """One Adam step on V, on so many dreams; W stands still."""
        shape = (count, *self.latent_shape)
        z = dreams.latents(shape, self.random, dtype=self.view.data.dtype)
        video, observed = self._dreams.draw(z, self.random)
        mean, log_variance = self._network(video, observed)
        surprise = 0.5 * (log_variance + (z - mean).square() * (-log_variance).exp())
        loss = surprise.flatten(1).sum(1).mean()
        self.network_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.network_optimizer.step()
        return float(surprise.detach().mean())
