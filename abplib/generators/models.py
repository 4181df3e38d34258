"""Model-1, Model-2 and Model-3: one generator for each kind of stationarity (section 3.1)."""

from __future__ import annotations

from torch import Tensor, nn

from abplib.generators.layers import Norm, filters, layer
from abplib.generators.spatial_temporal import Padding, Shape4, SpatialTemporalGenerator


class Model1(SpatialTemporalGenerator):
    """Stationary in space and time (section 3.1, model 1): water waves, rain, snow.

    Z is a small video of white noise, (N, d, T0, H0, W0); every layer is convolutional. A larger
    latent makes a larger or longer video. The paper: d = 2, (T0, H0, W0) = (4, 8, 8), which makes
    64 frames of 128 x 128.

    >>> import torch
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

    >>> import torch
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
