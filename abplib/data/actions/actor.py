"""Who acts: build, clothes and surroundings, drawn at random."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import torch

Colour = tuple[float, float, float]

SKINS: tuple[Colour, ...] = (
    (0.97, 0.81, 0.70),
    (0.91, 0.70, 0.55),
    (0.78, 0.56, 0.41),
    (0.60, 0.41, 0.29),
    (0.44, 0.30, 0.22),
)
HAIRS: tuple[Colour, ...] = (
    (0.12, 0.09, 0.08),
    (0.30, 0.18, 0.10),
    (0.55, 0.36, 0.17),
    (0.86, 0.72, 0.42),
    (0.62, 0.24, 0.10),
    (0.72, 0.71, 0.70),
)


class Dice:
    """Random numbers from one seed, as Python floats.

    >>> Dice(3).between(1.0, 2.0) == Dice(3).between(1.0, 2.0)
    True
    """

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def between(self, low: float, high: float) -> float:
        """A uniform number in [low, high)."""
        return low + (high - low) * float(torch.rand((), generator=self._generator))

    def choose(self, count: int) -> int:
        """A uniform whole number below `count`."""
        return int(torch.randint(count, (), generator=self._generator))

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.between(0.0, 1.0) < probability


@dataclass(frozen=True)
class Actor:
    """One body and its clothes. Lengths are in body heights, `height` is in frame heights.

    Args:
        height: of the standing figure, sole to crown.
        leg, torso, arm: hip to ankle, hip to shoulder, shoulder to wrist.
        shoulders, hips: half the distance of the two joints.
        girth: multiplies every thickness; 1 is average.
        head: radius of the head.
        skin, hair, shirt, trousers, shoes: colours in [0, 1].
        long_sleeves, long_trousers: whether forearms and shins are covered.
        wall, floor: colours of the surroundings.
    """

    height: float = 0.70
    leg: float = 0.475
    torso: float = 0.290
    arm: float = 0.325
    shoulders: float = 0.105
    hips: float = 0.052
    girth: float = 1.0
    head: float = 0.068
    skin: Colour = SKINS[1]
    hair: Colour = HAIRS[0]
    shirt: Colour = (0.93, 0.40, 0.22)
    trousers: Colour = (0.26, 0.45, 0.86)
    shoes: Colour = (0.90, 0.90, 0.88)
    long_sleeves: bool = False
    long_trousers: bool = True
    wall: Colour = (0.27, 0.31, 0.37)
    floor: Colour = (0.36, 0.33, 0.29)


def draw_actor(seed: int, *, wardrobe: bool = True) -> Actor:
    """An actor at random.

    Args:
        seed: the same seed gives the same actor.
        wardrobe: False gives everybody the same clothes, skin, hair and surroundings. Builds
            differ all the same.

    Returns:
        The actor.

    >>> draw_actor(1).height != draw_actor(2).height
    True
    >>> draw_actor(1, wardrobe=False).shirt == draw_actor(2, wardrobe=False).shirt
    True
    """
    dice = Dice(seed)
    leg = dice.between(0.445, 0.505)
    built = Actor(
        height=dice.between(0.62, 0.74),
        leg=leg,
        torso=0.765 - leg + dice.between(-0.012, 0.012),
        arm=dice.between(0.30, 0.35),
        shoulders=dice.between(0.090, 0.118),
        hips=dice.between(0.045, 0.060),
        girth=dice.between(0.82, 1.28),
        head=dice.between(0.063, 0.074),
    )
    if not wardrobe:
        return built
    grey = dice.between(0.84, 0.96)
    shoes = (grey, grey, grey) if dice.chance(0.5) else (0.16, 0.14, 0.14)
    return replace(
        built,
        skin=SKINS[dice.choose(len(SKINS))],
        hair=HAIRS[dice.choose(len(HAIRS))],
        shirt=_dye(dice, (0.45, 0.9), (0.7, 1.0)),
        trousers=_dye(dice, (0.3, 0.8), (0.5, 0.9)),
        shoes=shoes,
        long_sleeves=dice.chance(0.4),
        long_trousers=dice.chance(0.75),
        wall=_dye(dice, (0.05, 0.30), (0.28, 0.42)),
        floor=_dye(dice, (0.05, 0.25), (0.30, 0.42)),
    )


def _dye(dice: Dice, saturation: tuple[float, float], value: tuple[float, float]) -> Colour:
    """A colour of any hue."""
    hue = dice.between(0.0, 1.0)
    return colorsys.hsv_to_rgb(hue, dice.between(*saturation), dice.between(*value))
