"""Model-1's presets: stationary in space and time, learned from one clip (section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from abplib.generators import Model1, SpatialTemporalGenerator
from abplib.presets.base import Preset
from abplib.starts import block_codes


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


_MODEL1 = Model1Preset(
    frames=48,
    size=48,
    crops=200,
    clip_frames=128,
    clip_size=64,
    latent_channels=48,
    width=0.25,
    padding="valid",
    norm="none",
    slope=0.2,
    mean_bias=True,
    frame_average=True,
    likelihood=40.0,
    moments=1.0,
    texture=1.0,
    moments_from=0.5,
    components=True,
    iterations=1800,
    langevin_steps=1,
    step_size=0.1,
    learning_rate=1.5e-3,
    batch_size=1,
    decay=0.5,
)

SMALL_PARTS: dict[str, Any] = {
    "latent_channels": 256,
    "step_size": 0.07,
    "learning_rate": 1e-3,
    "moments": 0.3,
    "texture": 1.5,
    "moments_from": 0.4,
    "crops": 60,
    "iterations": 1600,
}
"""What a pattern of many small independent parts, such as rain, changes in a preset: a block of 16
frames of 16 x 16 pixels then needs more numbers than one that bends as a whole."""

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
