"""A vector autoregression by least squares: how the frame-wise methods step from frame to frame.

    x_t - m = A_1 (x_{t-1} - m) + ... + A_p (x_{t-p} - m) + v_t,     v_t ~ N(0, Q)

It forgets its start, and has a stationary law, exactly if its spectral radius is below 1: the
largest modulus of an eigenvalue of the (p d, p d) companion matrix. Least squares does not see to
that. With p = 1 the covariance then solves the discrete Lyapunov equation P = A P A' + Q.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

STABLE = 0.99  # what a radius is brought down to; a memory of a hundred frames


@dataclass(frozen=True, eq=False)
class VectorAutoregression:
    """Coefficients, mean and noise of a vector autoregression; see `learn`. All in float64.

    Args:
        coefficients: (p, d, d), A_1 to A_p.
        mean: (d,), m.
        covariance: (d, d), Q, that of the innovations v.
    """

    coefficients: Tensor
    mean: Tensor
    covariance: Tensor

    @classmethod
    def learn(
        cls, series: Tensor, order: int = 1, *, centre: bool = True, stabilise: bool = False
    ) -> VectorAutoregression:
        """Fit coefficients by least squares, and the covariance to what they leave over.

        Args:
            series: (T, d), one value a frame.
            order: p.
            centre: take the mean off first; False where it is known to be zero.
            stabilise: where the spectral radius is above 0.99, bring it down to that. With p = 1
                each eigenvalue that is too large is scaled, the others stay. With p > 1 every A_k
                is multiplied by c^k, which multiplies all eigenvalues by c. The covariance is
                then that of what the new coefficients leave over.

        Raises:
            ValueError: for another shape, or a series too short to determine the coefficients.

        >>> turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
        >>> corners = [torch.matrix_power(turn, k)[0] for k in range(8)]
        >>> model = VectorAutoregression.learn(torch.stack(corners))
        >>> torch.allclose(model.coefficients[0].float(), turn.T, atol=1e-6)
        True
        """
        if series.ndim != 2:
            raise ValueError(f"series has shape {tuple(series.shape)}; expected (T, d)")
        length, d = series.shape
        if order < 1:
            raise ValueError(f"order is {order}; expected 1 or more")
        if length - order < order * d:
            raise ValueError(
                f"the series has {length} frames; {order} x {d} coefficients a state need at "
                f"least {order * d + order}: take more frames, fewer states or a lower order"
            )
        x = series.detach().double()
        mean = x.mean(0) if centre else torch.zeros(d, dtype=x.dtype)
        x = x - mean
        past = torch.cat([x[order - k : length - k] for k in range(1, order + 1)], dim=1)
        # The pseudo-inverse leaves states alone that never move, as in a pattern that repeats.
        stacked = torch.linalg.pinv(past, rtol=1e-9) @ x[order:]  # (p d, d)
        coefficients = stacked.reshape(order, d, d).transpose(1, 2)
        if stabilise:
            coefficients = stabilised(coefficients)
        forecast = past @ coefficients.transpose(1, 2).reshape(order * d, d)
        residual = x[order:] - forecast
        return cls(coefficients, mean, residual.T @ residual / len(residual))

    @property
    def order(self) -> int:
        """p."""
        return len(self.coefficients)

    @property
    def spectral_radius(self) -> float:
        """Largest modulus of an eigenvalue of the companion matrix; stationary if below 1."""
        return float(torch.linalg.eigvals(companion(self.coefficients)).abs().max())

    def simulate(self, start: Tensor, frames: int, *, seed: int = 0, noise: bool = True) -> Tensor:
        """Run the recursion on from given values.

        Args:
            start: (p, d), the values before the first that is made, oldest first.
            frames: how many values to make.
            seed: of the innovations.
            noise: False leaves the innovations out, which gives the forecast.

        Returns:
            (frames, d), float64.

        Raises:
            ValueError: if `start` has another shape.
        """
        p, d = self.order, len(self.mean)
        if start.shape != (p, d):
            raise ValueError(f"start has shape {tuple(start.shape)}; expected ({p}, {d})")
        values, vectors = torch.linalg.eigh(self.covariance)
        root = vectors * values.clamp_min(0).sqrt()  # of Q, which may be singular
        random = torch.Generator().manual_seed(seed)
        flat = self.coefficients.transpose(0, 1).reshape(d, p * d)
        recent = (start.detach().double() - self.mean).flip(0).flatten()  # newest first
        made = []
        for _ in range(frames):  # drawn one by one: a longer run begins with the shorter
            x = flat @ recent
            if noise:
                x = x + root @ torch.randn(d, generator=random, dtype=root.dtype)
            made.append(x)
            recent = torch.cat([x, recent[: (p - 1) * d]])
        return torch.stack(made) + self.mean if made else start.new_empty(0, d).double()


def companion(coefficients: Tensor) -> Tensor:
    """The (p d, p d) matrix that steps p values at once: its powers say what the past becomes."""
    p, d, _ = coefficients.shape
    top = coefficients.transpose(0, 1).reshape(d, p * d)
    return torch.cat([top, torch.eye((p - 1) * d, p * d, dtype=top.dtype)])


def stabilised(coefficients: Tensor, limit: float = STABLE) -> Tensor:
    """Coefficients with a spectral radius of at most `limit`; see `VectorAutoregression.learn`."""
    values, vectors = torch.linalg.eig(companion(coefficients))
    size = values.abs()
    if size.max() <= limit:
        return coefficients
    if len(coefficients) == 1:
        clipped = values * (limit / size).clamp(max=1)
        return (vectors * clipped @ torch.linalg.inv(vectors)).real[None]
    powers = torch.arange(1, len(coefficients) + 1, dtype=size.dtype)
    return coefficients * ((limit / size.max()) ** powers)[:, None, None]
