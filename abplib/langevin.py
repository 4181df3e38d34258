"""Equation 4: Langevin dynamics, its exact theory for linear generators, and its guard.

    Z <- Z - (delta^2 / 2) dU/dZ + delta * N(0, I),       U(Z) = -log p(I, Z; W)        (eq. 4)

As printed, eq. 4 drops the prior's part of dU/dZ, which is Z itself. Here U is any energy, so the
prior is in it unless the caller leaves it out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Energy = Callable[[Tensor], Tensor]


class DivergenceError(RuntimeError):
    """A chain left every plausible region: its step is too long for the curvature it met."""


def langevin(
    energy: Energy,
    z: Tensor,
    *,
    steps: int,
    step_size: float,
    generator: torch.Generator | None = None,
    callback: Callable[[int, Tensor, Tensor], None] | None = None,
    limit: float = 1e3,
) -> Tensor:
    """Run eq. 4: `steps` Langevin steps from z, one independent chain an example.

    Args:
        energy: maps latents (N, d, ...) to (N,), the negative log density up to a constant.
        z: where the chains start, (N, d, ...). It is not changed.
        steps: number of steps (the paper's l); 0 returns a copy of z.
        step_size: delta.
        generator: the source of the noise, on z's device; the same seed gives the same chain.
        callback: called as callback(step, z, energies) before each step with detached tensors.
        limit: the root mean square of a latent beyond which the chain counts as diverged. A
            latent drawn from the prior has 1.

    Returns:
        The last state of the chains, (N, d, ...), without a gradient.

    Raises:
        DivergenceError: as soon as an energy or latent is not finite or a latent exceeds `limit`.
        ValueError: for steps below zero or a step size that is not above zero.

    >>> chain = langevin(lambda z: 0.5 * z.square().sum(1), torch.zeros(4000, 1), steps=200,
    ...                  step_size=0.5, generator=torch.Generator().manual_seed(0))
    >>> round(float(chain.var()), 1)  # 1 / (1 - 0.25 / 4), the discretised variance
    1.1
    """
    if steps < 0 or not step_size > 0:
        raise ValueError(f"steps is {steps} and step_size {step_size}; expected >= 0 and > 0")
    z = z.detach().clone()
    for step in range(steps):
        z.requires_grad_(True)
        with torch.enable_grad():
            energies = energy(z)
            (gradient,) = torch.autograd.grad(energies.sum(), z)
        z = z.detach()
        if callback is not None:
            callback(step, z, energies.detach())
        noise = torch.empty_like(z).normal_(generator=generator)
        z = z - 0.5 * step_size**2 * gradient + step_size * noise
        _guard(z, energies, energy, step, step_size, limit)
    return z


def _guard(
    z: Tensor, energies: Tensor, energy: Energy, step: int, step_size: float, limit: float
) -> None:
    size = z.square().mean().sqrt()  # NaN and infinity survive the mean
    if bool(size < limit) and bool(torch.isfinite(energies).all()):
        return
    rms = z.square().flatten(1).mean(1).sqrt()
    worst = int(torch.nan_to_num(rms, nan=math.inf).argmax())
    raise DivergenceError(
        f"chain {worst} diverged at step {step + 1}: rms of its latent {rms[worst]:.3g}, energy "
        f"{energies.flatten()[worst]:.3g}. step_size={step_size:.4g} is stable only where the "
        f"curvature of the energy is below 4 / step_size^2 = {4 / step_size**2:.4g}. Remedies: a "
        "shorter step_size, a larger sigma, or a smaller weight (1/T averages over frames)."
    )


def curvature(energy: Energy, z: Tensor, *, iterations: int = 20, seed: int = 0) -> Tensor:
    """Largest curvature of the energy at z, by power iteration on Hessian-vector products.

    The chain is locally stable where step_size < `stable_step(curvature)`. Where the eigenvalue of
    largest magnitude is negative, a second pass on the shifted Hessian finds the largest one.

    Args:
        energy: as for `langevin`; it must be twice differentiable.
        z: latents (N, d, ...).
        iterations: of each pass of the power method.
        seed: of the starting vectors.

    Returns:
        (N,), the largest eigenvalue of each example's Hessian.

    >>> curvature(lambda z: 0.5 * (z * torch.tensor([9.0, 1.0]) * z).sum(1), torch.zeros(1, 2))
    tensor([9.])
    """
    z = z.detach().requires_grad_(True)
    source = torch.Generator().manual_seed(seed)
    start = torch.randn(z.shape, generator=source, dtype=z.dtype).to(z.device)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(energy(z).sum(), z, create_graph=True)

    def scaled(numbers: Tensor) -> Tensor:
        return numbers.view(-1, *[1] * (z.ndim - 1))

    def top(shift: Tensor) -> Tensor:
        vector, value = start, shift
        for _ in range(iterations):
            vector = vector / scaled(vector.flatten(1).norm(dim=1).clamp(min=1e-30))
            (product,) = torch.autograd.grad(gradient, z, vector, retain_graph=True)
            product = product + scaled(shift) * vector
            value = (product * vector).flatten(1).sum(1)
            vector = product
        return value.detach() - shift

    value = top(torch.zeros(len(z), dtype=z.dtype, device=z.device))
    return torch.where(value < 0, top((-value).clamp(min=0)), value) if (value < 0).any() else value


def stable_step(curvature: float) -> float:
    """The step size at which a chain in a quadratic of this curvature stops being stable.

    >>> stable_step(16.0)
    0.5
    """
    if not curvature > 0:
        raise ValueError(f"curvature is {curvature}; expected a number above zero")
    return 2 / math.sqrt(curvature)


@dataclass(frozen=True)
class LinearPosterior:
    """The exact posterior of linear views, and what eq. 4 makes of it.

    mean: (N, d); precision: (d, d), shared by the examples. The chain with step delta has the
    right mean and the stationary covariance L^-1 (I - delta^2 L / 4)^-1, L being the precision.
    """

    mean: Tensor
    precision: Tensor

    @property
    def covariance(self) -> Tensor:
        """(d, d): L^-1, the exact posterior covariance."""
        return torch.linalg.inv(self.precision)

    def chain_covariance(self, step_size: float) -> Tensor:
        """(d, d): the covariance of the discretised chain, bias included.

        Raises:
            ValueError: if no stationary distribution exists at this step size.
        """
        if step_size >= self.largest_stable_step:
            raise ValueError(
                f"step_size {step_size} is not below the limit {self.largest_stable_step:.4g}: "
                "the chain has no stationary distribution"
            )
        eye = torch.eye(len(self.precision), dtype=self.precision.dtype)
        return torch.linalg.inv(self.precision @ (eye - step_size**2 * self.precision / 4))

    @property
    def largest_stable_step(self) -> float:
        """2 / sqrt of the largest eigenvalue of the precision."""
        return stable_step(float(torch.linalg.eigvalsh(self.precision)[-1]))


def linear_posterior(*terms: tuple[Tensor, Tensor, float], prior: bool = True) -> LinearPosterior:
    """Posterior of z given linear views x = A z + noise, the masks already applied.

    L = I + sum A^T A / sigma^2 and mean = L^-1 sum A^T x / sigma^2; a masked view is one whose
    rows are left out, a weighted view one with sigma / sqrt(weight).

    Args:
        terms: (A, x, sigma) of each view: A is (D, d), x is (N, D).
        prior: False leaves out the identity, as eq. 4 is printed.

    >>> linear_posterior((torch.eye(1), torch.tensor([[1.0]]), 1.0)).mean
    tensor([[0.5000]])
    """
    d = terms[0][0].shape[1]
    precision = torch.eye(d, dtype=terms[0][0].dtype) * float(prior)
    pull = torch.zeros(d, dtype=precision.dtype)
    for loading, x, sigma in terms:
        precision = precision + loading.T @ loading / sigma**2
        pull = pull + x @ loading / sigma**2
    return LinearPosterior(torch.linalg.solve(precision, pull.T).T, precision)
