"""Moment matching: what fresh draws show must vary as much as the training videos do.

Algorithm 1 corrects the network only at the latents that it infers. Between those it answers with
blends, and a blend of two pictures has less contrast than either: a fresh synthesis (section 4.1)
moves too little. So the learning step may look at fresh draws, too, and compare how much they vary
with how much the training videos do. Only these sizes are compared, place by place; no frame of a
draw is compared with a frame of a video. Sizes know nothing of shape: where a pattern is stationary
in space, too, the term may also compare the whole law of small patches (`abplib.texture`). The
paper has no such term: it is an option, to be declared where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from abplib.priors import Prior
from abplib.texture import Texture

SMALLEST = 1e-5  # added to variances: the square root has no gradient at zero
REFIT = 25  # iterations between two fits of the law of the draws


class MomentMatching:
    """The squared distance of fresh draws' moments to the training videos'; an `abplib.abp.Extra`.

    The moments are root mean squares over time, for each pixel and colour: of the departure from
    the mean, and of the difference of successive frames. For a model that is stationary in space,
    too, they are taken over space as well, one value for each colour; then the differences of
    neighbouring pixels in height and width have moments of their own.

    Args:
        generator: maps latents (n, d, T0, H0, W0) to videos (n, C, T, H, W).
        videos: the training videos (N, C, T, H, W).
        latent_shape: (d, T0, H0, W0) of a draw.
        weight: of the term, beside a squared error of weight 1: a moment that is off by so much at
            each place counts as an error of that size in each value of a video.
        draws: how many draws an iteration looks at, together.
        in_space: whether the model is stationary in space.
        own_mean: take the departure from each video's own mean over time, not from the mean of all
            training videos: for many different clips.
        texture: weight, beside a moment's, of the distance of the draws' texture to the training
            videos'; 0: none.
        first: iteration from which on the term is used; it is zero before.
        fit: the law of the draws, from the latents of all examples; fitted anew every 25
            iterations. None: N(0, I).
        seed: of the draws. Each iteration's follows from this and its number.

    Raises:
        ValueError: for videos of another shape, or too short to differ in time.

    >>> videos = torch.randn(1, 3, 400, 4, 4, generator=torch.Generator().manual_seed(0))
    >>> right = MomentMatching(lambda z: z, videos, (3, 400, 4, 4))
    >>> still = MomentMatching(lambda z: 0 * z, videos, (3, 400, 4, 4))
    >>> bool(right(0, videos) < 0.02 * still(0, videos))
    True
    """

    def __init__(
        self,
        generator: Callable[[Tensor], Tensor],
        videos: Tensor,
        latent_shape: Sequence[int],
        *,
        weight: float = 1.0,
        draws: int = 1,
        in_space: bool = False,
        own_mean: bool = False,
        texture: float = 0.0,
        first: int = 0,
        fit: Callable[[Tensor], Prior | None] | None = None,
        seed: int = 0,
    ) -> None:
        if videos.ndim != 5 or videos.shape[2] < 2:
            raise ValueError(
                f"videos have shape {tuple(videos.shape)}; expected (N, C, T, H, W), T at least 2"
            )
        self.generator, self.latent_shape = generator, tuple(latent_shape)
        self.weight, self.draws, self.first, self.seed = weight, draws, first, seed
        self.fit = fit
        self.fitted_to: Tensor | None = None
        self.law: Prior | None = None
        self.values = videos[0].numel()
        self.axes = (0, 2, 3, 4) if in_space else (0, 2)
        self.steps = (2, 3, 4) if in_space else (2,)
        self.texture = texture
        self.windows = Texture(videos, seed=seed) if texture else None
        self.mean = None if own_mean else videos.mean(self.axes, keepdim=True)
        with torch.no_grad():
            self.wanted = self.moments(videos)

    def moments(self, videos: Tensor) -> list[Tensor]:
        """Root mean squares of each signal of videos (N, C, T, H, W), taken together."""
        departure = videos - (videos.mean(2, keepdim=True) if self.mean is None else self.mean)
        sizes = [departure.square().mean(self.axes)]
        sizes += [videos.diff(dim=axis).square().mean(self.axes) for axis in self.steps]
        return [(size + SMALLEST).sqrt() for size in sizes]

    def draw(self, iteration: int, latents: Tensor) -> Tensor:
        """Fresh latents (draws, d, T0, H0, W0) of an iteration, on the device of `latents`."""
        seed = 1_000_003 * self.seed + iteration
        if self.fit is not None and (self.fitted_to is None or iteration % REFIT == 0):
            self._fit(latents.detach().clone())
        if self.law is not None:
            z = self.law.draw(self.latent_shape, self.draws, seed=seed)
        else:
            random = torch.Generator().manual_seed(seed)
            z = torch.randn((self.draws, *self.latent_shape), generator=random)
        return z.to(latents.device)

    def __call__(self, iteration: int, latents: Tensor) -> Tensor:
        """The term of one iteration's loss, a scalar."""
        if iteration < self.first:
            return torch.zeros((), device=latents.device)
        video = self.generator(self.draw(iteration, latents))
        pairs = zip(self.moments(video), self.wanted, strict=True)
        off = torch.stack([(a - b).square().mean() for a, b in pairs]).sum()
        if self.windows is not None:
            random = torch.Generator().manual_seed(1_000_003 * self.seed + iteration)
            off = off + self.texture * self.windows.distance(video, random)
        return 0.5 * self.weight * self.values * off

    def state(self) -> dict[str, Any]:
        """The latents that the law of the draws was last fitted to."""
        return {"fitted_to": self.fitted_to}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a `state`."""
        if state["fitted_to"] is not None:
            self._fit(state["fitted_to"])

    def _fit(self, latents: Tensor) -> None:
        self.fitted_to = latents
        self.law = self.fit(latents) if self.fit is not None else None
