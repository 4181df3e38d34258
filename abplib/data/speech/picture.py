"""Pictures from a score: a mouth, from below the nose to the chin, that speaks.

Everything is drawn as a function of the place, x to the right and y down from the middle. Four
lines make the mouth: the outer and the inner rims of the upper and of the lower lip. Between the
inner rims lie darkness, teeth and tongue.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from abplib.data.speech.score import Score, hash_of
from abplib.data.speech.speaker import Speaker

SMALLEST = 16
FINER = 2  # drawn at twice the size and averaged
VIEW = 0.76  # half a picture; the unit of all lengths is 7 cm or so
GAP = 0.52  # between the lips at opening 1
JAW = 0.72  # share of the gap by which the lower lip falls; the upper one rises by the rest
LEVEL = -0.06  # height of the closed mouth below the middle


def picture(score: Score, frames: int = 32, size: int = 64) -> Tensor:
    """The mouth that says a score: video (3, frames, size, size), float32 in [-1, 1].

    Args:
        score: what is said; see `abplib.data.speech.score`.
        frames: number of frames, spread over the clip; 1 or more.
        size: height and width in pixels, 16 or more.

    Raises:
        ValueError: for no frame, or a smaller size.

    >>> from abplib.data.speech import score
    >>> picture(score("Hello"), 4, 16).shape
    torch.Size([3, 4, 16, 16])
    """
    if frames < 1 or size < SMALLEST:
        raise ValueError(
            f"{frames} frames of {size} pixels: expected 1 or more, and {SMALLEST} pixels or more"
        )
    canvas = _Canvas(score, frames, size * FINER)
    picture = _skin(canvas, score.speaker)
    mouth = _mouth(canvas)
    lips = _lips(canvas, score.speaker)
    inside, lip = canvas.inside[..., None], canvas.lip[..., None]
    picture = picture * (1 - lip) + lips * lip
    picture = picture * (1 - inside) + mouth * inside
    dice = torch.Generator().manual_seed(hash_of(score.phrase, score.speaker.seed, score.take, 3))
    gain = score.speaker.bright * (1 + 0.05 * (2 * torch.rand((), generator=dice) - 1))
    picture = (picture * gain).clamp(0, 1)
    coarse = torch.nn.functional.avg_pool2d(picture.permute(0, 3, 1, 2), FINER)
    grain = 0.008 * torch.randn(coarse.shape, generator=dice)
    return ((coarse + grain).clamp(0, 1) * 2 - 1).transpose(0, 1).contiguous()


@dataclass
class _Canvas:
    """Places in the picture relative to the mouth, (T, H, W) or broadcastable, and its rims."""

    score: Score
    frames: int
    pixels: int

    def __post_init__(self) -> None:
        score, who = self.score, self.score.speaker
        at = score.frames(self.frames)
        curve = [getattr(score, n)[at] for n in ("opening", "spread", "rounding", "tongue")]
        self.opening, self.spread, self.rounding, self.tongue = (c[:, None, None] for c in curve)
        dice = torch.Generator().manual_seed(hash_of(score.phrase, who.seed, score.take, 4))
        shift, drift = 0.025 * torch.randn(2, 2, generator=dice)
        through = torch.linspace(-0.5, 0.5, self.frames)[:, None]
        sway = torch.tensor(who.place) + shift + drift * through + torch.tensor([0.0, LEVEL])
        axis = VIEW * ((torch.arange(self.pixels) + 0.5) / self.pixels * 2 - 1)
        self.column, self.row = axis[None, None, :], axis[None, :, None]
        self.x = self.column - sway[:, 0, None, None]
        self.y = self.row - sway[:, 1, None, None]
        self.soft = 3.0 * VIEW / self.pixels
        self._rims(who)

    def _rims(self, who: Speaker) -> None:
        """Heights of the four rims over x, and what they enclose."""
        self.half = who.mouth * (1 + 0.14 * self.spread - 0.2 * self.rounding - 0.06 * self.opening)
        u = (self.x / self.half).clamp(-1, 1)
        self.u = u
        rim = (1 - u.square()).clamp(min=0)
        gap = GAP * self.opening
        fuller = 1 + 0.25 * self.rounding - 0.12 * self.spread - 0.12 * self.opening
        notch = who.bow * 0.3 * torch.exp(-((u / 0.13) ** 2)) - 0.12 * torch.exp(
            -(((u.abs() - 0.27) / 0.2) ** 2)
        )
        corner = -0.03 * self.spread * u.square() + 0.25 * JAW * gap * 0.5 * u.square()
        self.upper_in = corner - (1 - JAW) * gap * rim**0.6 + 0.012 * torch.cos(3 * u) * rim
        self.lower_in = corner + JAW * gap * rim**0.55 + 0.012 * torch.cos(3 * u) * rim
        self.upper_out = self.upper_in - who.upper * fuller * rim**0.75 * (1 - notch)
        self.lower_out = self.lower_in + who.lower * fuller * rim**0.6
        across = self.step(self.half - self.x.abs())
        self.inside = self.between(self.upper_in, self.lower_in) * across
        self.lip = self.between(self.upper_out, self.lower_out) * across

    def step(self, distance: Tensor) -> Tensor:
        """0 outside, 1 inside, and soft over a pixel in between."""
        return (0.5 + distance / self.soft).clamp(0, 1)

    def between(self, above: Tensor, below: Tensor) -> Tensor:
        """1 between two lines."""
        return self.step(self.y - above) * self.step(below - self.y)

    def hump(self, x: float, y: Tensor | float, width: float, height: float) -> Tensor:
        """A round soft spot."""
        return torch.exp(-(((self.x - x) / width) ** 2) - ((self.y - y) / height) ** 2)


def _skin(c: _Canvas, who: Speaker) -> Tensor:
    """Skin with light, the folds beside the mouth, the lip's groove and the chin: (T, H, W, 3)."""
    jaw = JAW * GAP * c.opening
    below = c.lower_out.amax((2,), keepdim=True)
    shade = 1 + 0.12 * who.light[0] * c.column - 0.10 * who.light[1] * c.row
    shade = shade - 0.14 * (c.column.square() + 0.6 * c.row.square())
    shade = shade - 0.22 * c.hump(0.0, below + 0.09, 0.42, 0.07)  # under the lower lip
    shade = shade + 0.07 * c.hump(0.0, below + 0.36, 0.34, 0.18)  # the chin, lit from above
    shade = (
        shade
        - 0.07 * c.hump(0.0, -0.55, 0.05, 0.25)
        + 0.04 * (c.hump(-0.09, -0.5, 0.05, 0.25) + c.hump(0.09, -0.5, 0.05, 0.25))
    )
    fold = 0.62 + 0.24 * (c.y + 0.8) - 0.06 * c.opening + 0.05 * c.spread
    strength = torch.exp(-(((c.y + 0.35) / 0.5) ** 2))
    shade = shade - 0.13 * strength * torch.exp(-(((c.x.abs() - fold) / 0.07) ** 2))
    shade = shade - 0.10 * torch.exp(
        -(((c.x.abs() - c.half - 0.05) / 0.08) ** 2) - ((c.y - 0.02 - 0.3 * jaw) / 0.12) ** 2
    )
    shade = shade * (1 + 0.025 * _texture(who.seed, c.pixels))
    return shade[..., None] * torch.tensor(who.skin)


