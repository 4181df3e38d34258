"""What a pose is, and the uneven time in which poses follow each other.

Angles are in radians. Flexion swings a limb forwards, from straight down; ``_out`` swings it
sideways, away from the body. Arrays are (T,), or (T, 2) for left and right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .actor import Dice

HALF, FULL = math.pi, 2 * math.pi


@dataclass
class Pose:
    """Angles of a body over time; everything left out is zero: standing straight.

    Args:
        thigh, knee: flexion of the hip, and of the knee (a knee bends backwards).
        thigh_out: abduction of the whole leg.
        upper, elbow: flexion of the shoulder, and of the elbow (an elbow bends forwards).
        upper_out, fore_out: abduction of the upper arm and of the forearm.
        lean, tilt, twist: of the trunk: forwards, to the left, and turning left.
        lift: height of the lower sole above the floor, in body heights.
        advance: speed forwards (side: to the left), in body heights a radian of phase.
    """

    thigh: Tensor
    knee: Tensor
    thigh_out: Tensor
    upper: Tensor
    elbow: Tensor
    upper_out: Tensor
    fore_out: Tensor
    lean: Tensor
    tilt: Tensor
    twist: Tensor
    lift: Tensor
    advance: Tensor


@dataclass
class Manner:
    """How this performance goes: an uneven phase, a wandering vigour, and personal constants.

    Args:
        phase: (T,), radians; one cycle of the action is 2 pi.
        vigour: (T,), about 1; multiplies amplitudes.
        dice: draws the constants of the performance.
    """

    phase: Tensor
    vigour: Tensor
    dice: Dice
    zero: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.zero = torch.zeros_like(self.phase)

    def legs(self) -> Tensor:
        """The phase of the left and right leg, half a cycle apart: (T, 2)."""
        return torch.stack([self.phase, self.phase + HALF], 1)

    def pose(self, **angles: Tensor) -> Pose:
        """A pose with these angles; a (T,) array given for two limbs serves both."""
        values = {}
        for name in Pose.__dataclass_fields__:
            value = angles.get(name, self.zero)
            if name in _PAIRS and value.ndim == 1:
                value = torch.stack([value, value], 1)
            values[name] = value
        return Pose(**values)


_PAIRS = ("thigh", "knee", "thigh_out", "upper", "elbow", "upper_out", "fore_out")


def wander(dice: Dice, time: Tensor) -> Tensor:
    """A smooth random curve of about unit size at the given times (seconds): (T,)."""
    curve = torch.zeros_like(time)
    for low, high in ((0.13, 0.25), (0.3, 0.5), (0.6, 0.9)):
        rate, start = dice.between(low, high), dice.between(0.0, FULL)
        curve = curve + 0.8 * torch.sin(FULL * rate * time + start)
    return curve
