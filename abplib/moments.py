"""Moment matching: what fresh draws show must vary as much as the training video does.

Algorithm 1 corrects the network only at the latents that it infers. Between those it answers with
blends, and a blend of two pictures has less contrast than either: a fresh synthesis (section 4.1)
moves too little. So the learning step may look at a fresh draw, too, and compare how much it varies
with how much the training video does. Only these sizes are compared, place by place; no frame of
the draw is compared with a frame of the video. The paper has no such term: it is an option, to be
declared where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

SMALLEST = 1e-5  # added to variances: the square root has no gradient at zero


class MomentMatching:
    """The squared distance of a fresh draw's moments to the training video's.

    The moments are root mean squares over time, of three signals: the departure from the training
    video's mean, the difference of successive frames, and the differences of neighbouring pixels of
    that departure. A model that is stationary in space, too, has one value for each colour; else
    there is one for each pixel and colour.

    Args:
        generator: maps latents (1, d, T0, H0, W0) to a video (1, C, T, H, W).
        videos: the training videos (N, C, T, H, W).
        latent_shape: (d, T0, H0, W0) of a draw.
        weight: of the term, beside a squared error of weight 1: a moment that is off by so much at
            each place counts as an error of that size in each value of the video.
        in_space: whether the moments are means over space, too.
        first: iteration from which on the term is used; it is zero before.
        seed: of the draws. Each iteration's follows from this and its number alone.

    Raises:
        ValueError: for videos of another shape, or too short to differ in time.

    >>> videos = torch.randn(1, 3, 400, 4, 4, generator=torch.Generator().manual_seed(0))
    >>> right = MomentMatching(lambda z: z, videos, (3, 400, 4, 4))
    >>> still = MomentMatching(lambda z: 0 * z, videos, (3, 400, 4, 4))
    >>> bool(right(0) < 0.02 * still(0))
    True
    """

    def __init__(
        self,
        generator: Callable[[Tensor], Tensor],
        videos: Tensor,
        latent_shape: Sequence[int],
        *,
        weight: float = 1.0,
        in_space: bool = False,
        first: int = 0,
        seed: int = 0,
    ) -> None:
        if videos.ndim != 5 or videos.shape[2] < 2:
            raise ValueError(
                f"videos have shape {tuple(videos.shape)}; expected (N, C, T, H, W), T at least 2"
            )
        self.generator, self.latent_shape = generator, tuple(latent_shape)
        self.weight, self.first, self.seed = weight, first, seed
        self.values = videos[0].numel()
        self.axes = (0, 2, 3, 4) if in_space else (0, 2)
        self.mean = videos.mean(self.axes, keepdim=True)
        with torch.no_grad():
            self.wanted = self.moments(videos)

    def moments(self, videos: Tensor) -> list[Tensor]:
        """Root mean squares of each signal of videos (N, C, T, H, W), taken together."""
        departure = videos - self.mean
        sizes = [departure.square().mean(self.axes)]
        sizes += [departure.diff(dim=axis).square().mean(self.axes) for axis in (2, 3, 4)]
        return [(size + SMALLEST).sqrt() for size in sizes]

    def __call__(self, iteration: int) -> Tensor:
        """The term of one iteration's loss, a scalar; see `abplib.ABP`'s ``extra``."""
        device = self.mean.device
        if iteration < self.first:
            return torch.zeros((), device=device)
        random = torch.Generator().manual_seed(1_000_003 * self.seed + iteration)
        z = torch.randn((1, *self.latent_shape), generator=random)
        made = self.moments(self.generator(z.to(device)))
        off = [(a - b).square().mean() for a, b in zip(made, self.wanted, strict=True)]
        return 0.5 * self.weight * self.values * torch.stack(off).sum()
