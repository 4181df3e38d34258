"""Linear dynamical system for dynamic textures (Doretto et al. 2003, the paper's [5]).

    I_t = m + C x_t,     x_{t+1} = A x_t + v_t,     v_t ~ N(0, Q)

Factor analysis of the frames (section 3.1, with one factor vector a frame) and a linear step from
frame to frame. Learning is in closed form: m is the mean frame, C holds the first left singular
vectors of the centred clip, the states are what multiplies them, A is least squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from abplib.baselines.autoregression import VectorAutoregression


@dataclass(frozen=True, eq=False)
class LinearDynamics:
    """A learned linear dynamical system; see `learn`.

    Args:
        mean: (C, 1, H, W), the mean frame.
        basis: (C, H, W, n), orthonormal pictures, one a state.
        states: (T, n), those of the training clip, in pixel units.
        dynamics: A and Q, a first-order autoregression of the states.
    """

    mean: Tensor
    basis: Tensor
    states: Tensor
    dynamics: VectorAutoregression

    @classmethod
    def learn(cls, clip: Tensor, states: int = 20, *, stabilise: bool = False) -> LinearDynamics:
        """Learn from one clip.

        Args:
            clip: (C, T, H, W).
            states: n, the paper's 20 for a frame.
            stabilise: scale the eigenvalues of A that are larger than 0.99 down to it. Not in
                [5]; without it a synthesis explodes wherever least squares gives a spectral
                radius above 1.

        Raises:
            ValueError: for another shape, values that are not finite, and unless there are more
                frames than states.

        >>> clip = torch.rand(3, 30, 16, 16, generator=torch.Generator().manual_seed(0))
        >>> model = LinearDynamics.learn(clip, states=5)
        >>> model.synthesise(100, seed=1).shape
        torch.Size([3, 100, 16, 16])
        """
        if clip.ndim != 4 or not torch.isfinite(clip).all():
            raise ValueError(
                f"clip has shape {tuple(clip.shape)} or values that are not finite; expected "
                "(C, T, H, W), all finite"
            )
        if not 1 <= states < clip.shape[1]:
            raise ValueError(
                f"{states} states from {clip.shape[1]} frames; expected at least 1 state and more "
                "frames than states: take a longer clip or fewer states"
            )
        frames = clip.detach().double().transpose(0, 1)  # (T, C, H, W)
        mean = frames.mean(0)
        rows = (frames - mean).flatten(1)
        left, sizes, pictures = torch.linalg.svd(rows, full_matrices=False)
        x = left[:, :states] * sizes[:states]
        if x.shape[1] < states:
            raise ValueError(f"frames of {rows.shape[1]} values have no {states} states")
        basis = pictures[:states].T.reshape(*mean.shape, states)
        dynamics = VectorAutoregression.learn(x, centre=False, stabilise=stabilise)
        return cls(mean[:, None].float(), basis.float(), x, dynamics)

    @property
    def spectral_radius(self) -> float:
        """Largest modulus of an eigenvalue of A; a synthesis is stationary if it is below 1."""
        return self.dynamics.spectral_radius

    def render(self, states: Tensor) -> Tensor:
        """Frames m + C x of states (T, n): (C, T, H, W). They may leave [-1, 1]."""
        return self.mean + torch.einsum("chwn,tn->cthw", self.basis, states.float())

    def synthesise(
        self, frames: int, *, seed: int = 0, start: int = 0, clamp: bool = True
    ) -> Tensor:
        """Run on from a frame of the training clip.

        Args:
            frames: how many to make, any number.
            seed: of the noise.
            start: the training frame that the first new one follows.
            clamp: cut what leaves [-1, 1]; False shows how far it leaves it.

        Returns:
            (C, frames, H, W).

        Raises:
            ValueError: if there is no such training frame.
        """
        if not 0 <= start < len(self.states):
            raise ValueError(f"start is {start}; expected a frame from 0 to {len(self.states) - 1}")
        states = self.dynamics.simulate(self.states[start : start + 1], frames, seed=seed)
        video = self.render(states)
        return video.clamp(-1, 1) if clamp else video
