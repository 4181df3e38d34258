"""A learned initialisation that is cheap: principal components of the interpolated clip, corrected.

    f(I; V) = A s + b + h(s; V),     s = whitened component scores of I, hidden pixels interpolated

The mirror encoder of section 3.3 costs as much as the generator it serves, in every iteration. Here
the picture is read by a projection that is never learned: it only fits chains that started at the
same components (`abplib.starts`). What is learned follows the latents as they move away from their
start: A and b, which have a closed form (`ComponentEncoder.solve`), and the small network h. At
first f(I; V) = s.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from abplib.baselines.interpolation import linear_in_time


class ComponentEncoder(nn.Module):
    """f(I; V) of clips of one size; called as network(video, observed), as `Encoder` is.

    Args:
        clips: the training clips (N, C, T, H, W), hidden pixels interpolated if there were any.
        latent_channels: d; where there are fewer components, the last channels' scores are 0.
        hidden: units of h's hidden layer.
        seed: of h's first weights; h is 0 at first.

    Raises:
        ValueError: for fewer than two clips.

    >>> clips = torch.rand(10, 1, 2, 2, 2, generator=torch.Generator().manual_seed(0))
    >>> ComponentEncoder(clips, 4)(clips).flatten(1).std(0, correction=0)
    tensor([1.0000, 1.0000, 1.0000, 1.0000], grad_fn=<StdBackward0>)
    """

    mean: Tensor
    axes: Tensor
    matrix: Tensor
    offset: Tensor

    def __init__(
        self, clips: Tensor, latent_channels: int, *, hidden: int = 256, seed: int = 0
    ) -> None:
        super().__init__()
        if len(clips) < 2:
            raise ValueError(f"there are {len(clips)} clips; components need 2 or more")
        centred = (clips - clips.mean(0)).flatten(1)
        values, vectors = torch.linalg.eigh(centred @ centred.T)
        count = min(latent_channels, len(clips) - 1)
        values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
        there = values > 1e-6 * values[0]
        axes = torch.zeros(centred.shape[1], latent_channels).to(centred)
        found = centred.T @ vectors[:, there] / values[there] * len(clips) ** 0.5
        axes[:, : found.shape[1]] = found
        self.register_buffer("mean", clips.mean(0))
        self.register_buffer("axes", axes)
        self.register_buffer("matrix", torch.eye(latent_channels).to(centred))
        self.register_buffer("offset", torch.zeros(latent_channels).to(centred))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            last = nn.Linear(hidden, latent_channels)
            first = nn.Linear(latent_channels, hidden)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(first, nn.LeakyReLU(0.2), last).to(clips)

    def scores(self, video: Tensor, observed: Tensor | None = None) -> Tensor:
        """s: (N, d, 1, 1, 1), of unit variance over the training clips; see `forward`."""
        if observed is not None:
            video = linear_in_time(video, observed)
        return ((video - self.mean).flatten(1) @ self.axes)[:, :, None, None, None]

    def forward(self, video: Tensor, observed: Tensor | None = None) -> Any:
        """Guess the latents.

        Args:
            video: (N, C, T, H, W) in [-1, 1]. What is hidden may hold anything.
            observed: bool, broadcastable to `video`; None: everywhere.

        Returns:
            (N, d, 1, 1, 1).
        """
        return self.guess(self.scores(video, observed))

    def guess(self, scores: Tensor) -> Tensor:
        """`forward` of videos whose scores (N, d, ...) are known."""
        s = scores.flatten(1)
        return (self._linear(s) + self.layers(s))[:, :, None, None, None]

    def _linear(self, s: Tensor) -> Tensor:
        return s @ self.matrix + self.offset

    @torch.no_grad()
    def solve(self, scores: Tensor, latents: Tensor, ridge: float = 1e-2) -> None:
        """Set A and b to the least squares of the latents on the scores; h stays as it is.

        They minimise R(V) / N + ridge ||A||^2 of the given pairs, b free: what gradient steps on R
        would come to for a linear f (the small ridge holds directions that the scores never take).

        Args:
            scores: (N, d, ...) of `scores`.
            latents: (N, d, ...) to guess.
            ridge: in units of the scores' variance.

        Raises:
            ValueError: for fewer than two pairs, and shapes that do not fit.
        """
        s, z = scores.flatten(1), latents.flatten(1)
        if len(s) < 2 or s.shape != z.shape or s.shape[1] != len(self.offset):
            raise ValueError(
                f"scores {tuple(scores.shape)} and latents {tuple(latents.shape)} are no pairs: "
                f"expected two or more, of {len(self.offset)} channels each"
            )
        wanted = z - self.layers(s)
        a, b = s - s.mean(0), wanted - wanted.mean(0)
        square = a.T @ a + ridge * len(s) * torch.eye(a.shape[1]).to(a)
        self.matrix.copy_(torch.linalg.solve(square, a.T @ b))
        self.offset.copy_(wanted.mean(0) - s.mean(0) @ self.matrix)


class GaussianComponentEncoder(ComponentEncoder):
    """q(Z | I; V) for a VAE or wake-sleep: `ComponentEncoder` as its mean, and a log-variance.

    A call returns the pair (mean, log-variance), each (N, d, 1, 1, 1). At first the standard
    deviation is e^-2 = 0.14, so that the generator can see which clip a latent belongs to.

    >>> clips = torch.rand(10, 1, 2, 2, 2, generator=torch.Generator().manual_seed(0))
    >>> mean, log_variance = GaussianComponentEncoder(clips, 4)(clips)
    >>> mean.shape, round(float(log_variance[0, 0].detach()), 2)
    (torch.Size([10, 4, 1, 1, 1]), -3.8)
    """

    def __init__(
        self, clips: Tensor, latent_channels: int, *, hidden: int = 256, seed: int = 0
    ) -> None:
        super().__init__(clips, latent_channels, hidden=hidden, seed=seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            last = nn.Linear(hidden, latent_channels)
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, -4.0)
        self.spread = last.to(clips)

    def forward(self, video: Tensor, observed: Tensor | None = None) -> Any:
        """See `ComponentEncoder.forward`; returns (mean, log-variance), the latter within ±10."""
        s = self.scores(video, observed).flatten(1)
        inner = self.layers[:-1](s)
        mean = (self._linear(s) + self.layers[-1](inner))[:, :, None, None, None]
        return mean, 10 * torch.tanh(self.spread(inner)[:, :, None, None, None] / 10)
