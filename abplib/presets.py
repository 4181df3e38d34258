"""Every number that a chapter or an experiment trains with: presets ci, book and paper.

``paper`` is section 4.1 as printed. ``book`` convinces after about a minute of one CPU core,
``quick`` after 20 to 30 seconds, and ``ci`` proves in a few that everything runs. What a preset
changes against the paper it declares: see `Model2Preset.differs_from_paper`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from abplib.abp import ABP, Settings
from abplib.data.video import windows
from abplib.generators import Model2, Norm, Padding
from abplib.kernels import accelerate
from abplib.posterior import View


@dataclass(frozen=True)
class Model2Preset:
    """Model-2 learned from one clip (section 4.1). The defaults are the paper's.

    Args:
        frames: length of a training window, in frames.
        offsets: first frame of each training window within the clip. Offsets that are no
            multiple of 16 keep the generator from locking its layers' period to the clip.
        size: height and width in pixels.
        latent_channels: d.
        time_kernel: frames that the second layer's kernel spans.
        width: multiplies every number of filters.
        padding: "same" or "valid" in time.
        norm: "batch", "sequence" or "none".
        slope: of the leaky ReLU; 0 is ReLU.
        mean_bias: add an output bias for each pixel before tanh, started at the mean frame.
        frame_average: divide the squared error by the number of frames, instead of the exact sum.
        sigma: noise standard deviation, in pixel units.
        iterations, langevin_steps, step_size, learning_rate, beta1, batch_size, decay: see
            `abplib.abp.Settings`.

    >>> MODEL2["paper"].differs_from_paper()
    {}
    >>> MODEL2["book"].differs_from_paper()["mean_bias"]
    (True, False)
    """

    frames: int = 64
    offsets: tuple[int, ...] = (0,)
    size: int = 64
    latent_channels: int = 20
    time_kernel: int = 7
    width: float = 1.0
    padding: Padding = "same"
    norm: Norm = "batch"
    slope: float = 0.0
    mean_bias: bool = False
    frame_average: bool = False
    sigma: float = 1.0
    iterations: int = 500
    langevin_steps: int = 20
    step_size: float = 0.1
    learning_rate: float = 2e-4
    beta1: float = 0.5
    batch_size: int | None = None
    decay: float = 1.0

    @property
    def clip_frames(self) -> int:
        """Frames of the clip that the windows cover."""
        return self.frames + max(self.offsets)

    @property
    def weight(self) -> float:
        """Weight of the log-likelihood in the energy (eq. 2)."""
        return 1 / self.frames if self.frame_average else 1.0

    def settings(self) -> Settings:
        """The part of the preset that is Algorithm 1's."""
        return Settings(
            **{
                f.name: getattr(self, f.name)
                for f in fields(Settings)
                if f.init and hasattr(self, f.name)
            }
        )

    def generator(self, seed: int = 0) -> Model2:
        """A new generator; its first weights follow from the seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = Model2(
                self.latent_channels,
                frame_size=(self.size, self.size),
                time_kernel=self.time_kernel,
                frame_bias=self.mean_bias,
                width=self.width,
                padding=self.padding,
                norm=self.norm,
                slope=self.slope,
            )
        return accelerate(network)

    def start(self, clip: Tensor, seed: int = 0) -> ABP:
        """A run of Algorithm 1 on one clip, ready for `fit`.

        Args:
            clip: (3, T, size, size) in [-1, 1], T at least `clip_frames`; later frames are not
                used, and serve as held-out video.
            seed: of weights, chains and the order of the windows.

        Returns:
            The run. Its generator is ``run.views[0].generator``, its windows
            ``run.views[0].data``.

        Raises:
            ValueError: for a clip that is too short or of another size.
        """
        if clip.ndim != 4 or clip.shape[1] < self.clip_frames:
            raise ValueError(
                f"clip has shape {tuple(clip.shape)}; this preset learns from (3, T, {self.size}, "
                f"{self.size}) with T at least {self.clip_frames}: take more frames, or "
                "replace(preset, frames=..., offsets=...)"
            )
        data = windows(clip, self.frames, offsets=self.offsets)
        network = self.generator(seed)
        if self.mean_bias:
            network.start_at_mean(data)
        view = View(network, data, sigma=self.sigma, weight=self.weight)
        shape = network.latent_shape(self.frames, *clip.shape[-2:])
        return ABP([view], shape, self.settings(), seed=seed)

    def differs_from_paper(self) -> dict[str, tuple[Any, Any]]:
        """What is not the paper's: name -> (this preset's value, the paper's)."""
        paper = Model2Preset()
        mine = {f.name: (getattr(self, f.name), getattr(paper, f.name)) for f in fields(self)}
        return {name: pair for name, pair in mine.items() if pair[0] != pair[1]}


_BOOK = Model2Preset(
    offsets=tuple(range(0, 97, 8)),
    latent_channels=8,
    time_kernel=1,
    width=0.25,
    padding="valid",
    norm="sequence",
    slope=0.2,
    mean_bias=True,
    frame_average=True,
    iterations=700,
    langevin_steps=1,
    step_size=0.15,
    learning_rate=2e-3,
    batch_size=1,
    decay=0.5,
)

MODEL2: dict[str, Model2Preset] = {
    "ci": replace(_BOOK, frames=32, offsets=(0, 8), width=0.125, iterations=60),
    "quick": replace(_BOOK, offsets=(0, 8, 16, 24, 32), iterations=350),
    "book": _BOOK,
    "paper": Model2Preset(),
}
"""The presets of Model-2, by name."""
