"""Speakers, known and new, and what each method of Table 4 predicts for the new ones.

What the methods are is told by `abplib.experiments.multimodal`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from abplib.baselines.cca import CCA, tuned
from abplib.data import speech, talking
from abplib.data.speech import Spoken
from abplib.multimodal import PRESETS, Multimodal, MultimodalPreset
from abplib.spectra import LogSpectrum, griffin_lim, soft_sound

TRAINING, NEW = 10, 3  # speakers
FIRST = 20_000  # seed of the first speaker; presets were chosen on other speakers, below 15,300
SPREAD = 100  # from the speakers of one seed to those of the next


def speakers_of(seed: int) -> tuple[list[int], list[int]]:
    """Seeds of the training speakers and of the new ones.

    >>> speakers_of(1)[1]
    [20110, 20111, 20112]
    """
    first = FIRST + SPREAD * seed
    return list(range(first, first + TRAINING)), list(
        range(first + TRAINING, first + TRAINING + NEW)
    )


def clips_of(
    preset: MultimodalPreset, seed: int, takes: int, folder: str | None
) -> tuple[Spoken, Spoken]:
    """The training clips and the new ones."""
    frames, size, rate = preset.frames, preset.size, preset.rate
    if folder is None:
        made = [
            speech.dataset(who, takes=takes, frames=frames, size=size, rate=rate)
            for who in speakers_of(seed)
        ]
        return made[0], made[1]
    every = talking.load_speakers(folder, frames=frames, size=size, rate=rate)
    who = every.speakers.unique()
    if len(who) <= NEW:
        raise ValueError(f"{folder} holds {len(who)} speakers; expected more than {NEW}")
    new_ones = torch.isin(every.speakers, who[-NEW:])
    return every.select(~new_ones), every.select(new_ones)


class Predictions:
    """What each method predicts for the new clips.

    Args:
        preset: of ABP, and of the size of the clips.
        training, new: the clips.
        seed: of ABP's weights and chains.
    """

    def __init__(
        self, preset: MultimodalPreset, training: Spoken, new: Spoken, seed: int = 0
    ) -> None:
        self.preset, self.training, self.new, self.seed = preset, training, new, seed
        self.spectrum = LogSpectrum(preset.window, preset.hop)
        self.face = preset.face(training.videos)
        self.validation = training.speakers == training.speakers[-1]

    def motion(self, clips: Spoken) -> Tensor:
        """Videos as ABP gets them."""
        return self.preset.moving(clips.videos)

    def levels(self, clips: Spoken) -> Tensor:
        """Levels of the sounds' spectra."""
        return self.spectrum(clips.sounds)

    def whole(self, motion: Tensor) -> Tensor:
        """Videos from predicted motion, as it is."""
        return (motion + self.face).clamp(-1, 1)

    def learn(self, preset: MultimodalPreset) -> Multimodal:
        """A finished run of Algorithm 1."""
        learned = preset.start(self.training.videos, self.training.sounds, self.seed)
        learned.run.fit(progress=False)
        return learned

    @cached_property
    def learned(self) -> Multimodal:
        """The preset's run."""
        return self.learn(self.preset)

    def abp(self, **options: Any) -> tuple[Tensor, Tensor]:
        """Sounds and videos by the preset's run; options of the preset that predict otherwise."""
        learned = self.learned
        learned.preset = replace(self.preset, **options)
        return learned.hear(self.new.videos, self.seed), learned.see(self.new.sounds, self.seed)

    def one_chain(self) -> tuple[Tensor, Tensor]:
        """Predictions by one chain of the paper's length from the prior."""
        steps = PRESETS["paper"].steps
        return self.abp(known_starts=0, steps=steps, draws=10, gain=1.0, price=None)

    def waveform(self) -> tuple[Tensor, Tensor]:
        """The preset with the paper's view of the sound."""
        fewer = max(1, self.preset.iterations // 3)
        learned = self.learn(replace(self.preset, spectral=False, iterations=fewer))
        return learned.hear(self.new.videos, self.seed), learned.see(self.new.sounds, self.seed)

    def cca(self, listen: Callable[[Spoken], Tensor]) -> tuple[Tensor, Tensor]:
        """Both directions, with the sound as `listen` hands it over: sounds, and motion."""
        here, there = (self.motion(self.training), listen(self.training)), self.validation
        heard: CCA = tuned(*here, there)
        seen: CCA = tuned(here[1], here[0], there)
        return heard.predict(self.motion(self.new)), seen.predict(listen(self.new))

    def cca_waveform(self) -> tuple[Tensor, Tensor]:
        """CCA between videos and samples."""
        sounds, motion = self.cca(lambda clips: clips.sounds)
        return sounds, self.whole(motion)

    @cached_property
    def linear(self) -> tuple[Tensor, Tensor, Tensor]:
        """CCA between videos and levels: levels, their sounds, and motion."""
        levels, motion = self.cca(self.levels)
        return levels, griffin_lim(levels, self.spectrum, self.preset.rate), motion

    def cca_spectrum(self) -> tuple[Tensor, Tensor]:
        """CCA between videos and levels."""
        _, sounds, motion = self.linear
        return sounds, self.whole(motion)

    def cca_soft(self) -> tuple[Tensor, Tensor]:
        """The same, with motion enlarged and sound softened as ABP's are."""
        levels, sounds, motion = self.linear
        if self.preset.price is not None:
            sounds = soft_sound(levels, sounds[None], self.spectrum, price=self.preset.price)
        return sounds, self.whole(self.preset.gain * motion)

    def nearest(self) -> tuple[Tensor, Tensor]:
        """The other view of the nearest training clip."""
        found = []
        for given in (self.motion, self.levels):
            known, new = (given(clips).flatten(1) for clips in (self.training, self.new))
            found.append(torch.cdist(new, known).argmin(1))
        videos = self.motion(self.training)[found[1]]
        return self.training.sounds[found[0]], self.whole(videos)

    def several(self) -> tuple[Tensor, Tensor]:
        """The mean of the nearest training clips, as many as ABP starts from."""
        seen, heard = self.motion(self.training), self.levels(self.training)
        count = max(1, self.preset.known_starts)
        near = []
        for given, known in ((self.motion(self.new), seen), (self.levels(self.new), heard)):
            apart = torch.cdist(given.flatten(1), known.flatten(1))
            near.append(apart.topk(count, largest=False).indices)
        levels = torch.stack([heard[index].mean(0) for index in near[0]])
        motion = torch.stack([seen[index].mean(0) for index in near[1]])
        return griffin_lim(levels, self.spectrum, self.preset.rate), self.whole(motion)

    def mean(self) -> tuple[Tensor, Tensor]:
        """The mean training clip."""
        sounds, videos = self.training.sounds.mean(0), self.training.videos.mean(0)
        return sounds.expand_as(self.new.sounds), videos.expand_as(self.new.videos).contiguous()

    def silence(self) -> tuple[Tensor, None]:
        """No sound."""
        return torch.zeros_like(self.new.sounds), None
