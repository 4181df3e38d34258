"""How each action moves: joint angles as functions of a phase that never runs quite evenly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from .pose import HALF, Manner, Pose


def _walk(m: Manner) -> Pose:
    swing = m.dice.between(0.40, 0.52) * m.vigour[:, None]
    legs, arms = m.legs(), m.dice.between(0.35, 0.6)
    lifted = torch.cos(legs + 0.45).clamp(min=0) ** 2
    stride = swing[:, 0] * 0.48 * (0.5 * torch.cos(m.phase).abs() + 1 / HALF)
    return m.pose(
        thigh=0.07 + swing * torch.sin(legs),
        knee=0.10 + 1.0 * lifted * m.vigour[:, None],
        upper=-arms * torch.sin(legs) * m.vigour[:, None],
        elbow=0.25 - 0.2 * torch.sin(legs),
        upper_out=m.zero + m.dice.between(0.06, 0.14),
        fore_out=m.zero + 0.05,
        lean=m.zero + m.dice.between(0.02, 0.08),
        twist=0.15 * torch.sin(m.phase),
        advance=stride,
    )


def _run(m: Manner) -> Pose:
    swing = m.dice.between(0.70, 0.88) * m.vigour[:, None]
    legs = m.legs()
    lifted = torch.cos(legs + 0.25).clamp(min=0) ** 1.3
    return m.pose(
        thigh=0.22 + swing * torch.sin(legs),
        knee=0.38 + m.dice.between(1.35, 1.65) * lifted,
        upper=-0.1 - 0.85 * torch.sin(legs) * m.vigour[:, None],
        elbow=m.zero + m.dice.between(1.35, 1.65),
        upper_out=m.zero + 0.15,
        lean=m.zero + m.dice.between(0.17, 0.28),
        twist=0.25 * torch.sin(m.phase),
        lift=0.075 * (-torch.cos(2 * m.phase)).clamp(min=0) * m.vigour,
        advance=0.40 * m.vigour,
    )


def _jump(m: Manner) -> Pose:
    """Forwards on both legs: crouch with the arms behind, leap with the arms thrown up."""
    crouch = (-torch.sin(m.phase)).clamp(min=0) * m.vigour
    flight = torch.sin(m.phase).clamp(min=0)
    tuck = torch.sin(2 * m.phase).clamp(max=0).neg() * flight  # legs forward before landing
    deep = m.dice.between(0.95, 1.15)
    return m.pose(
        thigh=deep * crouch + 0.7 * tuck - 0.15 * flight,
        knee=1.75 * deep * crouch + 0.5 * tuck + 0.1,
        upper=-1.1 * torch.cos(m.phase + 0.9) * m.vigour + 0.55 * flight,
        elbow=m.zero + 0.35,
        upper_out=m.zero + 0.1,
        lean=0.08 + 0.65 * crouch,
        lift=m.dice.between(0.13, 0.18) * flight * m.vigour,
        advance=0.28 * flight,
    )


def _jack(m: Manner) -> Pose:
    """Arms and legs spread and close together."""
    spread = 0.5 - 0.5 * torch.cos(m.phase)
    wide, high = m.dice.between(0.36, 0.48), m.dice.between(2.45, 2.75)
    return m.pose(
        thigh_out=0.05 + wide * spread * m.vigour,
        knee=0.12 * torch.cos(m.phase) ** 2,
        upper_out=0.14 + high * spread,
        fore_out=0.20 + (high - 0.1) * spread,
        lift=0.07 * torch.sin(m.phase) ** 2 * m.vigour,
    )


def _skip(m: Manner) -> Pose:
    """Step and hop on one leg while the other knee is high; then the other side."""
    legs = m.legs()
    raised = torch.sin(legs).clamp(min=0) ** 1.3 * m.vigour[:, None]
    back = torch.sin(legs).clamp(max=0)
    knee_up, arms = m.dice.between(1.15, 1.4), m.dice.between(0.7, 1.0)
    return m.pose(
        thigh=0.05 + knee_up * raised + 0.30 * back,
        knee=0.15 + 1.55 * raised + 0.55 * torch.cos(legs + 0.7).clamp(min=0) ** 3,
        upper=-arms * torch.sin(legs) + 0.25,
        elbow=0.5 - 0.3 * torch.sin(legs),
        upper_out=m.zero + 0.12,
        lean=m.zero + 0.04,
        twist=0.2 * torch.sin(m.phase),
        lift=0.115 * torch.sin(m.phase).abs() ** 2 * m.vigour,
        advance=0.22 * m.vigour,
    )


def _side(m: Manner) -> Pose:
    """Gallop sideways: feet apart on the floor, then together in the air."""
    apart = 0.5 - 0.5 * torch.cos(m.phase)
    lead = 0.34 * m.vigour * apart
    arms = m.dice.between(0.30, 0.55)
    return m.pose(
        thigh_out=torch.stack([0.05 + 1.15 * lead, 0.05 + 0.85 * lead], 1),
        knee=0.10 + 0.25 * (1 - apart),
        upper_out=arms + 0.25 * apart,
        fore_out=0.4 * arms + 0.3 * apart,
        elbow=m.zero + 0.25,
        tilt=0.06 * torch.sin(m.phase),
        lift=0.075 * (1 - apart) ** 2 * m.vigour,
        advance=0.085 * m.vigour * (1 + 0.6 * torch.sin(m.phase)),
    )


def _wave1(m: Manner) -> Pose:
    """One raised arm waves; nothing else moves but the breath."""
    which = m.dice.choose(2)
    waving = m.dice.between(0.5, 0.7) * torch.sin(m.phase) * m.vigour
    up, still = m.dice.between(2.0, 2.3), m.zero + m.dice.between(0.08, 0.16)
    upper, fore = [still, still], [still - 0.04, still - 0.04]
    upper[which] = up + 0.2 * waving
    fore[which] = up + m.dice.between(0.55, 0.75) + waving
    return m.pose(
        thigh_out=m.zero + m.dice.between(0.06, 0.12),
        upper_out=torch.stack(upper, 1),
        fore_out=torch.stack(fore, 1),
    )


def _wave2(m: Manner) -> Pose:
    """Both raised arms swing down to the sides and up over the head."""
    swing = m.dice.between(0.55, 0.75) * torch.sin(m.phase) * m.vigour
    up = m.dice.between(2.0, 2.2)
    return m.pose(
        thigh_out=m.zero + m.dice.between(0.06, 0.12),
        upper_out=up + 0.8 * swing,
        fore_out=up + 0.25 + 1.15 * swing,
    )


def _bend(m: Manner) -> Pose:
    """Down to the floor with the fingers, a rest, up again, a rest."""
    raw = 0.5 - 0.5 * torch.cos(m.phase)
    down = torch.sigmoid(7 * (raw - 0.5))
    down = (down - 0.0293) / 0.9414 * m.vigour.clamp(max=1.03)  # from 0 to 1
    deep = m.dice.between(1.75, 2.0)
    return m.pose(
        thigh=-0.16 * down,
        knee=0.06 + 0.10 * down,
        upper=0.05 + 0.20 * down,
        elbow=0.12 - 0.05 * down,
        upper_out=m.zero + 0.08,
        lean=deep * down,
    )


def _pjump(m: Manner) -> Pose:
    """Up and down on the spot on both legs."""
    crouch = (-torch.sin(m.phase)).clamp(min=0) ** 1.2 * m.vigour
    flight = torch.sin(m.phase).clamp(min=0)
    arms = m.dice.between(0.12, 0.25)
    return m.pose(
        thigh=0.75 * crouch,
        knee=1.45 * crouch,
        thigh_out=m.zero + 0.06,
        upper_out=arms + 0.15 * flight,
        fore_out=arms + 0.05 * flight,
        elbow=0.15 + 0.3 * crouch,
        lean=0.25 * crouch,
        lift=m.dice.between(0.13, 0.18) * flight * m.vigour,
    )


@dataclass(frozen=True)
class Action:
    """One action: its curves, how long a cycle takes, and how it is seen.

    Args:
        describe: in words.
        curves: manner -> pose.
        seconds: shortest and longest cycle.
        facing: "side" is seen in profile, "front" from the front.
    """

    describe: str
    curves: Callable[[Manner], Pose]
    seconds: tuple[float, float]
    facing: str


ACTIONS: dict[str, Action] = {
    "walk": Action("walks", _walk, (1.0, 1.3), "side"),
    "run": Action("runs", _run, (0.66, 0.82), "side"),
    "jump": Action("jumps forwards on both legs", _jump, (0.9, 1.15), "side"),
    "jack": Action("jumping jack: arms and legs spread", _jack, (0.95, 1.25), "front"),
    "skip": Action("skips: step and hop, knee high", _skip, (1.1, 1.35), "side"),
    "side": Action("gallops sideways", _side, (0.65, 0.85), "front"),
    "wave1": Action("waves one arm", _wave1, (0.7, 1.0), "front"),
    "wave2": Action("waves both arms", _wave2, (0.8, 1.1), "front"),
    "bend": Action("bends down to the floor and rises", _bend, (1.7, 2.2), "side"),
    "pjump": Action("jumps on the spot", _pjump, (0.7, 0.95), "front"),
}
"""The ten actions by name."""
