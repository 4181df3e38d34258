"""What the three spatial-temporal generators share: four doubling layers, a bias and tanh.

The last four layers each double time, height and width, so one latent step spans 16 frames or 16
pixels.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn

from abplib.generators.layers import Norm, filters, initialise, layer

Padding = Literal["same", "valid"]
Shape4 = tuple[int, int, int, int]


class SpatialTemporalGenerator(nn.Module, ABC):
    """A top, three doubling layers, a last doubling layer, an output bias and tanh.

    Build `Model1`, `Model2` or `Model3`; they differ in the top and in what is stationary. Options
    that they share:

    Args:
        latent_channels: number of latent channels (the paper's M).
        width: multiplies every number of filters; 1 is the paper's.
        padding: "same" (the paper) or "valid"; see `abplib.generators`.
        norm: "batch" (the paper), "sequence" (each sequence by its own statistics over time and
            space, so that no chain depends on another) or "none".
        slope: of the leaky ReLU; 0 is the paper's ReLU.
        channels: 3 for colour, 1 for grey.

    Raises:
        ValueError: for an option that is not one of those above.
    """

    name: str
    stationary_in_space = False

    def __init__(
        self,
        top: nn.Module,
        top_channels: int,
        *,
        latent_channels: int,
        width: float,
        padding: Padding,
        valid_space: bool,
        norm: Norm,
        slope: float,
        channels: int,
        bias_size: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__()
        if padding not in ("same", "valid"):
            raise ValueError(f"padding is {padding!r}; expected 'same' or 'valid'")
        self.latent_channels, self.channels, self.padding = latent_channels, channels, padding
        # Cutting 2 instead of 1 from each end of a doubled axis cuts all that zeros have touched.
        time = 2 if padding == "valid" else 1
        space = 2 if padding == "valid" and valid_space else 1
        pad = (time, space, space)
        sizes = [top_channels, *(filters(c, width) for c in (256, 128, 64))]
        self.top = top
        self.doubling = nn.Sequential(
            *(layer(a, b, 4, 2, pad, norm=norm, slope=slope) for a, b in itertools.pairwise(sizes))
        )
        self.last = nn.ConvTranspose3d(sizes[-1], channels, 4, 2, pad, bias=False)
        initialise(self.last, normalised=True, slope=slope)
        self.bias = nn.Parameter(torch.zeros(channels, 1, *bias_size))
        self._spare = (time - 1, space - 1, space - 1)  # frames and pixels left over at each end

    def forward(self, z: Tensor) -> Tensor:
        """Generate videos (N, C, T, H, W) in (-1, 1) from latents (N, d, T0, H0, W0).

        Raises:
            ValueError: if the latent has another shape than the model's.
        """
        if z.ndim != 5 or z.shape[1] != self.latent_channels:
            raise ValueError(
                f"latent has shape {tuple(z.shape)}; {self.name} expects "
                f"(N, {self.latent_channels}, T0, H0, W0): see latent_shape"
            )
        self.check_latent(z)
        x = self.doubling(self.top(z))
        # A fast last layer (abplib.kernels) adds the bias of a colour and takes the tanh itself.
        bounds = getattr(self.last, "bounds", False) and self.bias[0].numel() == 1
        x = self.last(x, bias=self.bias) if bounds else self.last(x)
        for axis, spare in enumerate(self._spare, start=2):
            if spare:
                x = x.narrow(axis, spare, x.shape[axis] - 2 * spare)
        return x if bounds else torch.tanh(x + self.bias)

    @abstractmethod
    def check_latent(self, z: Tensor) -> None:
        """Raise ValueError where the latent has too few frames or a wrong plane."""

    @abstractmethod
    def latent_shape(self, frames: int, height: int, width: int) -> Shape4:
        """The latent (d, T0, H0, W0) that generates a video of this size (frames, pixels).

        Raises:
            ValueError: if no latent makes exactly this size.
        """

    def steps(self, size: int, what: str, margin: int = 0) -> int:
        """Latent steps for `size` frames or pixels, margin included."""
        if size < 16 or size % 16:
            near = max(16, size - size % 16)
            raise ValueError(
                f"video has {size} {what}; {self.name} makes multiples of 16: "
                f"crop it to {near} or resize it"
            )
        return size // 16 + margin

    @torch.no_grad()
    def start_at_mean(self, video: Tensor, observed: Tensor | None = None) -> None:
        """Start the output bias, which is added before tanh, at the mean of what is observed.

        The mean is over the videos and over every axis along which the model is stationary. The
        paper starts at zero; this is an improvement over it, to be declared where it is used.

        Args:
            video: (N, C, T, H, W) in [-1, 1].
            observed: bool, broadcastable to `video`; None: all of it.

        Raises:
            ValueError: if the frames do not have the generator's size.
        """
        if self.bias.shape[-1] > 1 and video.shape[-2:] != self.bias.shape[-2:]:
            raise ValueError(
                f"video has frames of {tuple(video.shape[-2:])} pixels; this generator makes "
                f"{tuple(self.bias.shape[-2:])}: build it with that frame_size"
            )
        seen = torch.ones_like(video) if observed is None else observed.expand_as(video).float()
        axes = tuple(a for a in (0, 2, 3, 4) if a == 0 or self.bias.shape[a - 1] == 1)
        count = seen.sum(axes, keepdim=True)
        everywhere = (video * seen).sum((0, 2, 3, 4), keepdim=True) / seen.sum((0, 2, 3, 4), True)
        mean = (video * seen).sum(axes, keepdim=True) / count.clamp(min=1)
        mean = torch.where(count > 0, mean, everywhere.expand_as(mean))
        self.bias.copy_(torch.atanh(mean[0].clamp(-0.97, 0.97)))
