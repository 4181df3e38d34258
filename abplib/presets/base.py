"""What the presets of the three models share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch
from torch import Tensor

from abplib.abp import ABP, Settings
from abplib.generators import Norm, Padding, SpatialTemporalGenerator
from abplib.kernels import accelerate
from abplib.moments import MomentMatching
from abplib.posterior import View
from abplib.priors import FittedPrior, Prior
from abplib.starts import block_codes


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
        moments: weight of moment matching in the learning step (`abplib.moments`), on as many
            fresh draws as there are training videos in an iteration; 0: none.
        texture: weight of texture matching beside a moment's (`abplib.texture`), for models that
            are stationary in space; it needs `moments`. 0: none.
        moments_from: fraction of the iterations after which moment matching sets in.
        components: start the chains at principal components (`abplib.starts`), not at the prior.
        reach: synthesise from a Gaussian fitted to the inferred latents, with covariances up to
            this many latent steps (`abplib.priors`); None: from N(0, I).
        iterations, langevin_steps, step_size, learning_rate, beta1, batch_size, decay: see
            `abplib.abp.Settings`.
    """

    many_clips: ClassVar[bool] = False
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
    moments: float = 0.0
    texture: float = 0.0
    moments_from: float = 0.6
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
        extra = self._moments(network, data, seed) if self.moments else None
        return ABP([view], latents, self.settings(), seed=seed, extra=extra)

    def _moments(
        self, network: SpatialTemporalGenerator, data: Tensor, seed: int
    ) -> MomentMatching:
        """Moment matching at the scale of the learning step's squared error."""
        return MomentMatching(
            network,
            data,
            network.latent_shape(*data.shape[2:]),
            weight=self.moments * self.weight / self.sigma**2,
            draws=self.batch_size or len(data),
            in_space=network.stationary_in_space,
            own_mean=self.many_clips,
            texture=self.texture,
            first=round(self.moments_from * self.iterations),
            fit=lambda latents: self.fitted(latents, network),
            seed=seed,
        )

    def prior(self, run: ABP) -> Prior | None:
        """What `abplib.synthesise` draws from after a run of this preset; None: N(0, I)."""
        return self.fitted(run.z, run.views[0].generator)

    def fitted(self, latents: Tensor, network: Any) -> Prior | None:
        """The law of fresh draws, fitted to inferred latents (N, d, ...); None: N(0, I)."""
        if self.reach is None:
            return None
        return FittedPrior.fit(latents, self.reach, getattr(network, "margin", 0) // 2)

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
