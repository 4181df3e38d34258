"""The articulatory score: what mouth and voice do while a phrase is said, as smooth curves.

Each sound pulls every curve towards its target while it lasts. Neighbouring pulls overlap, lips
more than voice, so sounds run into each other (coarticulation): in "you" the lips round during
the "y".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from abplib.data.actions.actor import Dice
from abplib.data.speech.phones import PHONES, Phone, spell
from abplib.data.speech.speaker import Speaker, draw_speaker

RATE = 400  # of the curves, in samples a second
LONGEST = 0.86  # of a phrase, as a share of the clip
USUAL = 0.62  # seconds; shorter phrases are said more slowly, longer ones faster

MOUTH = 0.036  # seconds over which a neighbour's pull fades: lips, jaw and tongue tip
TRACT = 0.020  # formants
FOLDS = 0.009  # voice and noise


@dataclass(frozen=True)
class Score:
    """One phrase, said once by one speaker: curves of T = `RATE` values a second.

    Args:
        phrase: a key of `PHRASES`.
        speaker: who says it.
        take: seed of what differs from one repetition to the next.
        opening: (T,), gap between the lips, 0 shut to about 1.
        spread, rounding, tongue: (T,), see `abplib.data.speech.phones.Phone`.
        formants: (T, 3), resonances of this speaker's tract, in Hz.
        voice, breath, hiss, nasal: (T,), strengths; place, band: (T,), of the hiss, in Hz.
        pitch: (T,), in Hz.
        sounds: name, start and end in seconds of each target, in order.
    """

    phrase: str
    speaker: Speaker
    take: int
    opening: Tensor
    spread: Tensor
    rounding: Tensor
    tongue: Tensor
    formants: Tensor
    voice: Tensor
    breath: Tensor
    hiss: Tensor
    nasal: Tensor
    place: Tensor
    band: Tensor
    pitch: Tensor
    sounds: tuple[tuple[float, float], ...]

    @property
    def seconds(self) -> float:
        """Length of the clip."""
        return len(self.opening) / RATE

    def frames(self, count: int) -> Tensor:
        """Indices into the curves of the middles of `count` video frames."""
        return ((torch.arange(count) + 0.5) / count * len(self.opening)).long()

    def lip_opening(self, frames: int) -> Tensor:
        """(frames,): the opening at the middle of each video frame.

        >>> score("Hello").lip_opening(32).shape
        torch.Size([32])
        """
        return self.opening[self.frames(frames)]


def score(phrase: str, *, speaker: int | Speaker = 0, take: int = 0, seconds: float = 1.0) -> Score:
    """Say a phrase: the curves that picture and sound are made from.

    Args:
        phrase: a key of `abplib.data.speech.PHRASES`.
        speaker: the speaker, or the seed of one.
        take: seed of the repetition; another take differs in timing, force and tune.
        seconds: length of the clip, with the phrase in its middle.

    Raises:
        ValueError: for an unknown phrase, and for a clip of no length.

    >>> a = score("Hello", speaker=1)
    >>> bool(a.opening.min() >= 0), 0.4 < a.opening.max() < 1.2
    (True, tensor(True))
    """
    if not seconds > 0:
        raise ValueError(f"seconds is {seconds}; expected a length above zero")
    who = speaker if isinstance(speaker, Speaker) else draw_speaker(speaker)
    phones = spell(phrase)
    dice = Dice(hash_of(phrase, who.seed, take))
    edges = _timing(phones, who, dice, seconds)
    time = (torch.arange(round(seconds * RATE)) + 0.5) / RATE
    blend = _Blend(time, edges, phones, dice)
    reach = who.reach * (1 + 0.06 * dice.between(-1, 1))
    tract = who.tract * (1 + 0.015 * dice.between(-1, 1))
    opening = blend("opening", MOUTH, noise=0.05) * reach
    voice = blend("voice", FOLDS)
    loud = 0.75 + 0.5 * opening.clamp(0, 1)
    formants = [blend("formants", TRACT, index=k, noise=0.03) * tract for k in range(3)]
    return Score(
        phrase=phrase,
        speaker=who,
        take=take,
        opening=_no_less_than_shut(opening),
        spread=blend("spread", MOUTH, noise=0.06),
        rounding=blend("rounding", MOUTH, ahead=0.03).clamp(0, 1),
        tongue=blend("tongue", MOUTH).clamp(0, 1),
        formants=torch.stack(formants, 1),
        voice=voice * loud * (1 + 0.15 * dice.between(-1, 1)),
        breath=blend("breath", FOLDS),
        hiss=blend("hiss", FOLDS),
        nasal=blend("nasal", FOLDS),
        place=blend("place", TRACT),
        band=blend("band", TRACT),
        pitch=_tune(time, edges, who, dice),
        sounds=tuple((float(a), float(b)) for a, b in edges),
    )


def hash_of(phrase: str, *numbers: int) -> int:
    """A seed that differs wherever phrase or numbers do, the same in every process."""
    value = 0
    for part in (*phrase.encode(), *numbers):
        value = (value * 1000003 + part + 1) % (2**61 - 1)
    return value


def _timing(phones: Sequence[Phone], who: Speaker, dice: Dice, seconds: float) -> Tensor:
    """Start and end of each sound in seconds: (K, 2). No two repetitions have the same."""
    lengths = torch.tensor(
        [p.milliseconds / 1000 * math.exp(0.1 * dice.between(-1.5, 1.5)) for p in phones]
    )
    total = float(lengths.sum())
    wanted = total * (USUAL / total) ** 0.35 * who.speed * (1 + 0.06 * dice.between(-1, 1))
    wanted = min(wanted, LONGEST * seconds)
    lengths = lengths * (wanted / total)
    start = (seconds - wanted) / 2 + 0.03 * seconds * dice.between(-1, 1)
    ends = start + lengths.cumsum(0)
    return torch.stack([ends - lengths, ends], 1)


class _Blend:
    """Curves between the targets of the sounds, with silence before and after."""

    def __init__(self, time: Tensor, edges: Tensor, phones: Sequence[Phone], dice: Dice) -> None:
        rest = PHONES["rest"][0]
        first, last = float(edges[0, 0]), float(edges[-1, 1])
        self.time, self.dice = time, dice
        self.phones = [rest, *phones, rest]
        self.edges = torch.cat(
            [torch.tensor([[first - 9, first]]), edges, torch.tensor([[last, last + 9]])]
        )
        self.hold = torch.tensor([p.hold for p in self.phones])

    def __call__(
        self,
        name: str,
        width: float,
        *,
        index: int | None = None,
        noise: float = 0,
        ahead: float = 0,
    ) -> Tensor:
        """One curve; `noise` of the targets is absolute, that of formants relative."""
        targets = torch.tensor(
            [getattr(p, name) if index is None else getattr(p, name)[index] for p in self.phones]
        )
        scale = targets.clone() if index is not None else torch.ones(len(targets))
        scale[[0, -1]] = 0
        drawn = torch.tensor([self.dice.between(-1, 1) for _ in targets])
        targets = targets + noise * drawn * scale
        starts, ends = self.edges[:, 0] - ahead, self.edges[:, 1]
        left, right = (
            torch.special.ndtr((self.time[:, None] - edge) / width) for edge in (starts, ends)
        )
        pull = (left - right).clamp(min=1e-9)
        if width == MOUTH:
            pull = pull * self.hold
        return (pull * targets).sum(1) / pull.sum(1)


def _no_less_than_shut(opening: Tensor) -> Tensor:
    """Lips that press together stay shut: a soft maximum with zero."""
    return F.softplus(opening, beta=25.0)


def _tune(time: Tensor, edges: Tensor, who: Speaker, dice: Dice) -> Tensor:
    """The pitch: it falls through the phrase, with an accent somewhere and a slow waver."""
    first, last = float(edges[0, 0]), float(edges[-1, 1])
    through = ((time - first) / (last - first)).clamp(0, 1)
    accent = torch.exp(-(((through - dice.between(0.1, 0.6)) / 0.18) ** 2))
    waver = torch.sin(2 * math.pi * (dice.between(1.5, 3.5) * time + dice.between(0, 1)))
    fall = dice.between(0.12, 0.28)
    relative = 1 + 0.5 * fall - fall * through + dice.between(0.05, 0.2) * accent + 0.015 * waver
    return who.pitch * (1 + 0.04 * dice.between(-1, 1)) * relative
