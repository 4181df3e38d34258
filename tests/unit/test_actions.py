"""Tests of the ten actions: seeds, actors, and the fact that defines each action."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from abplib.data import actions
from abplib.data.actions import actor, body, pose, render

NAMES = (
    "walk",
    "run",
    "jump",
    "jack",
    "skip",
    "side",
    "wave1",
    "wave2",
    "bend",
    "pjump",
)
SEEDS = range(6)
ARMS = ("left hand", "right hand")
FEET = ("left ankle", "right ankle")


def long_run(name: str, seed: int) -> actions.Performance:
    """Eight seconds of an action, 160 instants."""
    return actions.perform(name, 160, seconds=8.0, seed=seed, travel=False)


def relative(shown: actions.Performance, joint: str) -> Tensor:
    """Path of a joint as seen from the chest, (T, 3) in body heights."""
    return shown.joints[joint] - shown.joints["chest"]


def path(places: Tensor) -> float:
    """Root mean square departure of a path from its mean, in body heights."""
    return float((places - places.mean(0)).square().sum(1).mean().sqrt())


def soles(shown: actions.Performance) -> Tensor:
    """Height of each ankle above its place when standing: (T, 2)."""
    return torch.stack([shown.joints[foot][:, 1] - body.SOLE for foot in FEET], 1)


def correlation(a: Tensor, b: Tensor) -> float:
    """Correlation over time."""
    return float(torch.corrcoef(torch.stack([a, b]))[0, 1])


def test_the_ten_actions() -> None:
    assert tuple(actions.ACTIONS) == NAMES
    for action in actions.ACTIONS.values():
        assert len(action.describe) > 3
        assert action.facing in ("side", "front")
        assert 0 < action.seconds[0] < action.seconds[1]


@pytest.mark.parametrize("name", NAMES)
def test_shape_range_and_dtype(name: str) -> None:
    for size in (16, 33):
        video = actions.clip(name, 5, size=size, seed=4)
        assert video.shape == (3, 5, size, size)
        assert video.dtype == torch.float32
        assert video.is_contiguous()
        assert video.min() >= -1
        assert video.max() <= 1
        assert video.max() - video.min() > 0.7  # a figure before a background, not a grey picture


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_clip_bit_for_bit(name: str) -> None:
    state = torch.get_rng_state()
    first = actions.clip(name, 6, size=32, seed=3)
    assert torch.equal(first, actions.clip(name, 6, size=32, seed=3))
    assert torch.equal(torch.get_rng_state(), state)  # the global generator is left alone
    assert (first - actions.clip(name, 6, size=32, seed=4)).abs().mean() > 0.03


def test_dataset_labels_and_order() -> None:
    names = ("walk", "jack", "bend")
    videos, labels = actions.dataset(names, 7, 4, 16, seed=5)
    assert videos.shape == (7, 3, 4, 16, 16)
    assert labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    again, _ = actions.dataset(names, 7, 4, 16, seed=5)
    assert torch.equal(videos, again)
    fewer, _ = actions.dataset(names, 3, 4, 16, seed=5)
    assert torch.equal(videos[:3], fewer)  # a larger set begins with the smaller one
    other, _ = actions.dataset(names, 7, 4, 16, seed=6)
    assert (other - videos).abs().flatten(1).mean(1).min() > 0.03


def test_no_two_clips_are_alike() -> None:
    """Forty clips of one action in the same clothes: build, phase and manner tell them apart."""
    videos, _ = actions.dataset(
        ("wave1",), 40, 8, 32, seed=0, wardrobe=False, travel=False, turn=False
    )
    flat = videos.flatten(1)
    distance = torch.cdist(flat, flat, p=1) / flat.shape[1]
    closest = distance[~torch.eye(40, dtype=torch.bool)].min()
    # wave1 has most of the figure at rest, so it is the hardest; one grey level is 0.008
    assert closest > 0.008


def test_no_two_actors_are_alike() -> None:
    builds = [actor.draw_actor(seed) for seed in range(50)]
    for name in ("height", "leg", "arm", "girth", "shoulders", "shirt", "trousers", "wall"):
        assert len({getattr(who, name) for who in builds}) == 50
    heights = torch.tensor([who.height for who in builds])
    girths = torch.tensor([who.girth for who in builds])
    assert heights.max() / heights.min() > 1.12
    assert girths.max() / girths.min() > 1.3
    assert len({who.skin for who in builds}) == len(actor.SKINS)


def test_one_actor_in_several_actions() -> None:
    walk = actions.perform("walk", 4, seed=1, actor=9)
    bend = actions.perform("bend", 4, seed=2, actor=9)
    assert walk.actor == bend.actor
    assert actions.perform("walk", 4, seed=1).actor != walk.actor


def test_wardrobe_false_leaves_build_alone() -> None:
    dressed = [actor.draw_actor(seed, wardrobe=False) for seed in range(5)]
    assert len({(who.shirt, who.skin, who.hair, who.wall) for who in dressed}) == 1
    assert len({who.girth for who in dressed}) == 5
    corner = [actions.clip("walk", 2, size=16, seed=s, wardrobe=False)[:, :, 0, 0] for s in SEEDS]
    assert all(torch.equal(corner[0], other) for other in corner)


@pytest.mark.parametrize("name", NAMES)
def test_frames_and_size_are_resolution_alone(name: str) -> None:
    """Twice the frames show the same places between; twice the pixels show the same picture."""
    few, many = (actions.perform(name, n, seed=2) for n in (8, 16))
    for joint, place in few.seen.items():
        # speed is integrated in finer steps: the column may differ by a fifth of a pixel of 64
        assert (many.seen[joint][::2] - place).abs().max() < 0.003
    small, large = (actions.clip(name, 6, size=size, seed=2) for size in (32, 64))
    pooled = functional.avg_pool2d(large, 2)
    error = (pooled - small).abs().mean()
    late = (pooled[:, 1:] - small[:, :-1]).abs().mean()
    assert error < 0.02  # edges are as soft as a pixel, at each size its own: 0.006 was measured
    assert error < late


@pytest.mark.parametrize("name", NAMES)
def test_no_clip_is_a_loop(name: str) -> None:
    """No lag brings a long performance back onto itself."""
    shown = long_run(name, 0)
    places = torch.stack([p - shown.joints["pelvis"] for p in shown.joints.values()], 1)
    spread = (places - places.mean(0)).square().mean().sqrt()
    closest = min(
        float((places[lag:] - places[:-lag]).square().mean().sqrt() / spread)
        for lag in range(10, 120)
    )
    assert closest > 0.1  # a loop gives 0; 0.2 to 0.6 was measured


@pytest.mark.parametrize("name", NAMES)
def test_bones_keep_their_length(name: str) -> None:
    shown = long_run(name, 1)
    who = shown.actor
    for side in body.SIDES:
        thigh = shown.joints[f"{side} knee"] - shown.joints[f"{side} hip"]
        shin = shown.joints[f"{side} ankle"] - shown.joints[f"{side} knee"]
        for bone in (thigh, shin):
            assert torch.allclose(bone.norm(dim=1), torch.tensor(who.leg / 2), atol=1e-5)
        fore = shown.joints[f"{side} hand"] - shown.joints[f"{side} elbow"]
        assert fore.norm(dim=1).std() < 1e-5
    assert soles(shown).min() > -0.03  # nobody sinks into the floor; a toe may point below a heel


def test_walking_keeps_a_foot_on_the_floor_and_running_does_not() -> None:
    for seed in SEEDS:
        assert long_run("walk", seed).lift.max() == 0
        walk, run = (soles(long_run(name, seed)) for name in ("walk", "run"))
        assert walk.amin(1).max() < 0.06  # the heel lifts as the toes push off, no more
        airborne = (run.amin(1) > 0.02).float().mean()
        assert 0.2 < airborne < 0.8
        strides = long_run("run", seed).joints
        apart = strides["left ankle"][:, 0] - strides["right ankle"][:, 0]
        assert apart.max() > 0.25  # legs swing in opposition
        assert apart.min() < -0.25


def test_jump_uses_both_legs_and_leaves_the_floor() -> None:
    for seed in SEEDS:
        shown = long_run("jump", seed)
        left, right = (shown.joints[foot] for foot in FEET)
        assert (left - right)[:, :2].abs().max() < 1e-5  # the feet go together
        assert shown.lift.max() > 0.1
        assert shown.joints["head"][:, 1].min() < 0.82  # and it crouches


def test_jack_spreads_arms_and_legs_together() -> None:
    for seed in SEEDS:
        shown = long_run("jack", seed)
        feet = shown.joints["left ankle"][:, 2] - shown.joints["right ankle"][:, 2]
        hands = shown.joints["left hand"][:, 1] - shown.joints["chest"][:, 1]
        assert feet.max() / feet.min() > 2.5
        assert hands.max() > 0.2  # above the shoulders
        assert hands.min() < -0.2  # below them
        assert correlation(feet, hands) > 0.9


def test_skip_lifts_one_knee_at_a_time_and_hops() -> None:
    for seed in SEEDS:
        shown = long_run("skip", seed)
        left, right = (shown.joints[f"{s} knee"][:, 1] for s in body.SIDES)
        hip = shown.joints["pelvis"][:, 1]
        assert (left - hip).max() > -0.12  # the thigh comes near the level
        assert (torch.maximum(left, right) - torch.minimum(left, right)).max() > 0.1
        assert correlation(left - hip, right - hip) < -0.3
        assert shown.lift.max() > 0.08


def test_side_opens_and_closes_the_legs_and_travels_sideways() -> None:
    for seed in SEEDS:
        shown = actions.perform("side", 64, seconds=3.2, seed=seed)
        feet = shown.joints["left ankle"][:, 2] - shown.joints["right ankle"][:, 2]
        assert feet.max() - feet.min() > 0.2
        assert correlation(feet, shown.lift) < -0.5  # apart on the floor, together in the air
        column = shown.seen["pelvis"][:, 0]
        assert (column[-1] - column[0]).abs() > 0.25


def test_wave1_moves_one_arm_only() -> None:
    for seed in SEEDS:
        shown = long_run("wave1", seed)
        quiet, busy = sorted(path(relative(shown, hand)) for hand in ARMS)
        assert busy > 0.05
        assert quiet < 1e-5
        higher = max(float(relative(shown, hand)[:, 1].mean()) for hand in ARMS)
        assert higher > 0.1  # raised above the shoulder
        assert max(path(relative(shown, foot)) for foot in FEET) < 1e-5


def test_wave2_moves_both_arms_alike_and_no_leg() -> None:
    for seed in SEEDS:
        shown = long_run("wave2", seed)
        left, right = (relative(shown, hand) for hand in ARMS)
        assert path(left) > 0.1
        assert torch.allclose(left[:, 1], right[:, 1], atol=1e-5)
        assert max(path(relative(shown, foot)) for foot in FEET) < 1e-5


def test_bend_lowers_head_and_hands_and_comes_up_again() -> None:
    for seed in SEEDS:
        shown = long_run("bend", seed)
        head = shown.joints["head"][:, 1]
        assert head.min() < 0.55
        assert head.max() > 0.88
        assert shown.joints["left hand"][:, 1].min() < 0.28
        assert soles(shown).max() < 0.03  # the feet stay; heels rise a little as the hips go back


def test_pjump_leaves_the_floor_on_the_spot() -> None:
    for seed in SEEDS:
        shown = actions.perform("pjump", 160, seconds=8.0, seed=seed, travel=True)
        assert shown.lift.max() > 0.1
        column = shown.seen["pelvis"][:, 0]
        assert column.max() - column.min() < 0.01


@pytest.mark.parametrize("name", ["walk", "run", "jump", "skip", "side"])
def test_travel_crosses_the_frame_and_tracking_stays(name: str) -> None:
    for seed in SEEDS:
        crossing = actions.perform(name, 32, seed=seed).seen["pelvis"][:, 0]
        centred = actions.perform(name, 32, seed=seed, travel=False).seen["pelvis"][:, 0]
        assert (crossing[-1] - crossing[0]).abs() > 0.2
        assert crossing.min() > 0.1
        assert crossing.max() < 0.9
        assert centred.max() - centred.min() < 0.04  # the hips go back in a crouch
        assert abs(float(centred.mean()) - 0.5) < 0.05


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_figure_is_in_the_frame_when_tracked(name: str) -> None:
    for seed in SEEDS:
        shown = actions.perform(name, 32, seed=seed, travel=False)
        for joint, place in shown.seen.items():
            assert place.min() > 0.02, joint
            assert place.max() < 0.98, joint


def test_turn_false_sends_everybody_to_the_right() -> None:
    ways = {"both": set(), "right": set()}  # type: dict[str, set[bool]]
    for seed in range(12):
        for key, turn in (("both", True), ("right", False)):
            column = actions.perform("walk", 8, seed=seed, turn=turn).seen["pelvis"][:, 0]
            ways[key].add(bool(column[-1] > column[0]))
    assert ways == {"both": {True, False}, "right": {True}}


def test_the_video_shows_the_joints() -> None:
    """The head is where the skeleton has it: skin there, background elsewhere in its row."""
    options = {"seed": 3, "travel": False, "wardrobe": False}
    shown = actions.perform("bend", 8, **options)  # type: ignore[arg-type]
    video = actions.clip("bend", 8, size=64, **options)  # type: ignore[arg-type]
    background = render.scenery(shown.actor, 64, 1)[0] * 2 - 1
    for frame in range(8):
        column, row = (shown.seen["head"][frame] * 64).long().tolist()
        assert (video[:, frame, row, column] - background[:, row, column]).abs().max() > 0.3
        assert (video[:, frame, row, 1] - background[:, row, 1]).abs().max() < 0.02


def test_near_limbs_cover_far_ones() -> None:
    """Two discs at one place: the one with the larger depth is seen, whichever comes first."""
    place = torch.full((1, 2), 0.5)
    red, blue = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
    for depths, seen in (((0.0, 0.1), 2), ((0.1, 0.0), 0)):
        picture = torch.zeros(1, 3, 16, 16)
        discs = [
            render.Limb(place, place, (0.3, 0.3), torch.tensor([d]), colour)
            for d, colour in zip(depths, (red, blue), strict=True)
        ]
        render.paint(picture, discs)
        assert picture[0, :, 8, 8].argmax() == seen
        assert picture[0, :, 0, 0].max() == 0


def test_the_wandering_curve_is_of_unit_size_and_smooth() -> None:
    time = torch.linspace(0, 200, 4000)
    curves = torch.stack([pose.wander(actor.Dice(seed), time) for seed in range(8)])
    assert 0.7 < curves.std() < 1.3  # three sines of amplitude 0.8: 0.98
    slope = (curves[:, 1:] - curves[:, :-1]).abs().max() / (time[1] - time[0])
    assert slope < 9  # 0.8 * 2 pi * (0.25 + 0.5 + 0.9) = 8.3 at most


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "fly"}, "unknown action 'fly'"),
        ({"frames": 0}, "frames is 0"),
        ({"seconds": 0.0}, "seconds 0.0"),
        ({"size": 8}, "size is 8"),
    ],
)
def test_errors_of_clip(change: dict[str, object], message: str) -> None:
    arguments = {"name": "walk", "frames": 4, "size": 16} | change
    with pytest.raises(ValueError, match=message):
        actions.clip(**arguments)  # type: ignore[arg-type]


def test_errors_of_dataset() -> None:
    for names, clips in (((), 3), (("walk",), 0)):
        with pytest.raises(ValueError, match="at least one of each"):
            actions.dataset(names, clips, 4, 16)


def test_actions_differ_from_each_other() -> None:
    """The same actor at the same seed: each action's path of joints is its own."""
    paths = {}
    for name in NAMES:
        shown = actions.perform(name, 32, seed=1, actor=1, travel=False, turn=False)
        joints = [*ARMS, *FEET, "left knee", "right knee", "head"]
        paths[name] = torch.stack([shown.joints[j] for j in joints])
    for a, b in itertools.combinations(NAMES, 2):
        distance = (paths[a] - paths[b]).norm(dim=-1).mean()
        assert distance > 0.03, (a, b)
