"""From joints to pictures: shaded limbs with soft edges, the near ones over the far ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .actor import Actor, Colour
from .body import FLOOR, SIDES

LIGHT = (-0.45, -0.60, 0.66)  # towards the lamp: left, up, to the viewer
HORIZON = 0.80  # row where wall and floor meet


@dataclass
class Limb:
    """A round cone: a segment with a radius at each end.

    Args:
        start, end: (T, 2), columns and rows in frame heights.
        radii: at start and end, in frame heights.
        depth: (T,), towards the viewer; decides who covers whom.
        colour: in [0, 1].
    """

    start: Tensor
    end: Tensor
    radii: tuple[float, float]
    depth: Tensor
    colour: Colour


def limbs(
    actor: Actor, seen: dict[str, Tensor], depth: dict[str, Tensor], side: float
) -> list[Limb]:
    """The parts of the figure.

    Args:
        actor: whose they are.
        seen, depth: joints on the screen, from `abplib.data.actions.body.project`.
        side: 0 when the figure is seen from the front, 1 in profile.
    """
    scale = actor.height
    thick = actor.girth * scale

    def part(a: str, b: str, r0: float, r1: float, colour: Colour, nearer: float = 0.0) -> Limb:
        middle = 0.5 * (depth[a] + depth[b]) + nearer
        return Limb(seen[a], seen[b], (r0 * thick, r1 * thick), middle, colour)

    found = [
        part("left hip", "right hip", 0.062, 0.062, actor.trousers, -0.03),
        part("waist", "chest", 0.076, 0.074, actor.shirt, 0.002),
        part("chest", "neck", 0.030, 0.032, actor.skin, 0.003),
    ]
    for name in SIDES:
        flank = part(f"{name} flank", f"{name} breast", 0.050, 0.056, actor.shirt)
        found.append(replace(flank, depth=depth["waist"]))
    fore = actor.shirt if actor.long_sleeves else actor.skin
    shin = actor.trousers if actor.long_trousers else actor.skin
    for name in SIDES:
        hip, knee, ankle, toe, shoulder, elbow, hand = (
            f"{name} {joint}"
            for joint in ("hip", "knee", "ankle", "toe", "shoulder", "elbow", "hand")
        )
        found += [
            part(hip, knee, 0.060, 0.044, actor.trousers),
            part(knee, ankle, 0.042, 0.028, shin, -0.002),
            part(ankle, toe, 0.030, 0.024, actor.shoes, 0.001),
            part(shoulder, elbow, 0.040, 0.032, actor.shirt, 0.004),
            part(elbow, hand, 0.031, 0.024, fore, 0.006),
            part(hand, hand, 0.030, 0.030, actor.skin, 0.008),
        ]
    radius = actor.head * scale
    ahead = torch.sign(seen["left toe"] - seen["left ankle"])[:, 0] * side
    back = torch.stack([-ahead, torch.zeros_like(ahead)], 1)
    up = seen["crown"] - seen["head"]
    hair = seen["head"] + 0.30 * up + 0.28 * radius * back
    found.append(Limb(hair, hair, (radius, radius), depth["head"] + 0.02, actor.hair))
    face = seen["head"] - 0.06 * up - 0.10 * radius * back
    found.append(Limb(face, face, (0.86 * radius,) * 2, depth["head"] + 0.03, actor.skin))
    return found


def paint(picture: Tensor, parts: list[Limb]) -> None:
    """Draw limbs over a video in place, from far to near in every frame.

    Args:
        picture: (T, 3, S, S), colours in [0, 1].
        parts: the limbs; each is drawn once a frame.
    """
    depth = torch.stack([limb.depth for limb in parts], 1)
    order = depth.argsort(dim=1, stable=True)  # (T, P): the k-th limb to draw in each frame
    frames = torch.arange(len(picture))[:, None]
    start = torch.stack([limb.start for limb in parts], 1)[frames, order]
    end = torch.stack([limb.end for limb in parts], 1)[frames, order]
    radii = torch.tensor([limb.radii for limb in parts])[order]
    shade = (1 + 1.1 * depth[frames, order]).clamp(0.72, 1.06)
    colour = torch.tensor([limb.colour for limb in parts])[order] * shade[..., None]
    for k in range(len(parts)):
        _cone(picture, start[:, k], end[:, k], radii[:, k], colour[:, k])


def _cone(picture: Tensor, start: Tensor, end: Tensor, radii: Tensor, colour: Tensor) -> None:
    """One round cone in each frame: radii (T, 2), colour (T, 3)."""
    size = picture.shape[-1]
    margin = float(radii.max()) + 1 / size
    low = ((torch.minimum(start, end).amin(0) - margin) * size).floor().long().clamp(0, size)
    high = ((torch.maximum(start, end).amax(0) + margin) * size).ceil().long().clamp(0, size)
    if bool((high <= low).any()):
        return
    (left, top), (right, bottom) = low.tolist(), high.tolist()
    x = ((torch.arange(left, right) + 0.5) / size) - start[:, 0, None, None]
    y = ((torch.arange(top, bottom) + 0.5) / size)[:, None] - start[:, 1, None, None]
    dx, dy = (end - start).view(-1, 2, 1, 1).unbind(1)
    along = ((x * dx + y * dy) / (dx * dx + dy * dy + 1e-8)).clamp(0, 1)
    radius = radii[:, 0, None, None] + (radii[:, 1] - radii[:, 0])[:, None, None] * along
    x, y = x - along * dx, y - along * dy
    distance = (x * x + y * y).sqrt()
    cover = ((radius - distance) * size + 0.5).clamp(0, 1)
    nx, ny = x / radius, y / radius
    nz = (1 - nx * nx - ny * ny).clamp(min=0).sqrt()
    light = (LIGHT[0] * nx + LIGHT[1] * ny + LIGHT[2] * nz).clamp(min=0)
    tone = (0.60 + 0.50 * light)[:, None] * colour[:, :, None, None]
    box = picture[:, :, top:bottom, left:right]
    box += (tone - box) * cover[:, None]


def scenery(actor: Actor, size: int, frames: int) -> Tensor:
    """A wall, lit from the upper left, and a floor: (T, 3, size, size)."""
    centres = (torch.arange(size, dtype=torch.float32) + 0.5) / size
    rows, columns = torch.meshgrid(centres, centres, indexing="ij")
    lamp = torch.exp(-((columns - 0.38) ** 2 + (rows - 0.32) ** 2) / 0.35)
    wall = torch.tensor(actor.wall).view(3, 1, 1) * (0.55 + 0.60 * lamp)
    floor = torch.tensor(actor.floor).view(3, 1, 1) * (0.70 + 1.6 * (rows - HORIZON).clamp(min=0))
    edge = ((rows - HORIZON) * size * 0.7 + 0.5).clamp(0, 1)
    return (wall * (1 - edge) + floor * edge).expand(frames, 3, size, size).clone()


def cast_shadow(picture: Tensor, spots: list[Tensor], lift: Tensor, height: float) -> None:
    """Darken the floor under the figure, in place.

    Args:
        picture: (T, 3, S, S).
        spots: (T,) columns of what stands on the floor: the pelvis and the feet.
        lift: (T,), height of the lower sole above the floor, in body heights.
        height: of the figure, in frame heights.
    """
    size = picture.shape[-1]
    centres = (torch.arange(size, dtype=torch.float32) + 0.5) / size
    rows = torch.exp(-(((centres - FLOOR) / (0.045 * height)) ** 2))[:, None]
    keep = torch.ones(len(picture), size, size)
    widths = (0.20, *(0.11,) * (len(spots) - 1))
    for column, width in zip(spots, widths, strict=True):
        reach = (width + 0.5 * lift) * height
        columns = torch.exp(-(((centres - column[:, None]) / reach[:, None]) ** 2))
        strength = (0.42 / (1 + 9 * lift))[:, None, None]
        keep = keep * (1 - strength * rows * columns[:, None, :])
    picture *= keep[:, None]
