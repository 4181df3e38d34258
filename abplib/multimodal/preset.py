"""Every number of a run with two views: presets ci, quick, book and paper."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from abplib.abp import Settings
from abplib.generators import Norm

if TYPE_CHECKING:
    from abplib.multimodal.run import Multimodal


@dataclass(frozen=True)
class MultimodalPreset:
    """Everything that a run needs beside the clips. The defaults are the paper's.

    Args:
        frames, size: of the videos, size in pixels.
        rate: of the sounds, in samples a second; clips last one second.
        latent_channels: d.
        width, audio_width: multiply the numbers of filters of the two generators.
        norm, slope: of both generators' layers.
        mean_bias: start the output biases at the training means.
        still: see `abplib.multimodal`.
        spectral: see `abplib.multimodal`.
        window, hop: of the spectrum, in samples.
        components: start the chains at principal components of the two views together.
        sigma_video, sigma_audio: noise of the views, in their units.
        evidence: how many independent values each view counts for: its weight is this over the
            number of its values. None: 1 over the number of frames.
        iterations, langevin_steps, step_size, learning_rate, beta1, batch_size, decay: see
            `abplib.abp.Settings`.
        steps, predict_step: Langevin steps and step size of a chain when one view is predicted from
            the other.
        trust: when one view is predicted from the other, the given view's weight is so many times
            that of learning.
        draws: of each chain, see `abplib.multimodal`; they are spread over its second half. 1:
            its last state alone.
        known_starts: how many known clips; see `abplib.multimodal`. 0: one chain, from the
            prior.
        gain: see `abplib.multimodal`; 1 leaves the motion as it is. Used where `still` is.
        price: in dB for a unit of expected error; see `abplib.multimodal`. None: the mean
            sound over the draws. Used where `spectral` is.

    >>> PRESETS["paper"].differs_from_paper()
    {}
    """

    frames: int = 32
    size: int = 64
    rate: int = 48000
    latent_channels: int = 100
    width: float = 1.0
    audio_width: float = 1.0
    norm: Norm = "batch"
    slope: float = 0.0
    mean_bias: bool = False
    still: bool = False
    spectral: bool = False
    window: int = 1536
    hop: int = 480
    components: bool = False
    sigma_video: float = 0.5
    sigma_audio: float = 0.5
    evidence: float | None = None
    iterations: int = 500
    langevin_steps: int = 20
    step_size: float = 0.1
    learning_rate: float = 2e-4
    beta1: float = 0.5
    batch_size: int | None = None
    decay: float = 1.0
    steps: int = 200
    predict_step: float = 0.1
    trust: float = 1.0
    draws: int = 1
    known_starts: int = 0
    gain: float = 1.0
    price: float | None = None

    def differs_from_paper(self) -> dict[str, tuple[Any, Any]]:
        """What is not the paper's: name -> (this preset's value, the paper's)."""
        paper = type(self)()
        mine = {f.name: (getattr(self, f.name), getattr(paper, f.name)) for f in fields(self)}
        return {name: pair for name, pair in mine.items() if pair[0] != pair[1]}

    def settings(self) -> Settings:
        """The part of the preset that is Algorithm 1's."""
        names = [f.name for f in fields(Settings) if hasattr(self, f.name)]
        return Settings(**{name: getattr(self, name) for name in names})

    def moving(self, videos: Tensor) -> Tensor:
        """Videos (N, 3, T, H, W) as the generator is to make them: if `still`, less their mean."""
        return (videos - videos.mean(2, keepdim=True)).clamp(-1, 1) if self.still else videos

    def face(self, videos: Tensor) -> Tensor:
        """What is put back to what the generator makes: (3, 1, H, W), from training videos."""
        mean = videos.mean((0, 2))[:, None]
        return mean if self.still else torch.zeros_like(mean)

    def start(self, videos: Tensor, sounds: Tensor, seed: int = 0) -> Multimodal:
        """A run of Algorithm 1 on both views, ready for ``.run.fit()``.

        Args:
            videos: (N, 3, frames, size, size) in [-1, 1].
            sounds: (N, 1, rate) in [-1, 1].
            seed: of weights, chains and the order of the clips.

        Raises:
            ValueError: for clips of another size.
        """
        from abplib.multimodal.run import Multimodal  # which knows presets

        return Multimodal(self, videos, sounds, seed)


_BOOK = MultimodalPreset(
    frames=16,
    size=32,
    rate=8000,
    latent_channels=60,
    width=0.5,
    audio_width=0.25,
    norm="none",
    slope=0.2,
    mean_bias=True,
    still=True,
    spectral=True,
    window=256,
    hop=80,
    components=True,
    sigma_video=0.2,
    sigma_audio=0.2,
    evidence=1000.0,
    iterations=2400,
    langevin_steps=1,
    step_size=0.03,
    learning_rate=3e-3,
    beta1=0.9,
    batch_size=10,
    decay=0.3,
    steps=10,
    draws=2,
    known_starts=10,
    gain=1.3,
    price=10000.0,
)

PRESETS: dict[str, MultimodalPreset] = {
    "ci": replace(
        _BOOK, latent_channels=30, width=0.125, audio_width=0.125, iterations=30, steps=5
    ),
    "quick": replace(_BOOK, latent_channels=30, width=0.25, iterations=800),
    "book": _BOOK,
    "paper": MultimodalPreset(),
}
"""The presets of seeing and hearing speech, by name."""
