"""Ten human actions, after the Weizmann set: shaded figures of many builds, never two alike.

Each clip is one actor, who walks, runs, jumps, waves ... before a wall. A body of joints follows
angle curves (`motion`, `pose`), stands on the floor and is seen by a camera (`body`), and is drawn
as round shaded limbs (`render`). Phase and vigour wander, so that no clip is a loop. Pixels are in
[-1, 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .actor import Actor, Dice, draw_actor
from .body import joints, project
from .motion import ACTIONS
from .pose import Manner, wander
from .render import cast_shadow, limbs, paint, scenery

__all__ = ["ACTIONS", "Performance", "clip", "dataset", "perform"]

FINE = 8  # instants a frame at which speed is integrated
ROOM = 0.56  # frame widths that a travelling figure crosses at most; the camera follows the rest
SMALLEST = 16


@dataclass(frozen=True)
class Performance:
    """One action by one actor: all that a picture of it needs.

    Args:
        actor: build, clothes and surroundings.
        joints: places in body axes, (T, 3) in body heights: x forwards, y above the floor, z left.
        seen: the same joints on the screen, (T, 2): column and row in frame heights.
        depth: (T,), towards the viewer.
        lift: (T,), height of the lower sole above the floor, in body heights.
        profile: 1 when seen from the side, 0 from the front.
    """

    actor: Actor
    joints: dict[str, Tensor]
    seen: dict[str, Tensor]
    depth: dict[str, Tensor]
    lift: Tensor
    profile: float


def perform(
    name: str,
    frames: int = 32,
    *,
    seed: int = 0,
    actor: int | None = None,
    seconds: float = 1.28,
    travel: bool = True,
    wardrobe: bool = True,
    turn: bool = True,
) -> Performance:
    """Move a body: the joints of a clip, without its pictures. Arguments as in `clip`.

    Example:
        >>> walk = perform("walk", 8, seed=1)
        >>> walk.joints["left knee"].shape, walk.seen["left knee"].shape
        (torch.Size([8, 3]), torch.Size([8, 2]))
    """
    if name not in ACTIONS:
        raise ValueError(f"unknown action {name!r}: expected one of {', '.join(ACTIONS)}")
    if frames < 1 or not seconds > 0:
        raise ValueError(f"frames is {frames}, seconds {seconds}: expected 1 or more, above zero")
    action, dice = ACTIONS[name], Dice(seed)
    who = draw_actor(seed if actor is None else actor, wardrobe=wardrobe)
    time = torch.arange(frames * FINE + 1, dtype=torch.float32) * (seconds / (frames * FINE))
    cycle, start = dice.between(*action.seconds), dice.between(0.0, 2 * math.pi)
    uneven = time + 0.04 * wander(dice, time)
    vigour = 1 + 0.07 * wander(dice, time)
    manner = Manner(start + 2 * math.pi / cycle * uneven, vigour, dice)
    pose = action.curves(manner)
    way = torch.cat([pose.advance[:1] * 0, torch.cumulative_trapezoid(pose.advance, manner.phase)])
    sideways = name == "side"
    front = action.facing == "front"
    angle = (math.pi / 2 if front else 0.0) + dice.between(-0.22, 0.22)
    if turn and dice.chance(0.5):
        angle = math.pi - angle
    if travel:
        who = replace(who, height=0.82 * who.height)
    column = _columns(way * who.height, angle, sideways, travel) + dice.between(-0.02, 0.02)
    shown = slice(0, frames * FINE, FINE)
    places = {key: value[shown] for key, value in joints(who, pose).items()}
    seen, depth = project(places, facing=angle, column=column[shown], height=who.height)
    return Performance(who, places, seen, depth, pose.lift[shown], abs(math.cos(angle)))


def _columns(way: Tensor, angle: float, sideways: bool, travel: bool) -> Tensor:
    """Where the body is in the frame: (T,). The camera follows what would leave the frame."""
    centred = way - 0.5 * (way.amin() + way.amax())
    across = centred * (math.sin(angle) if sideways else math.cos(angle))
    reach = float(2 * across.abs().max())
    return 0.5 + across * (min(1.0, ROOM / max(reach, 1e-6)) if travel else 0.0)


def clip(
    name: str,
    frames: int = 32,
    *,
    size: int = 64,
    seed: int = 0,
    actor: int | None = None,
    seconds: float = 1.28,
    travel: bool = True,
    wardrobe: bool = True,
    turn: bool = True,
) -> Tensor:
    """One actor doing one thing.

    The same arguments give the same video, bit for bit, on one machine. `frames` and `size` are
    resolution alone: the same seed shows the same performance at every value of them.

    Args:
        name: a key of `ACTIONS`.
        frames: number of frames, 1 or more.
        size: height and width in pixels, 16 or more.
        seed: of the performance: speed, phase, manner, and what wanders.
        actor: seed of build and clothes; None: `seed`, so that every clip has its own actor.
        seconds: length of the performance; 1.28 s is 32 frames at the 25 a second of the Weizmann
            set. A walking cycle takes 1.0 to 1.3 s.
        travel: True crosses the frame, as in the Weizmann set; False keeps the figure centred, a
            little larger, as if a camera followed it.
        wardrobe: False gives all the same clothes, skin and surroundings: what differs is motion
            and build.
        turn: False lets nobody face left: everyone walks to the right.

    Returns:
        Video (3, frames, size, size), float32 in [-1, 1].

    Raises:
        ValueError: for an unknown action, no frame, no time, or a size below 16.

    Example:
        >>> clip("walk", 4, size=16).shape
        torch.Size([3, 4, 16, 16])
    """
    if size < SMALLEST:
        raise ValueError(f"size is {size}: expected {SMALLEST} pixels or more")
    shown = perform(
        name,
        frames,
        seed=seed,
        actor=actor,
        seconds=seconds,
        travel=travel,
        wardrobe=wardrobe,
        turn=turn,
    )
    picture = scenery(shown.actor, size, frames)
    feet = [shown.seen[f"{s} ankle"][:, 0] for s in ("left", "right")]
    spots = [shown.seen["pelvis"][:, 0], *feet]
    cast_shadow(picture, spots, shown.lift, shown.actor.height)
    paint(picture, limbs(shown.actor, shown.seen, shown.depth, shown.profile))
    return (picture.clamp(0, 1) * 2 - 1).transpose(0, 1).contiguous()


def dataset(
    names: Sequence[str] = tuple(ACTIONS),
    clips: int = 60,
    frames: int = 32,
    size: int = 64,
    *,
    seed: int = 0,
    seconds: float = 1.28,
    travel: bool = True,
    wardrobe: bool = True,
    turn: bool = True,
) -> tuple[Tensor, Tensor]:
    """Many clips, the actions in turn, every clip by an actor of its own.

    Args:
        names: actions to show, in this order, again and again.
        clips: number of clips N.
        frames, size, seconds, travel, wardrobe, turn: as in `clip`.
        seed: another seed gives other actors and performances throughout.

    Returns:
        Videos (N, 3, frames, size, size), float32 in [-1, 1], and labels (N,), the index of each
        clip's action in `names`.

    Raises:
        ValueError: for no clip, no name, and as in `clip`.

    Example:
        >>> videos, labels = dataset(("walk", "run"), 3, 4, 16)
        >>> videos.shape, labels.tolist()
        (torch.Size([3, 3, 4, 16, 16]), [0, 1, 0])
    """
    if clips < 1 or not names:
        raise ValueError(f"{clips} clips of {len(names)} actions: expected at least one of each")
    seeds = torch.randint(2**40, (clips,), generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(clips) % len(names)
    videos = [
        clip(
            names[int(label)],
            frames,
            size=size,
            seed=int(own),
            seconds=seconds,
            travel=travel,
            wardrobe=wardrobe,
            turn=turn,
        )
        for label, own in zip(labels, seeds, strict=True)
    ]
    return torch.stack(videos), labels
