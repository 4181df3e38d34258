"""Model-3's presets: stationary in nothing, learned from many clips (section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from abplib.generators import Model3, SpatialTemporalGenerator
from abplib.presets.base import Preset
from abplib.priors import MixturePrior, Prior
from abplib.starts import component_scores


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

    many_clips: ClassVar[bool] = True
    frames: int = 32
    mixture: int = 0

    def fitted(self, latents: Tensor, network: Any) -> Prior | None:
        """See `Preset.fitted`."""
        if self.mixture:
            return MixturePrior.fit(latents, min(self.mixture, len(latents) // 2))
        return super().fitted(latents, network)

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
    moments=0.1,
    iterations=700,
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
