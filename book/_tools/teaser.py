"""Make the README's moving picture from the recorded films: `python book/_tools/teaser.py`.

Each film of `book/results/films` shows true video beside a synthesis; see `abplib.experiments
families`. Six of them go to `book/assets/teaser.webp`.
"""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from abplib import recorded
from abplib.data.video import read_video

OUT = Path(__file__).resolve().parents[1] / "assets" / "teaser.webp"
SHOWN = (("fire", "caustics", "flag"), ("windmill", "waterfall", "flower"))
GAP, FRAMES = 6, 32


def tile(name: str) -> torch.Tensor:
    """Return one film with a gap between its halves: (3, FRAMES, H, W), pixels in [-1, 1]."""
    true, made = read_video(recorded.path(f"films/{name}.mp4"))[:, :FRAMES].chunk(2, 3)
    return torch.cat([true, white(true, GAP), made], 3)


def white(video: torch.Tensor, columns: int) -> torch.Tensor:
    """Return white columns as high and long as a video."""
    return torch.ones(*video.shape[:3], columns)


def main() -> None:
    """Write the picture."""
    rows = []
    for names in SHOWN:
        first, *others = (tile(name) for name in names)
        parts = [part for other in others for part in (white(other, 4 * GAP), other)]
        rows.append(torch.cat([first, *parts], 3))
    between = torch.ones(*rows[0].shape[:2], 2 * GAP, rows[0].shape[3])
    video = torch.cat([rows[0], between, rows[1]], 2)
    pixels = ((video + 1) * 127.5).round().byte().permute(1, 2, 3, 0).numpy()
    first_frame, *rest = (Image.fromarray(frame) for frame in pixels)
    first_frame.save(OUT, save_all=True, append_images=rest, duration=83, loop=0, quality=55)
    print(f"wrote {OUT.name}, {OUT.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
