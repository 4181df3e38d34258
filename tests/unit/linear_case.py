"""A linear model whose posterior and maximum likelihood have closed forms: probabilistic PCA."""

from __future__ import annotations

import torch

from abplib.generators import LinearGenerator

SIGMA = 0.5


def data(n: int = 400, rows: int = 6, d: int = 2) -> torch.Tensor:
    """(N, rows) in fp64, mean zero: a linear model's data with noise SIGMA."""
    source = torch.Generator().manual_seed(0)
    loading = torch.randn(rows, d, generator=source, dtype=torch.float64)
    z = torch.randn(n, d, generator=source, dtype=torch.float64)
    x = z @ loading.T + SIGMA * torch.randn(n, rows, generator=source, dtype=torch.float64)
    return x - x.mean(0)


def generator(loading: torch.Tensor | None = None, rows: int = 6, d: int = 2) -> LinearGenerator:
    """G(z) = A z, with the given A or a small random one; no offset is learned."""
    if loading is None:
        source = torch.Generator().manual_seed(1)
        loading = 0.1 * torch.randn(rows, d, generator=source, dtype=torch.float64)
    made = LinearGenerator(loading)
    made.offset.requires_grad_(False)
    return made


def log_likelihood(loading: torch.Tensor, x: torch.Tensor) -> float:
    """Mean log p(x) under N(0, A A' + SIGMA^2 I)."""
    covariance = loading @ loading.T + SIGMA**2 * torch.eye(x.shape[1], dtype=x.dtype)
    mean = torch.zeros(x.shape[1], dtype=x.dtype)
    return float(torch.distributions.MultivariateNormal(mean, covariance).log_prob(x).mean())


def maximum(x: torch.Tensor, d: int = 2) -> float:
    """The largest log-likelihood there is (Tipping and Bishop 1999), SIGMA known."""
    values, vectors = torch.linalg.eigh(x.T @ x / len(x))
    values, vectors = values.flip(0)[:d], vectors.flip(1)[:, :d]
    return log_likelihood(vectors * (values - SIGMA**2).clamp(min=0).sqrt(), x)


def posterior(
    loading: torch.Tensor, x: torch.Tensor, observed: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean (N, d) and covariance (N, d, d) of z given the observed entries of x."""
    seen = torch.ones_like(x) if observed is None else observed.expand_as(x).to(x.dtype)
    x = torch.where(seen > 0, x, torch.zeros((), dtype=x.dtype))
    eye = torch.eye(loading.shape[1], dtype=x.dtype)
    precision = eye + torch.einsum("ri,nr,rj->nij", loading, seen, loading) / SIGMA**2
    covariance = torch.linalg.inv(precision)
    return torch.einsum("nij,rj,nr->ni", covariance, loading, x) / SIGMA**2, covariance
