"""The linear generator, with which the whole method can be checked against closed forms."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LinearGenerator(nn.Module):
    """G(z) = A z + b: factor analysis, where everything has a closed form (section 3.1).

    Args:
        loading: (D, d), the loading matrix A.
        offset: (D,), the mean b; None: zero.

    Latents are (N, d), data (N, D); extra axes of size one, (N, d, 1, ...), are allowed.

    >>> LinearGenerator(torch.eye(2))(torch.tensor([[1.0, 2.0]]))
    tensor([[1., 2.]], grad_fn=<AddBackward0>)
    """

    def __init__(self, loading: Tensor, offset: Tensor | None = None) -> None:
        super().__init__()
        if loading.ndim != 2:
            raise ValueError(f"loading has shape {tuple(loading.shape)}; expected (D, d)")
        self.loading = nn.Parameter(loading.clone())
        zero = torch.zeros(loading.shape[0], dtype=loading.dtype)
        self.offset = nn.Parameter(zero if offset is None else offset.clone())

    def forward(self, z: Tensor) -> Tensor:
        """Generate (N, D) from (N, d)."""
        if z.flatten(1).shape[1] != self.loading.shape[1]:
            raise ValueError(
                f"latent has shape {tuple(z.shape)}; expected (N, {self.loading.shape[1]})"
            )
        return z.flatten(1) @ self.loading.T + self.offset
