"""Make the README's moving picture: `python book/_tools/teaser.py`; two or three minutes.

Learns from the project's own fire and flag with the preset `book`, and writes each clip beside a
synthesis from fresh latents to `book/assets/teaser.webp`.
"""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from abplib import Model2, presets, synthesise
from abplib.data import patterns

OUT = Path(__file__).resolve().parents[1] / "assets" / "teaser.webp"
SCALE, GAP, FRAMES = 2, 4, 64


def tile(name: str) -> torch.Tensor:
    """Return the clip and a synthesis side by side: (3, FRAMES, H, W), pixels in [-1, 1]."""
    preset = presets.MODEL2["book"]
    clip = patterns.clip(name, preset.clip_frames)
    run = preset.start(clip)
    run.fit()
    generator = run.views[0].generator
    assert isinstance(generator, Model2)
    made = synthesise(generator, generator.latent_shape(FRAMES, 64, 64), seed=2)[0]
    gap = torch.ones(3, FRAMES, clip.shape[2], GAP)
    return torch.cat([clip[:, :FRAMES], gap, made], 3)


def main() -> None:
    """Write the picture."""
    tiles = [tile(name) for name in ("fire", "flag")]
    gap = torch.ones(3, FRAMES, tiles[0].shape[2], 4 * GAP)
    video = torch.cat([tiles[0], gap, tiles[1]], 3)
    pixels = ((video + 1) * 127.5).round().byte().permute(1, 2, 3, 0).numpy()
    size = (SCALE * pixels.shape[2], SCALE * pixels.shape[1])
    frames = [Image.fromarray(frame).resize(size, Image.Resampling.NEAREST) for frame in pixels]
    rest = frames[1:]
    frames[0].save(OUT, save_all=True, append_images=rest, duration=83, loop=0, quality=60)
    print(f"wrote {OUT.name}, {OUT.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
