"""From joint angles to joints: a body on a floor, seen by a camera that looks down a little.

Body axes: x forwards, y up, z to the body's left. Screen axes: columns and rows in frame heights
from the upper left corner, and depth, which grows towards the viewer.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .actor import Actor
from .pose import Pose

SOLE = 0.028  # height of an ankle above the floor, in body heights
FOOT = 0.095  # ankle to toe
FLOOR = 0.905  # row on which the figure stands, in frame heights
PITCH = 0.13  # radians that the camera looks down
SIDES = ("left", "right")

Joints = dict[str, Tensor]


def joints(actor: Actor, pose: Pose) -> Joints:
    """Where every joint is in body axes, (T, 3) in body heights; the floor is y = 0.

    Returns:
        pelvis, waist, chest, neck, head, crown; and of each side ("left knee") hip, knee, ankle,
        toe, flank, breast, shoulder, elbow, hand.
    """
    zero = torch.zeros_like(pose.lean)
    up = torch.stack(
        [
            torch.sin(pose.lean),
            torch.cos(pose.lean) * torch.cos(pose.tilt),
            torch.cos(pose.lean) * torch.sin(pose.tilt),
        ],
        1,
    )
    chest = actor.torso * up
    found: Joints = {"pelvis": torch.stack([zero, zero, zero], 1), "chest": chest}
    found["waist"] = 0.22 * chest
    found["neck"] = chest + (0.7 * actor.head + 0.03) * up
    found["head"] = chest + (actor.head + 0.065) * up
    found["crown"] = chest + (2 * actor.head + 0.065) * up
    across = torch.stack([-torch.sin(pose.twist), -torch.sin(pose.tilt), torch.cos(pose.twist)], 1)
    for index, (name, sign) in enumerate(zip(SIDES, (1.0, -1.0), strict=True)):
        found |= _leg(actor, pose, name, sign, index, zero)
        found |= _arm(actor, pose, name, sign, index, chest + sign * actor.shoulders * across)
        breast = 0.55 * actor.shoulders * sign * across
        found[f"{name} breast"] = 0.95 * chest + breast
        found[f"{name} flank"] = 0.22 * chest + 0.5 * breast
    soles = [found[f"{name} {part}"][:, 1] for name in SIDES for part in ("ankle", "toe")]
    height = SOLE - torch.stack(soles).amin(0) + pose.lift
    forward = (actor.torso * 0.42) * (torch.cos(pose.lean) - 1)  # balance: hips back in a bend
    shift = torch.stack([forward, height, zero], 1)
    return {name: place + shift for name, place in found.items()}


def _limb(flexion: Tensor, out: Tensor, sign: float) -> Tensor:
    """Unit direction of a limb that hangs straight down at zero: (T, 3)."""
    return torch.stack(
        [
            torch.sin(flexion),
            -torch.cos(flexion) * torch.cos(out),
            sign * torch.cos(flexion) * torch.sin(out),
        ],
        1,
    )


def _leg(
    actor: Actor, pose: Pose, name: str, sign: float, index: int, zero: Tensor
) -> dict[str, Tensor]:
    thigh, out = pose.thigh[:, index], pose.thigh_out[:, index]
    shin = thigh - pose.knee[:, index]
    hip = torch.stack([zero, zero, zero + sign * actor.hips], 1)
    knee = hip + 0.5 * actor.leg * _limb(thigh, out, sign)
    ankle = knee + 0.5 * actor.leg * _limb(shin, out, sign)
    point = 0.7 * shin.clamp(-1.3, 0.5)  # the toes hang as the shin swings back
    toe = torch.stack([torch.cos(point), torch.sin(point), zero + 0.3 * sign], 1)
    return {
        f"{name} hip": hip,
        f"{name} knee": knee,
        f"{name} ankle": ankle,
        f"{name} toe": ankle + FOOT * toe,
    }


def _arm(
    actor: Actor, pose: Pose, name: str, sign: float, index: int, shoulder: Tensor
) -> dict[str, Tensor]:
    upper = pose.upper[:, index]
    fore = upper + pose.elbow[:, index]
    elbow = shoulder + 0.52 * actor.arm * _limb(upper, pose.upper_out[:, index], sign)
    hand = elbow + 0.55 * actor.arm * _limb(fore, pose.fore_out[:, index], sign)
    return {f"{name} shoulder": shoulder, f"{name} elbow": elbow, f"{name} hand": hand}


def project(
    places: Joints, *, facing: float, column: Tensor | float, height: float
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """See the body with the camera.

    Args:
        places: joints in body axes.
        facing: direction of the body: 0 to the right, pi / 2 to the viewer, pi to the left.
        column: (T,) or a number: column of the body's origin, in frame widths.
        height: of the standing figure, in frame heights.

    Returns:
        For each joint its place (T, 2) as (column, row) in frame heights, and its depth (T,)
        towards the viewer in body heights.
    """
    cos, sin = math.cos(facing), math.sin(facing)
    seen, depth = {}, {}
    for name, place in places.items():
        x, y, z = place.unbind(1)
        toward = sin * x - cos * z
        level = y * math.cos(PITCH) - toward * math.sin(PITCH)
        right = column + height * (cos * x + sin * z)
        seen[name] = torch.stack([right, FLOOR - height * level], 1)
        depth[name] = toward
    return seen, depth