def _texture(seed: int, pixels: int) -> Tensor:
    """Smooth unevenness of the skin, the same at every size: (1, H, W)."""
    random = torch.Generator().manual_seed(seed)
    total = torch.zeros(1, 1, pixels, pixels)
    for cells, strength in ((6, 1.0), (14, 0.7), (30, 0.5)):
        coarse = torch.randn(1, 1, cells, cells, generator=random)
        total = total + strength * torch.nn.functional.interpolate(
            coarse, (pixels, pixels), mode="bicubic", align_corners=False
        )
    return total[0]


def _lips(c: _Canvas, who: Speaker) -> Tensor:
    """Lips: the upper one in its own shade, the lower one with a shine: (T, H, W, 3)."""
    middle = 0.5 * (c.upper_in + c.lower_in)
    upper = c.step(middle - c.y)
    height_up = ((c.upper_in - c.y) / (c.upper_in - c.upper_out).clamp(min=0.02)).clamp(0, 1)
    height_low = ((c.y - c.lower_in) / (c.lower_out - c.lower_in).clamp(min=0.02)).clamp(0, 1)
    upper_shade = 0.78 + 0.14 * height_up
    lower_shade = 1.04 - 0.22 * (2 * height_low - 0.8).clamp(min=0) ** 2
    lines = 0.03 * torch.cos(30 * c.u + 2 * torch.sin(5 * c.u))
    shine = (
        0.16
        * torch.exp(-(((c.u - 0.15 * who.light[0]) / 0.35) ** 2))
        * torch.exp(-(((height_low - 0.4) / 0.2) ** 2))
    )
    seam = 0.35 * torch.exp(-((torch.minimum(height_up, height_low) / 0.12) ** 2))
    shade = upper * upper_shade + (1 - upper) * lower_shade + lines - seam
    shade = shade * (1 + 0.08 * who.light[0] * c.u) - 0.15 * c.u**4
    return shade[..., None] * torch.tensor(who.lips) + ((1 - upper) * shine)[..., None]


def _mouth(c: _Canvas) -> Tensor:
    """Between the lips: darkness, the tongue, and teeth that the lips uncover: (T, H, W, 3)."""
    gap = (c.lower_in - c.upper_in).clamp(min=1e-3)
    floor = JAW * GAP * c.opening
    dark = torch.tensor([0.13, 0.035, 0.035]) * torch.ones_like(gap)[..., None]
    top = floor * (1 - 0.95 * c.tongue) - 0.03 * c.tongue + 0.25 * c.x.square() + 0.03
    tongue = c.step(c.y - top) * c.step(0.62 * c.half - c.x.abs())
    round_off = 0.65 + 0.35 * ((c.y - top) / 0.16).clamp(0, 1)
    groove = 1 - 0.15 * torch.exp(-((c.x / 0.04) ** 2))
    pink = (round_off * groove * (0.6 + 0.4 * c.tongue))[..., None] * torch.tensor(
        [0.74, 0.36, 0.36]
    )
    inner = dark * (1 - tongue[..., None]) + pink * tongue[..., None]
    gaps = 1 - 0.25 * torch.exp(-((((c.x / 0.115 + 0.5) % 1 - 0.5) * 0.115 / 0.012) ** 2))
    curve = 0.10 * c.x.square()
    fade = (1 - 0.75 * (c.x / (0.95 * c.half)).square()).clamp(0.1, 1)
    upper = c.step(0.035 - curve - c.y) * c.step(0.8 * c.half - c.x.abs())
    lower = c.step(c.y - (floor - 0.035 + curve)) * c.step(0.6 * c.half - c.x.abs())
    ivory = torch.tensor([0.93, 0.89, 0.80])
    shadow = (0.5 + 0.5 * ((c.y - c.upper_in) / 0.09).clamp(0, 1)) * fade * gaps
    covered = 1 - 0.8 * c.rounding
    for teeth, shade in ((0.75 * lower * covered, 0.7 * fade * gaps), (upper, shadow)):
        inner = inner * (1 - teeth[..., None]) + (teeth * shade)[..., None] * ivory
    return inner
