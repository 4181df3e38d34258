"""Equation 2: how well a latent explains what was observed.

    log p(I, Z; W) = -||I - G(Z; W)||^2 / (2 sigma^2) - ||Z||^2 / 2 + constant         (eq. 2)

A latent may explain several views (section 3.5), and of each view only the observed pixels count
(section 3.4). So one function, `energy`, serves learning, recovery and shared representation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss


@dataclass(frozen=True, eq=False)
class View:
    """One modality: what was observed of it, and the generator that should explain it.

    Args:
        generator: maps latents (N, d, ...) to data (N, C, ...).
        data: (N, C, ...), pixels or samples in [-1, 1]. What is not observed may hold anything,
            NaN included; it has no influence.
        observed: bool, broadcastable to `data`; True where it was observed. None: everywhere.
        sigma: standard deviation of the noise, in pixel units.
        weight: of the log-likelihood. 1 is the exact sum of eq. 2; 1/T averages over T frames.
        bounded: False allows data outside [-1, 1], for a generator that does not end in tanh.

    Raises:
        ValueError: for data that is not finite or leaves [-1, 1] where observed, for a mask that
            does not fit or shows nothing of an example, and for sigma or weight not above zero.
        TypeError: for data that is not floating point, or a mask that is not bool.

    >>> view = View(torch.nn.Identity(), torch.zeros(2, 3), sigma=0.5)
    >>> energy(torch.ones(2, 3), view)
    tensor([7.5000, 7.5000])
    """

    generator: Callable[[Tensor], Tensor]
    data: Tensor
    observed: Tensor | None = None
    sigma: float = 1.0
    weight: float = 1.0
    bounded: bool = True

    def __post_init__(self) -> None:
        if not torch.is_floating_point(self.data):
            raise TypeError(f"data is {self.data.dtype}; expected floating point in [-1, 1]")
        if self.data.ndim < 2 or self.data.numel() == 0:
            raise ValueError(f"data has shape {tuple(self.data.shape)}; expected (N, C, ...)")
        if not (self.sigma > 0 and self.weight > 0):
            raise ValueError(f"sigma {self.sigma} and weight {self.weight} must be above zero")
        data = self.data
        if self.observed is not None:
            mask = _checked_mask(self.observed, data)
            data = torch.where(mask, data, torch.zeros((), dtype=data.dtype, device=data.device))
            object.__setattr__(self, "data", data)
        if not torch.isfinite(data).all():
            raise ValueError("data holds NaN or infinity where observed: mask it, or repair it")
        if self.bounded and data.abs().max() > 1 + 1e-4:
            raise ValueError(
                f"data lies in [{data.min():.3g}, {data.max():.3g}]; expected [-1, 1]: "
                "scale it, or pass bounded=False for a generator without tanh"
            )

    def select(self, index: Tensor) -> View:
        """The same view of the examples `index` (long, (n,)) only."""
        part = copy(self)  # what was checked once is not checked again
        object.__setattr__(part, "data", self.data[index])
        seen = self.observed
        if seen is not None and seen.ndim == self.data.ndim and len(seen) == len(self.data):
            object.__setattr__(part, "observed", seen[index])
        return part


def _checked_mask(observed: Tensor, data: Tensor) -> Tensor:
    if observed.dtype != torch.bool:
        raise TypeError(f"observed is {observed.dtype}; expected bool, True where observed")
    try:
        mask = observed.expand_as(data)
    except RuntimeError:
        raise ValueError(
            f"observed has shape {tuple(observed.shape)}, which does not broadcast to data of "
            f"shape {tuple(data.shape)}"
        ) from None
    empty = (~mask.flatten(1).any(1)).nonzero().flatten().tolist()
    if empty:
        raise ValueError(f"example {empty[0]} has no observed pixel: leave it out")
    return mask


def energy(z: Tensor, *views: View) -> Tensor:
    """Eq. 2, negated and up to a constant: -log p(views, z), one number an example.

    Args:
        z: latents (N, d, ...).
        views: what z should explain. Their log-likelihoods add (section 3.5).

    Returns:
        (N,): ||z||^2 / 2 + sum over views of weight * ||data - G(z)||^2 / (2 sigma^2), where the
        norm runs over observed pixels only.

    Raises:
        ValueError: if a generator's output does not have its data's shape.
    """
    total = 0.5 * z.square().flatten(1).sum(1)
    for view in views:
        total = total + view.weight * squared_error(z, view) / (2 * view.sigma**2)
    return total


def squared_error(z: Tensor, view: View) -> Tensor:
    """||data - G(z)||^2 over the observed pixels of each example: (N,)."""
    generated = view.generator(z)
    if generated.shape != view.data.shape:
        raise ValueError(
            f"the generator makes {tuple(generated.shape)} but the data is "
            f"{tuple(view.data.shape)}: choose the latent with latent_shape"
        )
    if view.observed is not None:
        generated = generated * view.observed  # the data is zero there: see View
    dtype = torch.promote_types(generated.dtype, view.data.dtype)
    # (data - generated)^2, whose gradient then is one pass over memory instead of four.
    squares = mse_loss(generated.to(dtype), view.data.to(dtype), reduction="none")
    return squares.flatten(1).sum(1)


@contextmanager
def frozen(*generators: View | Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Hold generators, or those of views, still while chains run.

    Within the block no weight requires a gradient, and batch normalisation leaves its running
    statistics as they are. Whether it normalises by batch or by running statistics stays as
    `train()` or `eval()` has set it.
    """
    bare = [g.generator if isinstance(g, View) else g for g in generators]
    modules = [g for g in bare if isinstance(g, nn.Module)]
    weights = [p for m in modules for p in m.parameters() if p.requires_grad]
    norms: list[Any] = [m for g in modules for m in g.modules() if hasattr(m, "update_statistics")]
    before = [m.update_statistics for m in norms]
    try:
        for p in weights:
            p.requires_grad_(False)
        for m in norms:
            m.update_statistics = False
        yield
    finally:
        for p in weights:
            p.requires_grad_(True)
        for m, value in zip(norms, before, strict=True):
            m.update_statistics = value
