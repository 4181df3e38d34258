"""Equation 1: the top-down networks G(Z; W) that turn latent factors into video.

    I = G(Z; W) + noise,   Z_k ~ N(0, 1),   noise ~ N(0, sigma^2)                     (eq. 1)

Three spatial-temporal generators, one for each kind of stationarity (section 3.1), and a linear
one, with which the whole method can be checked against closed forms.

Videos are (N, C, T, H, W), latents (N, d, T0, H0, W0). The last four layers each double time,
height and width, so one latent step spans 16 frames or 16 pixels.

Padding decides what the network knows about absolute position:

* ``"same"`` (the paper) surrounds every layer with zeros. The ends then differ from the middle, so
  the network can tell what time it is, and can replay its clip.
* ``"valid"`` gives the latent a margin and keeps only the outputs that no such zero has touched.
  A shift of the latent then shifts the video and does nothing else: that is stationarity.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Padding = Literal["same", "valid"]
Norm = Literal["batch", "sequence", "none"]
Shape4 = tuple[int, int, int, int]
Triple = tuple[int, int, int]


class BatchNorm(nn.BatchNorm3d):
    """Batch normalisation whose running statistics can be left alone.

    Twenty Langevin steps are twenty forward passes. They must not count as twenty updates of the
    running statistics, so `abplib.posterior.frozen` sets `update_statistics` to False meanwhile.
    """

    update_statistics = True

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not self.update_statistics:
            return F.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps)
        return super().forward(x)


def layer(
    inputs: int,
    outputs: int,
    kernel: int | Triple,
    stride: int | Triple,
    padding: int | Triple,
    *,
    norm: Norm,
    slope: float,
) -> nn.Sequential:
    """Deconvolution, normalisation, (leaky) ReLU: one layer of section 4, all but the last."""
    norms: dict[str, Callable[[], nn.Module]] = {
        "batch": lambda: BatchNorm(outputs),
        "sequence": lambda: nn.InstanceNorm3d(outputs, affine=True),
        "none": nn.Identity,
    }
    if norm not in norms:
        raise ValueError(f"norm is {norm!r}; expected one of {', '.join(map(repr, norms))}")
    deconv = nn.ConvTranspose3d(inputs, outputs, kernel, stride, padding, bias=norm == "none")
    initialise(deconv, normalised=norm != "none", slope=slope)
    return nn.Sequential(deconv, norms[norm](), nn.LeakyReLU(slope))


def initialise(deconv: nn.ConvTranspose3d, *, normalised: bool, slope: float) -> None:
    """N(0, 0.02^2) where a normalisation follows; else He's variance, which keeps the scale."""
    reach = math.prod(-(-k // s) for k, s in zip(deconv.kernel_size, deconv.stride, strict=True))
    he = math.sqrt(2 / ((1 + slope**2) * deconv.in_channels * reach))
    nn.init.normal_(deconv.weight, 0.0, 0.02 if normalised else he)
    if deconv.bias is not None:
        nn.init.zeros_(deconv.bias)


class SpatialTemporalGenerator(nn.Module, ABC):
    """A top, three doubling layers, a last doubling layer, an output bias and tanh.

    Build `Model1`, `Model2` or `Model3`; they differ in the top and in what is stationary. Options
    that they share:

    Args:
        latent_channels: number of latent channels (the paper's M).
        width: multiplies every number of filters; 1 is the paper's.
        padding: "same" (the paper) or "valid"; see the head of this module.
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
        x = self.last(self.doubling(self.top(z)))
        for axis, spare in enumerate(self._spare, start=2):
            if spare:
                x = x.narrow(axis, spare, x.shape[axis] - 2 * spare)
        return torch.tanh(x + self.bias)

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


def filters(paper: int, width: float) -> int:
    """A number of filters at a fraction of the paper's width, at least 4."""
    return max(4, round(paper * width))


class Model1(SpatialTemporalGenerator):
    """Stationary in space and time (section 3.1, model 1): water waves, rain, snow.

    Z is a small video of white noise, (N, d, T0, H0, W0); every layer is convolutional. A larger
    latent makes a larger or longer video. The paper: d = 2, (T0, H0, W0) = (4, 8, 8), which makes
    64 frames of 128 x 128.

    >>> g = Model1(width=1 / 32)
    >>> g.latent_shape(64, 128, 128)
    (2, 6, 10, 10)
    >>> g(torch.zeros(1, 2, 3, 4, 5)).shape
    torch.Size([1, 3, 16, 32, 48])
    """

    name = "Model-1"
    stationary_in_space = True

    def __init__(
        self,
        latent_channels: int = 2,
        *,
        width: float = 1.0,
        padding: Padding = "valid",
        norm: Norm = "batch",
        slope: float = 0.0,
        channels: int = 3,
    ) -> None:
        super().__init__(
            nn.Identity(),
            latent_channels,
            latent_channels=latent_channels,
            width=width,
            padding=padding,
            valid_space=True,
            norm=norm,
            slope=slope,
            channels=channels,
        )
        self.margin = 2 if padding == "valid" else 0

    def latent_shape(self, frames: int, height: int, width: int) -> Shape4:
        """See `SpatialTemporalGenerator.latent_shape`; any multiple of 16 on each axis."""
        sizes = ((frames, "frames"), (height, "rows"), (width, "columns"))
        t, h, w = (self.steps(size, what, self.margin) for size, what in sizes)
        return (self.latent_channels, t, h, w)

    def check_latent(self, z: Tensor) -> None:
        """Raise ValueError where an axis is no longer than the margin."""
        if min(z.shape[2:]) <= self.margin:
            raise ValueError(
                f"latent has size {tuple(z.shape[2:])}; with padding='valid' {self.margin} steps "
                f"of each axis are margin: make each at least {self.margin + 1}"
            )


class Model2(SpatialTemporalGenerator):
    """Stationary in time only (section 3.1, model 2): fire, flags, flashing light.

    Z is a white-noise signal in time, (N, d, T0, 1, 1). The first layer lays each latent frame out
    on a plane of one pixel for 16 pixels of the video; the second mixes that plane fully. A longer
    latent makes a longer video. The paper: d = 20, frames of 64 x 64, a 7 x 7 x 7 second layer.

    Args:
        frame_size: (height, width) of the video in pixels, multiples of 16.
        time_kernel: frames that the second layer's kernel spans, odd; the paper's is 7.
        frame_bias: give the output bias a value for each pixel; the paper has no output bias.

    >>> g = Model2(width=1 / 32)
    >>> g.latent_shape(64, 64, 64)
    (20, 12, 1, 1)
    >>> Model2(width=1 / 32, padding="same").latent_shape(64, 64, 64)
    (20, 4, 1, 1)
    """

    name = "Model-2"

    def __init__(
        self,
        latent_channels: int = 20,
        *,
        frame_size: tuple[int, int] = (64, 64),
        time_kernel: int = 7,
        frame_bias: bool = False,
        width: float = 1.0,
        padding: Padding = "valid",
        norm: Norm = "batch",
        slope: float = 0.0,
        channels: int = 3,
    ) -> None:
        if time_kernel < 1 or time_kernel % 2 == 0:
            raise ValueError(f"time_kernel is {time_kernel}; expected an odd number of frames")
        half = time_kernel // 2
        kernel = (1, frame_size[0] // 16, frame_size[1] // 16)
        first, second = filters(512, width), filters(64, width)
        cut = 2 * half if padding == "valid" else half
        top = nn.Sequential(
            layer(latent_channels, first, kernel, 1, 0, norm=norm, slope=slope),
            layer(first, second, (time_kernel, 7, 7), 1, (cut, 3, 3), norm=norm, slope=slope),
        )
        super().__init__(
            top,
            second,
            latent_channels=latent_channels,
            width=width,
            padding=padding,
            valid_space=False,
            norm=norm,
            slope=slope,
            channels=channels,
            bias_size=frame_size if frame_bias else (1, 1),
        )
        self.frame_size = frame_size
        self.margin = 2 + 2 * half if padding == "valid" else 0
        for pixels, what in zip(frame_size, ("rows", "columns"), strict=True):
            self.steps(pixels, what)

    def latent_shape(self, frames: int, height: int, width: int) -> Shape4:
        """See `SpatialTemporalGenerator.latent_shape`; frames must be a multiple of 16."""
        if (height, width) != tuple(self.frame_size):
            raise ValueError(
                f"video has frames of {height} x {width} pixels; this {self.name} makes "
                f"{self.frame_size[0]} x {self.frame_size[1]}: pass frame_size=({height}, {width})"
            )
        return (self.latent_channels, self.steps(frames, "frames", self.margin), 1, 1)

    def check_latent(self, z: Tensor) -> None:
        """Raise ValueError where there are too few latent frames, or a plane of them."""
        if z.shape[2] <= self.margin or z.shape[3:] != (1, 1):
            raise ValueError(
                f"latent has size {tuple(z.shape[2:])}; {self.name} with padding="
                f"{self.padding!r} needs (T0, 1, 1) with T0 > {self.margin}: see latent_shape"
            )


class Model3(SpatialTemporalGenerator):
    """Stationary in nothing (section 3.1, model 3): actions. Learned from many short clips.

    Z is one vector a clip, (N, d, 1, 1, 1). The paper: d = 20 in section 4.1 and 100 in 4.2, and
    32 frames of 64 x 64. As printed, its 7 x 7 x 7 layer with "same" padding would give 16 frames.
    Here one latent frame becomes two in that layer, and only two of its seven temporal taps ever
    meet data, so only those are kept: 19.3M weights instead of 67.4M. With padding="valid" four
    taps are kept, and no later layer sees zeros in time.

    >>> g = Model3(width=1 / 32)
    >>> g(torch.zeros(2, 100, 1, 1, 1)).shape
    torch.Size([2, 3, 32, 64, 64])
    """

    name = "Model-3"

    def __init__(
        self,
        latent_channels: int = 100,
        *,
        frame_size: tuple[int, int] = (64, 64),
        frames: int = 32,
        frame_bias: bool = False,
        width: float = 1.0,
        padding: Padding = "same",
        norm: Norm = "batch",
        slope: float = 0.0,
        channels: int = 3,
    ) -> None:
        kernel = (1, frame_size[0] // 16, frame_size[1] // 16)
        first, second = filters(512, width), filters(384, width)
        taps = frames // 16 + (2 if padding == "valid" else 0)
        top = nn.Sequential(
            layer(latent_channels, first, kernel, 1, 0, norm=norm, slope=slope),
            layer(first, second, (taps, 7, 7), 1, (0, 3, 3), norm=norm, slope=slope),
        )
        super().__init__(
            top,
            second,
            latent_channels=latent_channels,
            width=width,
            padding=padding,
            valid_space=False,
            norm=norm,
            slope=slope,
            channels=channels,
            bias_size=frame_size if frame_bias else (1, 1),
        )
        self.size = (frames, *frame_size)
        for size, what in zip(self.size, ("frames", "rows", "columns"), strict=True):
            self.steps(size, what)

    def latent_shape(self, frames: int, height: int, width: int) -> Shape4:
        """See `SpatialTemporalGenerator.latent_shape`; this model makes one size only."""
        if (frames, height, width) != self.size:
            raise ValueError(
                f"video has size {(frames, height, width)}; this {self.name} makes {self.size}: "
                f"pass frames={frames} and frame_size=({height}, {width})"
            )
        return (self.latent_channels, 1, 1, 1)

    def check_latent(self, z: Tensor) -> None:
        """Raise ValueError where the latent is more than one vector a clip."""
        if z.shape[2:] != (1, 1, 1):
            raise ValueError(f"latent has size {tuple(z.shape[2:])}; Model-3 expects (1, 1, 1)")


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
