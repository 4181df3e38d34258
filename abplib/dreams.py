"""Dreams: what the model itself generates, to learn inference from (section 3.3).

    Z~ ~ p(Z),   I~ ~ p(I | Z~; W)

Of a dream the latent is known. A network that is to guess latents from videos can therefore be
taught on dreams, as in learned initialisation (R(V) of section 3.3) and in the sleep phase of
wake-sleep. Options, all off by default: dreams with hidden pixels, and dreams near the latents of
the training videos.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from abplib import masks
from abplib.posterior import View, frozen

NAMED = ("all", "own")  # beside those of abplib.masks.named


@dataclass(frozen=True)
class Dreams:
    """A source of pairs (Z~, I~) of one view's generator.

    Args:
        view: its generator, sigma and weight; its masks, where ``"own"`` asks for them.
        masks: for each dream a mask is drawn by one of these names: those of
            `abplib.masks.named`, ``"all"`` (all pixels observed), ``"own"`` (the mask of a random
            example of the view). Empty: all pixels observed.
        noise: add the noise of eq. 1 to the video, with the standard deviation
            sigma / sqrt(weight) that the energy implies. False: I~ = G(Z~).

    Raises:
        ValueError: for ``"own"`` where the view has no masks.
    """

    view: View
    masks: tuple[str, ...] = ()
    noise: bool = True

    def __post_init__(self) -> None:
        if "own" in self.masks and self.view.observed is None:
            raise ValueError("masks has 'own', but the view has no masks: observed is None")

    @torch.no_grad()
    def draw(self, z: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Generate from latents.

        Args:
            z: (N, d, ...).
            random: the source of noise and masks, on z's device.

        Returns:
            The videos (N, C, ...), without a gradient, and which of their pixels count as
            observed: bool, or None for all of them.
        """
        with frozen(self.view):
            video = self.view.generator(z)
        if self.noise:
            spread = self.view.sigma / math.sqrt(self.view.weight)
            video = video + spread * torch.empty_like(video).normal_(generator=random)
        return video, self.hide(video, random)

    def hide(self, video: Tensor, random: torch.Generator) -> Tensor | None:
        """Masks for videos (N, C, ...), each of a kind drawn from `masks`; None: all observed."""
        if not self.masks or self.masks == ("all",):
            return None
        n, place = len(video), video.device
        which = torch.randint(len(self.masks), (n,), generator=random, device=place)
        seed = int(torch.randint(2**31, (), generator=random, device=place))
        seen = torch.ones(n, 1, *video.shape[2:], dtype=torch.bool, device=place)
        if video.ndim == 2:
            seen = torch.ones_like(video, dtype=torch.bool)
        for k, name in enumerate(self.masks):
            rows = (which == k).nonzero().flatten()
            if name == "all" or len(rows) == 0:
                continue
            if name == "own":
                there = self.view.observed
                assert there is not None  # as __post_init__ has seen to
                there = there.expand(len(self.view.data), *there.shape[1:])
                chosen = torch.randint(len(there), (len(rows),), generator=random, device=place)
                drawn = there[chosen]
                if video.ndim > 2:
                    drawn = drawn.all(1, keepdim=True)
            else:
                drawn = masks.named(name, (len(rows), *video.shape[2:]), seed + k).to(place)
            seen[rows] = drawn.expand_as(seen[rows])
        return seen


def latents(
    shape: Sequence[int],
    random: torch.Generator,
    near: Tensor | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Latents to dream of: from the prior, or on the way from it to given ones.

    Args:
        shape: (N, d, ...).
        random: on the device where the latents shall be.
        near: (M, d, ...) latents of training videos. Each dream is then at
            sqrt(1 - r^2) z + r e, for a random one z of them, e from the prior and r uniform in
            (0, 1): r = 1 is the prior, r = 0 the training video's latent. The sum has unit
            variance wherever z has.

    >>> random = torch.Generator().manual_seed(0)
    >>> far = latents((4000, 1), random, near=torch.full((3, 1), 5.0))
    >>> round(float(far.mean()))  # 5 E[sqrt(1 - r^2)] = 5 pi / 4
    4
    """
    noise = torch.randn(tuple(shape), generator=random, device=random.device, dtype=dtype)
    if near is None:
        return noise
    ones = [1] * (noise.ndim - 1)
    chosen = torch.randint(len(near), (len(noise),), generator=random, device=random.device)
    r = torch.rand(len(noise), *ones, generator=random, device=random.device)
    return (1 - r.square()).sqrt() * near[chosen] + r * noise
