"""Table 1's presets: Model-2 learned from one sequence with missing frames (section 4.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from abplib.presets.model2 import Model2Preset


@dataclass(frozen=True)
class Recipe:
    """What Table 1 trains with.

    Args:
        plain: of ``ABP``; its window is the whole clip.
        windows: of the other ABP rows; its windows cover the same clip.
        pilot: length of the pilot run, which does not see the gaps of our own, as a share of the
            iterations.
    """

    plain: Model2Preset
    windows: Model2Preset
    pilot: float = 0.5

    def __post_init__(self) -> None:
        if self.plain.clip_frames != self.windows.clip_frames or len(self.plain.offsets) != 1:
            raise ValueError("plain has one window, which must be the clip that the others cover")


_PLAIN = Model2Preset(
    size=32, width=0.25, frame_average=True, sigma=0.5, learning_rate=2e-3, iterations=120
)
_WINDOWS = Model2Preset(
    frames=32,
    size=32,
    offsets=tuple(range(0, 33, 4)),
    latent_channels=6,
    time_kernel=1,
    width=0.25,
    padding="valid",
    norm="sequence",
    slope=0.2,
    mean_bias=True,
    frame_average=True,
    components=True,
    iterations=1000,
    langevin_steps=1,
    step_size=0.15,
    learning_rate=4e-3,
    batch_size=1,
    decay=0.5,
)
INTERPOLATION: dict[str, Recipe] = {
    "ci": Recipe(
        replace(_PLAIN, frames=48, width=0.0625, iterations=6, langevin_steps=5),
        replace(_WINDOWS, offsets=(0, 8, 16), width=0.0625, iterations=60),
    ),
    "book": Recipe(_PLAIN, _WINDOWS),
    "paper": Recipe(
        Model2Preset(frame_average=True, sigma=0.5),
        replace(_WINDOWS, size=64, width=1.0, iterations=4000, learning_rate=2e-3),
    ),
}
"""What each preset trains with. ``paper`` has the paper's width, size, iterations and rates."""
