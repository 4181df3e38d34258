"""Model-2's presets: stationary in time, learned from one clip (section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from abplib.data.video import windows
from abplib.generators import Model2
from abplib.presets.base import Preset


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
    moments=1.0,
    components=True,
    iterations=900,
    langevin_steps=1,
    step_size=0.15,
    learning_rate=4e-3,
    batch_size=1,
    decay=0.5,
)

MODEL2: dict[str, Model2Preset] = {
    "ci": replace(_MODEL2, frames=32, offsets=(0, 8), width=0.125, iterations=60),
    "quick": replace(_MODEL2, offsets=(0, 8, 16, 24, 32), iterations=400),
    "book": _MODEL2,
    "paper": Model2Preset(),
}
"""The presets of Model-2, by name."""
