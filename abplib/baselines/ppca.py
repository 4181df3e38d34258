"""Probabilistic PCA on whole clips: the linear generator, learned and inferred in closed form.

    I = mean + A Z + noise,   Z ~ N(0, I),   noise ~ N(0, sigma^2)

The maximum of its likelihood is known (Tipping and Bishop 1999), and so is the posterior of Z given
any set of observed pixels: nothing is iterated. It is what alternating back-propagation becomes
with a linear generator, and so the bar for a network: what the network loses to it is lost in
learning or in generalisation, what it gains is due to its form.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from abplib.langevin import linear_posterior


@dataclass(frozen=True)
class PPCA:
    """A linear generator of clips.

    Args:
        mean: (C, T, H, W).
        loading: (C * T * H * W, d), the matrix A.
        sigma: noise standard deviation, in pixel units.

    >>> clips = torch.rand(20, 1, 2, 2, 2, generator=torch.Generator().manual_seed(0))
    >>> model = PPCA.fit(clips, 3)
    >>> seen = torch.ones(20, 1, 2, 2, 2, dtype=torch.bool)
    >>> model.recover(clips, seen).shape
    torch.Size([20, 1, 2, 2, 2])
    """

    mean: Tensor
    loading: Tensor
    sigma: float

    @classmethod
    def fit(cls, clips: Tensor, latent_channels: int) -> PPCA:
        """Maximum likelihood: A = U (Lambda - sigma^2 I)^(1/2), sigma^2 the mean of what is left.

        Args:
            clips: (N, C, T, H, W).
            latent_channels: d; at most N - 2 and C T H W - 1 are used.

        Raises:
            ValueError: for fewer than three clips.
        """
        if len(clips) < 3:
            raise ValueError(f"there are {len(clips)} clips; PPCA needs 3 or more")
        mean = clips.mean(0)
        centred = (clips - mean).flatten(1)
        n, size = centred.shape
        d = min(latent_channels, n - 2, size - 1)
        values, vectors = torch.linalg.eigh(centred @ centred.T / n)
        values, vectors = values.flip(0)[:d].clamp(min=1e-12), vectors.flip(1)[:, :d]
        left = centred.square().sum() / n - values.sum()
        variance = float(left.clamp(min=0) / (size - d)) + 1e-8
        axes = centred.T @ vectors / (n * values).sqrt()
        return cls(mean, axes * (values - variance).clamp(min=0).sqrt(), variance**0.5)

    def recover(self, data: Tensor, observed: Tensor) -> Tensor:
        """Posterior mean of each clip given its observed pixels, noise left out.

        Args:
            data: (N, C, T, H, W); what is hidden may hold anything.
            observed: bool, broadcastable to `data`.

        Returns:
            (N, C, T, H, W), clipped to [-1, 1].
        """
        answers = []
        for clip, seen in zip(data, observed.expand_as(data), strict=True):
            rows = seen.flatten()
            centred = (clip - self.mean).flatten()[rows]
            posterior = linear_posterior((self.loading[rows], centred[None], self.sigma))
            answers.append((posterior.mean @ self.loading.T).view_as(clip) + self.mean)
        return torch.stack(answers).clamp(-1, 1)
