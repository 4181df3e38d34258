"""Every number that a chapter or an experiment trains with: presets ci, quick, book and paper.

``paper`` is section 4.1 as printed. ``book`` convinces after about a minute of one CPU core,
``quick`` after 20 to 30 seconds, and ``ci`` proves in a few that everything runs. What a preset
changes against the paper it declares: see `Preset.differs_from_paper`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from abplib.abp import ABP, Settings
from abplib.data.video import windows
from abplib.generators import (
    Model1,
    Model2,
    Model3,
    Norm,
    Padding,
    SpatialTemporalGenerator,
)
from abplib.kernels import accelerate
from abplib.posterior import View
from abplib.priors import FittedPrior, MixturePrior, Prior
from abplib.starts import block_codes, component_scores


@dataclass(frozen=True)
class Preset(ABC):
    """What the three models' presets share. The defaults are the paper's.

    Args:
        frames: length of a training video, in frames.
        size: height and width of a training video, in pixels.
        latent_channels: d.
        width: multiplies every number of filters.
        padding: "same" or "valid"; see `abplib.generators`.
        norm: "batch", "sequence" or "none".
        slope: of the leaky ReLU; 0 is ReLU.
        mean_bias: start the output bias, which stands before tanh, at the mean of the training
            videos: a value for each pixel in Model-2 and Model-3, for each colour in Model-1.
        frame_average: divide the squared error by the number of frames, instead of the exact sum.
        likelihood: multiplies the weight of the squared error; 1 is eq. 2 at this sigma.
        sigma: noise standard deviation, in pixel units.
        components: start the chains at principal components (`abplib.starts`), not at the prior.
        reach: synthesise from a Gaussian fitted to the inferred latents, with covariances up to
            this many latent steps (`abplib.priors`); None: from N(0, I).
        iterations, langevin_steps, step_size, learning_rate, beta1, batch_size, decay: see
            `abplib.abp.Settings`.
    """

    frames: int = 64
    size: int = 64
    latent_channels: int = 20
    width: float = 1.0
    padding: Padding = "same"
    norm: Norm = "batch"
    slope: float = 0.0
    mean_bias: bool = False
    frame_average: bool = False
    likelihood: float = 1.0
    sigma: float = 1.0
    components: bool = False
    reach: int | None = None
    iterations: int = 500
    langevin_steps: int = 20
    step_size: float = 0.1
    learning_rate: float = 2e-4
    beta1: float = 0.5
    batch_size: int | None = None
    decay: float = 1.0

    @property
    def weight(self) -> float:
        """Weight of the log-likelihood in the energy (eq. 2)."""
        return self.likelihood / (self.frames if self.frame_average else 1)

    def settings(self) -> Settings:
        """The part of the preset that is Algorithm 1's."""
        return Settings(
            **{
                f.name: getattr(self, f.name)
                for f in fields(Settings)
                if f.init and hasattr(self, f.name)
            }
        )

    def differs_from_paper(self) -> dict[str, tuple[Any, Any]]:
        """What is not the paper's: name -> (this preset's value, the paper's)."""
        paper = type(self)()
        mine = {f.name: (getattr(self, f.name), getattr(paper, f.name)) for f in fields(self)}
        return {name: pair for name, pair in mine.items() if pair[0] != pair[1]}

    def generator(self, seed: int = 0) -> SpatialTemporalGenerator:
        """A new generator; its first weights follow from the seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self._network()
        return accelerate(network)

    def start(self, video: Tensor, seed: int = 0) -> ABP:
        """A run of Algorithm 1, ready for `fit`.

        Args:
            video: what to learn from, in [-1, 1]; see `training_videos`.
            seed: of weights, chains and the order of the training videos.

        Returns:
            The run. Its generator is ``run.views[0].generator``, its training videos
            ``run.views[0].data``.

        Raises:
            ValueError: for a video that is too short or of another size.
        """
        data = self.training_videos(video, seed)
        network = self.generator(seed).to(data.device)
        if self.mean_bias:
            network.start_at_mean(data)
        view = View(network, data, sigma=self.sigma, weight=self.weight)
        latents: Tensor | Sequence[int] = network.latent_shape(*data.shape[2:])
        if self.components:
            latents = self._codes(data.cpu(), network, seed).to(data.device)
        return ABP([view], latents, self.settings(), seed=seed)

    def prior(self, run: ABP) -> Prior | None:
        """What `abplib.synthesise` draws from after a run of this preset; None: N(0, I)."""
        if self.reach is None:
            return None
        margin = getattr(run.views[0].generator, "margin", 0) // 2
        return FittedPrior.fit(run.z, self.reach, margin)

    @abstractmethod
    def training_videos(self, video: Tensor, seed: int = 0) -> Tensor:
        """The training videos (N, 3, frames, size, size) that this preset cuts from `video`."""

    @abstractmethod
    def _network(self) -> SpatialTemporalGenerator: ...

    def _codes(self, data: Tensor, network: SpatialTemporalGenerator, seed: int) -> Tensor:
        """Latents of the training videos, at principal components."""
        return block_codes(data, network.latent_shape(*data.shape[2:]), seed)

    def _shared(self) -> dict[str, Any]:
        names = ("latent_channels", "width", "padding", "norm", "slope")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Model1Preset(Preset):
    """Model-1 learned from one clip (section 4.1). The defaults are the paper's.

    Args:
        crops: number of training windows, cut at random places and times; 0: one window, the
            first ``frames`` frames of the clip and its top left corner.
        clip_frames: frames of the clip that are learned from; later ones serve as held-out video.
        clip_size: height and width that an experiment gives the clip, in pixels.

    The other fields are those of `Preset`.

    >>> MODEL1["paper"].differs_from_paper()
    {}
    >>> MODEL1["ci"].training_videos(torch.zeros(3, 64, 64, 64)).shape
    torch.Size([8, 3, 32, 32, 32])
    """

    size: int = 128
    latent_channels: int = 2
    crops: int = 0
    clip_frames: int = 64
    clip_size: int = 128

    def training_videos(self, video: Tensor, seed: int = 0) -> Tensor:
        """Windows of a clip.

        Args:
            video: (3, T, H, W) in [-1, 1], T at least `clip_frames`, H and W at least `size`.
            seed: of the windows' places.

        Returns:
            (N, 3, frames, size, size), N = 1 or `crops`.

        Raises:
            ValueError: for a clip that is too short or too small.
        """
        needed = max(self.clip_frames, self.frames)
        if video.ndim != 4 or video.shape[1] < needed or min(video.shape[2:]) < self.size:
            raise ValueError(
                f"clip has shape {tuple(video.shape)}; this preset learns from (3, T, H, W) with T "
                f"at least {needed} and H, W at least {self.size}: take a longer or larger clip, "
                "or replace(preset, frames=..., clip_frames=..., size=...)"
            )
        if not self.crops:
            return video[None, :, : self.frames, : self.size, : self.size].contiguous()
        window = (self.frames, self.size, self.size)
        random = torch.Generator().manual_seed(seed)
        room = (needed, *video.shape[2:])
        cuts = []
        for _ in range(self.crops):
            cut = video
            for axis, (there, taken) in enumerate(zip(room, window, strict=True), start=1):
                first = int(torch.randint(there - taken + 1, (), generator=random))
                cut = cut.narrow(axis, first, taken)
            cuts.append(cut)
        return torch.stack(cuts)

    def _network(self) -> Model1:
        return Model1(**self._shared())

    def _codes(self, data: Tensor, network: SpatialTemporalGenerator, seed: int) -> Tensor:
        return block_codes(data, network.latent_shape(*data.shape[2:]), seed, overlap=False)


@dataclass(frozen=True)
class Model2Preset(Preset):
    """Model-2 learned from one clip (section 4.1). The defaults are the paper's.

    Args:
        offsets: first frame of each training window within the clip. Offsets that are no
            multiple of 16 keep the generator from locking its layers' period to the clip.
        time_kernel: frames that the second layer's kernel spans.

    The other fields are those of `Preset`.

    >>> MODEL2["paper"].differs_from_paper()
    {}
    >>> MODEL2["book"].differs_from_paper()["mean_bias"]
    (True, False)
    """

    offsets: tuple[int, ...] = (0,)
    time_kernel: int = 7

    @property
    def clip_frames(self) -> int:
        """Frames of the clip that the windows cover."""
        return self.frames + max(self.offsets)

    def training_videos(self, video: Tensor, seed: int = 0) -> Tensor:
        """Windows of a clip.

        Args:
            video: (3, T, size, size) in [-1, 1], T at least `clip_frames`; later frames are not
                used, and serve as held-out video.
            seed: not used, the offsets say where the windows lie.

        Returns:
            (N, 3, frames, size, size), one window for each offset.

        Raises:
            ValueError: for a clip that is too short or of another size.
        """
        square = (self.size, self.size)
        if video.ndim != 4 or video.shape[1] < self.clip_frames or video.shape[2:] != square:
            raise ValueError(
                f"clip has shape {tuple(video.shape)}; this preset learns from (3, T, {self.size}, "
                f"{self.size}) with T at least {self.clip_frames}: take more frames, or "
                "replace(preset, frames=..., offsets=...)"
            )
        return windows(video, self.frames, offsets=self.offsets)

    def _network(self) -> Model2:
        return Model2(
            **self._shared(),
            frame_size=(self.size, self.size),
            time_kernel=self.time_kernel,
            frame_bias=self.mean_bias,
        )


@dataclass(frozen=True)
class Model3Preset(Preset):
    """Model-3 learned from many clips (section 4.1). The defaults are the paper's.

    Args:
        mixture: synthesise from a mixture of so many Gaussians, fitted to the inferred latents
            (`abplib.priors`); 0: as `Preset.reach` says. Half the number of clips at most.

    The other fields are those of `Preset`.

    >>> MODEL3["paper"].differs_from_paper()
    {}
    """

    frames: int = 32
    mixture: int = 0

    def prior(self, run: ABP) -> Prior | None:
        """See `Preset.prior`."""
        if self.mixture:
            return MixturePrior.fit(run.z, min(self.mixture, run.n // 2))
        return super().prior(run)

    def training_videos(self, video: Tensor, seed: int = 0) -> Tensor:
        """The clips themselves.

        Args:
            video: (N, 3, frames, size, size) in [-1, 1].
            seed: not used.

        Returns:
            The clips.

        Raises:
            ValueError: for clips of another length or size.
        """
        expected = (self.frames, self.size, self.size)
        if video.ndim != 5 or tuple(video.shape[2:]) != expected:
            raise ValueError(
                f"clips have shape {tuple(video.shape)}; this preset learns from (N, 3, "
                f"{self.frames}, {self.size}, {self.size}): cut and resize them, or "
                "replace(preset, frames=..., size=...)"
            )
        return video

    def _network(self) -> Model3:
        return Model3(
            **self._shared(),
            frame_size=(self.size, self.size),
            frames=self.frames,
            frame_bias=self.mean_bias,
        )

    def _codes(self, data: Tensor, network: SpatialTemporalGenerator, seed: int) -> Tensor:
        there = min(self.latent_channels, len(data) - 1)  # channels beyond start at the prior
        random = torch.Generator().manual_seed(seed)
        codes = torch.randn(len(data), self.latent_channels, 1, 1, 1, generator=random)
        if there:
            codes[:, :there, 0, 0, 0] = component_scores(data.flatten(1), there)
        return codes


_MODEL1 = Model1Preset(
    frames=48,
    size=48,
    crops=200,
    clip_frames=128,
    clip_size=64,
    latent_channels=24,
    width=0.25,
    padding="valid",
    norm="none",
    slope=0.2,
    mean_bias=True,
    frame_average=True,
    likelihood=40.0,
    components=True,
    reach=1,
    iterations=1600,
    langevin_steps=1,
    step_size=0.1,
    learning_rate=2e-3,
    batch_size=1,
    decay=0.5,
)

MODEL1: dict[str, Model1Preset] = {
    "ci": replace(
        _MODEL1,
        frames=32,
        size=32,
        crops=8,
        clip_frames=40,
        clip_size=48,
        width=0.125,
        iterations=30,
    ),
    "quick": replace(_MODEL1, crops=100, iterations=500),
    "book": _MODEL1,
    "paper": Model1Preset(),
}
"""The presets of Model-1, by name."""

_MODEL2 = Model2Preset(
    frames=48,
    offsets=tuple(range(0, 81, 8)),
    latent_channels=6,
    time_kernel=1,
    width=0.25,
    padding="valid",
    norm="sequence",
    slope=0.2,
    mean_bias=True,
    frame_average=True,
    components=True,
    iterations=1100,
    langevin_steps=1,
    step_size=0.15,
    learning_rate=4e-3,
    batch_size=1,
    decay=0.5,
)

MODEL2: dict[str, Model2Preset] = {
    "ci": replace(_MODEL2, frames=32, offsets=(0, 8), width=0.125, iterations=60),
    "quick": replace(_MODEL2, offsets=(0, 8, 16, 24, 32), iterations=450),
    "book": _MODEL2,
    "paper": Model2Preset(),
}
"""The presets of Model-2, by name."""

_MODEL3 = Model3Preset(
    frames=16,
    size=32,
    width=0.5,
    norm="sequence",
    slope=0.2,
    mean_bias=True,
    components=True,
    mixture=30,
    sigma=0.3,
    iterations=750,
    langevin_steps=1,
    step_size=0.03,
    learning_rate=4e-3,
    batch_size=4,
    decay=0.5,
)

MODEL3: dict[str, Model3Preset] = {
    "ci": replace(_MODEL3, components=False, width=0.125, iterations=60),
    "quick": replace(_MODEL3, iterations=350),
    "book": _MODEL3,
    "paper": Model3Preset(),
}
"""The presets of Model-3, by name."""

MODELS: dict[int, dict[str, Any]] = {1: MODEL1, 2: MODEL2, 3: MODEL3}
"""Every model's presets, by the paper's number of the model."""
