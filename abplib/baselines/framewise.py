"""Frame-wise ABP with an autoregression on its latents (the paper's [9], for Figure 2).

Every frame is a picture with a latent vector of its own: I_t = G(Z_t; W) + noise, Z_t ~ N(0, I).
Algorithm 1 learns G from the frames as if their order did not matter. The order comes in
afterwards, as an autoregression of the latents that were inferred. It is `LinearDynamics` with a
network in the place of its linear map.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from abplib.abp import ABP, Settings
from abplib.baselines.autoregression import VectorAutoregression
from abplib.generators import Norm, filters, initialise, layer
from abplib.posterior import View, frozen


@dataclass(frozen=True)
class FramewiseSettings:
    """A frame-wise model and how it is learned.

    Args:
        latent_channels: numbers in one frame's latent; the paper's 20.
        order: of the autoregression.
        stabilise: bring its spectral radius down to 0.99; see `VectorAutoregression.learn`.
        width: multiplies every number of filters.
        norm: "batch" (the paper: over the frames of a batch), "sequence" (each frame by its own
            statistics) or "none".
        slope: of the leaky ReLU; 0 is the paper's ReLU.
        mean_bias: add an output bias for each pixel before tanh, started at the mean frame; not
            in the paper.
        sigma: noise standard deviation, in pixel units.
        abp: of Algorithm 1; see `abplib.abp.Settings`. A batch is one of frames.
    """

    latent_channels: int = 20
    order: int = 1
    stabilise: bool = False
    width: float = 1.0
    norm: Norm = "batch"
    slope: float = 0.0
    mean_bias: bool = False
    sigma: float = 1.0
    abp: Settings = field(default_factory=Settings)


class FrameGenerator(nn.Module):
    """A picture from a vector: Model-2's spatial layers, with a single frame of time.

    Takes latents (N, d, 1, 1, 1) and makes videos of one frame (N, C, 1, H, W) in (-1, 1).

    Args:
        frame_size: (height, width) in pixels, multiples of 16.
        settings: latent_channels, width, norm, slope and mean_bias of them.
        channels: 3 for colour, 1 for grey.

    Raises:
        ValueError: for a frame size that is no multiple of 16, or an unknown norm.

    >>> generator = FrameGenerator((32, 48), FramewiseSettings(width=1 / 32))
    >>> generator(torch.zeros(2, 20, 1, 1, 1)).shape
    torch.Size([2, 3, 1, 32, 48])
    """

    def __init__(
        self, frame_size: tuple[int, int], settings: FramewiseSettings, channels: int = 3
    ) -> None:
        super().__init__()
        if any(side < 16 or side % 16 for side in frame_size):
            raise ValueError(f"frame_size is {frame_size}; expected multiples of 16")
        s = settings
        plane = (1, frame_size[0] // 16, frame_size[1] // 16)
        sizes = [filters(c, s.width) for c in (512, 256, 128, 64)]
        kernel, stride, pad = (1, 4, 4), (1, 2, 2), (0, 1, 1)
        last = nn.ConvTranspose3d(sizes[-1], channels, kernel, stride, pad, bias=False)
        initialise(last, normalised=True, slope=s.slope)
        self.layers = nn.Sequential(
            layer(s.latent_channels, sizes[0], plane, 1, 0, norm=s.norm, slope=s.slope),
            *(
                layer(a, b, kernel, stride, pad, norm=s.norm, slope=s.slope)
                for a, b in itertools.pairwise(sizes)
            ),
            last,
        )
        size = frame_size if s.mean_bias else (1, 1)
        self.bias = nn.Parameter(torch.zeros(channels, 1, *size))

    def forward(self, z: Tensor) -> Tensor:
        """Frames (N, C, 1, H, W) of latents (N, d, 1, 1, 1)."""
        return torch.tanh(self.layers(z) + self.bias)


class Framewise:
    """Frame-wise ABP and its autoregression, on one clip.

    Args:
        clip: (C, T, H, W) in [-1, 1], H and W multiples of 16.
        settings: see `FramewiseSettings`.
        seed: of weights, chains and the order of the frames.

    `run` is the run of Algorithm 1 and `generator` its generator; `dynamics` is the autoregression,
    there after `fit`.

    Raises:
        ValueError: for another shape, and for too few frames to determine the autoregression.

    >>> clip = torch.rand(3, 12, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> small = FramewiseSettings(latent_channels=3, width=1 / 32, norm="none", abp=Settings(2))
    >>> Framewise(clip, small).fit(progress=False).synthesise(50).shape
    torch.Size([3, 50, 16, 16])
    """

    def __init__(
        self, clip: Tensor, settings: FramewiseSettings | None = None, seed: int = 0
    ) -> None:
        s = self.settings = settings or FramewiseSettings()
        if clip.ndim != 4:
            raise ValueError(f"clip has shape {tuple(clip.shape)}; expected (C, T, H, W)")
        fewest = s.order * (s.latent_channels + 1)
        if clip.shape[1] < fewest:
            raise ValueError(
                f"the clip has {clip.shape[1]} frames; {s.latent_channels} latents and order "
                f"{s.order} need at least {fewest}: take more frames or a smaller model"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.generator = FrameGenerator((clip.shape[2], clip.shape[3]), s, clip.shape[0])
        frames = clip.transpose(0, 1)[:, :, None]  # (T, C, 1, H, W): T videos of one frame
        if s.mean_bias:
            with torch.no_grad():
                self.generator.bias.copy_(torch.atanh(frames.mean(0).clamp(-0.97, 0.97)))
        view = View(self.generator, frames, sigma=s.sigma)
        self.run = ABP([view], (s.latent_channels, 1, 1, 1), s.abp, seed=seed)
        self.dynamics: VectorAutoregression | None = None

    @property
    def latents(self) -> Tensor:
        """The inferred latents of the training frames: (T, d)."""
        return self.run.z.flatten(1)

    def fit(self, *, progress: bool = True) -> Framewise:
        """Run Algorithm 1 to its end, then fit the autoregression to the latents."""
        self.run.fit(progress=progress)
        s = self.settings
        self.dynamics = VectorAutoregression.learn(self.latents, s.order, stabilise=s.stabilise)
        return self

    def synthesise(self, frames: int, *, seed: int = 0, start: int = 0) -> Tensor:
        """Run on from a frame of the training clip.

        Args:
            frames: how many to make, any number.
            seed: of the autoregression's noise.
            start: the training frame that the first new one follows. With a higher order, the
                last of the `order` frames that it follows; at least order - 1.

        Returns:
            (C, frames, H, W) in (-1, 1). Where the norm is "batch", all are one batch.

        Raises:
            ValueError: before `fit`, or if there are no such training frames.
        """
        if self.dynamics is None:
            raise ValueError("there is no autoregression yet: call fit first")
        first = start - self.settings.order + 1
        if not 0 <= first <= start < len(self.latents):
            raise ValueError(
                f"start is {start}; expected a frame from {self.settings.order - 1} to "
                f"{len(self.latents) - 1}"
            )
        z = self.dynamics.simulate(self.latents[first : start + 1], frames, seed=seed)
        with torch.no_grad(), frozen(self.generator):
            video = self.generator(z.float()[:, :, None, None, None])
        return video[:, :, 0].transpose(0, 1)
