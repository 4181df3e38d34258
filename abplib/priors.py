"""Laws fitted to inferred latents, to draw fresh ones from instead of N(0, I).

The paper synthesises from its prior, Z ~ N(0, I) (section 4.1). After learning, the latents that
explain the training videos need not look like that: neighbouring steps may depend on each other. A
stationary Gaussian process with their mean and their covariance, up to a reach of a few steps, is
the nearest law that is still one formula: `FittedPrior`. The latents of many different clips lie in
islands; `MixturePrior` draws from those. Both are options, to be declared where they are used.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor

Triple = tuple[int, int, int]


class Prior(Protocol):
    """What `abplib.synthesise` can draw latents from."""

    def draw(self, latent_shape: Sequence[int], n: int = 1, *, seed: int = 0) -> Tensor:
        """n latents of a shape (d, T0, H0, W0), the same for the same seed."""
        ...


@dataclass(frozen=True)
class FittedPrior:
    """A stationary Gaussian process on the latent's grid.

    Args:
        mean: (d,).
        covariance: (2a + 1, 2b + 1, 2c + 1, d, d); entry [a + i, b + j, c + k] is the covariance
            of Z(t + i, h + j, w + k) with Z(t, h, w).

    >>> z = torch.randn(2000, 2, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    >>> prior = FittedPrior.fit(3 + 2 * z)
    >>> prior.draw((2, 1, 1, 1), 5000, seed=1).std().round().item()
    2.0
    """

    mean: Tensor
    covariance: Tensor

    @classmethod
    def fit(cls, latents: Tensor, reach: int = 2, margin: int = 0) -> FittedPrior:
        """Mean and covariances of inferred latents.

        The covariance at a lag is the mean over the pairs of steps at that lag.

        Args:
            latents: (N, d, T0, H0, W0), all of one run.
            reach: largest lag on each axis, in latent steps.
            margin: steps left out at each end of each axis, because the video says little of
                them; an axis of one step has none.

        Raises:
            ValueError: for latents of another shape, and fewer than two values a channel.
        """
        for axis, size in enumerate(latents.shape[2:], start=2):
            if size > 1:
                latents = latents.narrow(axis, margin, max(0, size - 2 * margin))
        if latents.ndim != 5 or latents[:, 0].numel() < 2:
            raise ValueError(
                f"latents have shape {tuple(latents.shape)} without margin {margin}; expected "
                "(N, d, T0, H0, W0) with at least two values a channel"
            )
        z = latents.detach().cpu().double()
        mean = z.mean((0, 2, 3, 4))
        centred = z - mean[:, None, None, None]
        furthest = [min(reach, size - 1) for size in z.shape[2:]]
        lags = [range(-far, far + 1) for far in furthest]
        shape = [len(axis) for axis in lags]
        table = [_covariance(centred, lag) for lag in itertools.product(*lags)]
        covariance = torch.stack(table).reshape(*shape, len(mean), len(mean))
        return cls(mean, covariance)

    @property
    def reach(self) -> Triple:
        """The largest lag on each axis."""
        a, b, c = (size // 2 for size in self.covariance.shape[:3])
        return a, b, c

    def draw(self, latent_shape: Sequence[int], n: int = 1, *, seed: int = 0) -> Tensor:
        """Draw n latents (n, d, T0, H0, W0) of any size, from an explicit seed.

        White noise is filtered by the square root of the process' spectrum, on a ring that is
        longer than the latent by twice the reach, so that its ends do not touch. Covariances that
        are estimated, and end at the reach, can have a spectrum that is negative somewhere: there
        it is set to zero, and each channel's variance is brought back to what it was.

        Raises:
            ValueError: if d is another than that of the fit.
        """
        d, *size = latent_shape
        if d != len(self.mean):
            raise ValueError(f"latent has {d} channels; the prior was fitted to {len(self.mean)}")
        ring = [axis + 2 * far for axis, far in zip(size, self.reach, strict=True)]
        root = self._root(ring)
        random = torch.Generator().manual_seed(seed)
        noise = torch.randn((n, d, *ring), generator=random, dtype=torch.float64)
        spectrum = torch.fft.fftn(noise, dim=(2, 3, 4))
        coloured = torch.einsum("thwij,njthw->nithw", root, spectrum)
        z = torch.fft.ifftn(coloured, dim=(2, 3, 4)).real[..., : size[0], : size[1], : size[2]]
        return (z + self.mean[:, None, None, None]).float()

    def _root(self, ring: Sequence[int]) -> Tensor:
        """Square root of the spectrum on a ring: (T, H, W, d, d), complex Hermitian."""
        d = len(self.mean)
        wrapped = torch.zeros((*ring, d, d), dtype=torch.float64)
        lags = [range(-far, far + 1) for far in self.reach]
        for lag, value in zip(
            itertools.product(*lags), self.covariance.reshape(-1, d, d), strict=True
        ):
            t, h, w = (k % size for k, size in zip(lag, ring, strict=True))
            wrapped[t, h, w] += value
        values, vectors = torch.linalg.eigh(torch.fft.fftn(wrapped, dim=(0, 1, 2)))
        scale = values.clamp(min=0).sqrt().to(vectors.dtype)
        root = torch.einsum("...ij,...j,...kj->...ik", vectors, scale, vectors.conj())
        variance = root.abs().square().sum(-1).mean((0, 1, 2))
        a, b, c = self.reach
        wanted = self.covariance[a, b, c].diagonal()
        return root * (wanted / variance.clamp(min=1e-12)).sqrt()[:, None]


@dataclass(frozen=True)
class MixturePrior:
    """A mixture of Gaussians with one covariance, for latents that are one vector a clip.

    Args:
        weights: (K,), of the components.
        means: (K, d).
        root: (d, d), the Cholesky factor of the covariance that they share.

    >>> z = torch.tensor([[-5.0], [5.0]]).repeat(20, 1)
    >>> z = z + 0.1 * torch.randn(40, 1, generator=torch.Generator().manual_seed(0))
    >>> prior = MixturePrior.fit(z[:, :, None, None, None], components=2)
    >>> sorted(prior.draw((1, 1, 1, 1), 50).round().unique().tolist())
    [-5.0, 5.0]
    """

    weights: Tensor
    means: Tensor
    root: Tensor

    @classmethod
    def fit(cls, latents: Tensor, components: int = 30) -> MixturePrior:
        """Fit by expectation-maximisation (scikit-learn) to latents (N, d, 1, 1, 1).

        Raises:
            ValueError: for latents with time or space, and fewer than two a component.
        """
        flat = latents.detach().cpu().flatten(1).double()
        if latents.ndim != 5 or latents[0, 0].numel() != 1 or len(flat) < 2 * components:
            raise ValueError(
                f"latents have shape {tuple(latents.shape)}; {components} components need "
                f"(N, d, 1, 1, 1) with N at least {2 * components}"
            )
        fitted = GaussianMixture(components, covariance_type="tied", random_state=0)
        fitted.fit(flat.numpy())
        root = torch.linalg.cholesky(torch.tensor(fitted.covariances_))
        return cls(torch.tensor(fitted.weights_), torch.tensor(fitted.means_), root)

    def draw(self, latent_shape: Sequence[int], n: int = 1, *, seed: int = 0) -> Tensor:
        """Draw n latents (n, d, 1, 1, 1), from an explicit seed.

        Raises:
            ValueError: for another latent shape than that of the fit.
        """
        d = self.means.shape[1]
        if tuple(latent_shape) != (d, 1, 1, 1):
            raise ValueError(f"latent_shape is {tuple(latent_shape)}; expected {(d, 1, 1, 1)}")
        random = torch.Generator().manual_seed(seed)
        which = torch.multinomial(self.weights, n, replacement=True, generator=random)
        noise = torch.randn(n, d, generator=random, dtype=torch.float64)
        return (self.means[which] + noise @ self.root.T).float()[:, :, None, None, None]


def _covariance(centred: Tensor, lag: Sequence[int]) -> Tensor:
    """(d, d): covariance of Z at a step plus the lag with Z at the step."""
    ahead, here = centred, centred
    for axis, k in enumerate(lag, start=2):
        rest = centred.shape[axis] - abs(k)
        ahead, here = ahead.narrow(axis, max(0, k), rest), here.narrow(axis, max(0, -k), rest)
    return torch.einsum("ncthw,nkthw->ck", ahead, here) / (len(here) * here[0, 0].numel())
