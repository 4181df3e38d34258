"""Many clips at once: speakers times phrases times repetitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from abplib.data.speech.phones import PHRASES
from abplib.data.speech.picture import picture
from abplib.data.speech.score import score
from abplib.data.speech.sound import FULL_RATE, sound


@dataclass(frozen=True)
class Spoken:
    """N clips, seen and heard.

    Args:
        videos: (N, 3, T, H, W) in [-1, 1].
        sounds: (N, 1, samples) in [-1, 1].
        phrases: (N,), index into `PHRASES`.
        speakers: (N,), the seed or number of who speaks.
        opening: (N, T), gap between the lips by the score; None where it is not known.
    """

    videos: Tensor
    sounds: Tensor
    phrases: Tensor
    speakers: Tensor
    opening: Tensor | None

    def __len__(self) -> int:
        return len(self.videos)

    def select(self, index: Tensor) -> Spoken:
        """Some of the clips: `index` is long (n,) or bool (N,)."""
        opening = None if self.opening is None else self.opening[index]
        return Spoken(
            self.videos[index],
            self.sounds[index],
            self.phrases[index],
            self.speakers[index],
            opening,
        )


def clip(
    phrase: str,
    *,
    speaker: int = 0,
    take: int = 0,
    frames: int = 32,
    size: int = 64,
    rate: int = FULL_RATE,
) -> tuple[Tensor, Tensor]:
    """One second of one speaker: video (3, frames, size, size) and sound (1, rate).

    The same arguments give the same clip. `frames`, `size` and `rate` are resolution alone.

    >>> video, heard = clip("See you", speaker=3, frames=4, size=16, rate=8000)
    >>> video.shape, heard.shape
    (torch.Size([3, 4, 16, 16]), torch.Size([1, 8000]))
    """
    said = score(phrase, speaker=speaker, take=take)
    return picture(said, frames, size), sound(said, rate)


def dataset(
    speakers: Sequence[int],
    *,
    phrases: Sequence[str] = tuple(PHRASES),
    takes: int = 5,
    frames: int = 32,
    size: int = 64,
    rate: int = FULL_RATE,
) -> Spoken:
    """All phrases by all speakers, so many times each.

    Args:
        speakers: a seed for each.
        phrases: keys of `PHRASES`.
        takes: repetitions of each phrase by each speaker.
        frames, size, rate: as in `clip`.

    Raises:
        ValueError: where there is nothing to say, and as in `clip`.

    >>> dataset([4, 5], phrases=["Hello"], takes=2, frames=2, size=16, rate=8000).opening.shape
    torch.Size([4, 2])
    """
    if not speakers or not phrases or takes < 1:
        raise ValueError(
            f"{len(speakers)} speakers, {len(phrases)} phrases, {takes} takes: expected at least "
            "one of each"
        )
    names = tuple(PHRASES)
    videos, sounds, openings, labels = [], [], [], []
    for who in speakers:
        for phrase in phrases:
            for take in range(takes):
                said = score(phrase, speaker=who, take=take)
                videos.append(picture(said, frames, size))
                sounds.append(sound(said, rate))
                openings.append(said.lip_opening(frames))
                labels.append((names.index(phrase), who))
    phrase_of, speaker_of = torch.tensor(labels).unbind(1)
    return Spoken(
        torch.stack(videos), torch.stack(sounds), phrase_of, speaker_of, torch.stack(openings)
    )
