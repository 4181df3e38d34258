"""Speakers: what stays the same in everything that one person says."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from abplib.data.actions.actor import Dice

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Speaker:
    """Voice, mouth and surroundings of one person.

    Args:
        tract: multiplies every formant; 1 is a vocal tract of 17 cm, above 1 a shorter one.
        pitch: usual pitch, in Hz.
        open_quotient: share of a cycle in which the vocal folds are open; breathy above 0.6.
        speed: multiplies the length of every sound.
        mouth: width of the mouth, in lengths of `picture`.
        upper, lower: thickness of the lips, in lengths of `picture`.
        reach: how far the mouth opens, as a multiple of the usual.
        bow: depth of the notch in the upper lip, 0 to 1.
        skin, lips: colours, red, green and blue in 0 to 1.
        light: where the light comes from, right and up, each in -1 to 1.
        bright: of the light, as a multiple of the usual.
        place: of the mouth in the picture, right and down, in lengths of `picture`.
        seed: of the skin's texture.
    """

    tract: float
    pitch: float
    open_quotient: float
    speed: float
    mouth: float
    upper: float
    lower: float
    reach: float
    bow: float
    skin: Colour
    lips: Colour
    light: tuple[float, float]
    bright: float
    place: tuple[float, float]
    seed: int


DARK, PALE = (0.45, 0.28, 0.20), (0.93, 0.75, 0.64)


def draw_speaker(seed: int = 0) -> Speaker:
    """A speaker; another seed gives another.

    >>> a, b = draw_speaker(0), draw_speaker(1)
    >>> a == draw_speaker(0), a.pitch == b.pitch
    (True, False)
    """
    dice = Dice(7919 * seed + 17)
    high = dice.chance(0.5)  # the shorter tract goes with the higher voice
    tract = dice.between(1.08, 1.2) if high else dice.between(0.92, 1.06)
    pitch = dice.between(170, 235) if high else dice.between(95, 145)
    tone, red = dice.between(0.25, 1.0), dice.between(-0.03, 0.03)
    skin = tuple(d + tone * (p - d) for d, p in zip(DARK, PALE, strict=True))
    skin = (skin[0] + red, skin[1], skin[2] - 0.5 * red)
    rouge = dice.between(0.0, 0.5)
    lips = (skin[0] * (0.86 + 0.05 * rouge), skin[1] * (0.66 - 0.2 * rouge), skin[2] * 0.72)
    return Speaker(
        tract=tract,
        pitch=pitch,
        open_quotient=dice.between(0.5, 0.65),
        speed=dice.between(0.9, 1.12),
        mouth=dice.between(0.52, 0.62),
        upper=dice.between(0.13, 0.19),
        lower=dice.between(0.17, 0.24),
        reach=dice.between(0.85, 1.15),
        bow=dice.between(0.2, 0.9),
        skin=skin,
        lips=lips,
        light=(dice.between(-1, 1), dice.between(0, 1)),
        bright=dice.between(0.9, 1.05),
        place=(dice.between(-0.04, 0.04), dice.between(-0.04, 0.04)),
        seed=int(torch.randint(2**31, (), generator=torch.Generator().manual_seed(seed))),
    )
