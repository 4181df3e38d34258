"""Draw the book's icon, a frame of film with a decaying wave: `python book/_tools/favicon.py`."""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw

SIZE = 256  # pixels; reduced to a quarter at the end, which smooths the edges
BLUE, ORANGE, WHITE = (20, 87, 125), (255, 179, 90), (255, 255, 255)


def main() -> None:
    """Draw the icon and save it beside the styles."""
    icon = Image.new("RGBA", (SIZE, SIZE))
    draw = ImageDraw.Draw(icon)
    draw.rounded_rectangle((8, 8, SIZE - 8, SIZE - 8), 44, fill=BLUE)
    for left in range(34, SIZE - 30, 54):
        for top in (24, SIZE - 44):
            draw.rounded_rectangle((left, top, left + 28, top + 20), 6, fill=WHITE)
    for i in range(601):
        x = 28 + i * (SIZE - 56) / 600
        y = SIZE / 2 - 46 * math.sin(3 * math.pi * i / 600) * math.exp(-i / 750)
        draw.ellipse((x - 10, y - 10, x + 10, y + 10), fill=ORANGE)
    target = Path(__file__).resolve().parents[1] / "assets" / "favicon.png"
    icon.resize((64, 64), Image.Resampling.LANCZOS).save(target, optimize=True)


if __name__ == "__main__":
    main()
