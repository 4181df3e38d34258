"""Section 3.5: video and sound from one latent, and either one from the other.

    video = G_v(Z; W_v) + noise,    sound = G_a(Z; W_a) + noise,    Z ~ N(0, I)

Learning is Algorithm 1 with two views. To see what is heard, Z is inferred from the sound alone and
given to G_v; to hear what is seen, the other way round.

The paper's form is the preset ``paper``. The other presets switch on what `MultimodalPreset` names,
each an option of its own:

* ``spectral``: the view of the sound compares levels of its spectrum, not samples. The generator of
  sound is the same, with a fixed map behind it (`abplib.spectra.LogSpectrum`).
* ``still``: what sound cannot tell, the look of a face, is taken out of the videos: each clip's
  mean frame is subtracted, and the mean frame of the training clips is put back.
* ``draws``: a prediction is the mean over so many states of its chain, so over the posterior.
* ``known_starts``: chains that predict start at the codes of the known clips that are nearest in
  the given view, one chain from each, and the prediction is the mean over chains as well. There the
  generators have learned what to make; a chain from the prior ends where they have not.
* ``gain``: predicted motion is multiplied by it. A mean over draws moves less than each of them.
* ``price``: a predicted sound has the posterior's mean levels, and is otherwise as soft as it can
  be: see `abplib.spectra.soft_sound`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from abplib.abp import ABP, Settings
from abplib.generators import AudioGenerator, Model3, Norm
from abplib.kernels import accelerate
from abplib.langevin import langevin
from abplib.posterior import View, energy, frozen
from abplib.spectra import LogSpectrum, soft_sound
from abplib.starts import component_scores

CHUNK = 100  # known clips that are generated at once


@dataclass(frozen=True)
class MultimodalPreset:
    """Everything that a run needs beside the clips. The defaults are the paper's.

    Args:
        frames, size: of the videos, size in pixels.
        rate: of the sounds, in samples a second; clips last one second.
        latent_channels: d.
        width, audio_width: multiply the numbers of filters of the two generators.
        norm, slope: of both generators' layers.
        mean_bias: start the output biases at the training means.
        still: see the head of this module.
        spectral: see the head of this module.
        window, hop: of the spectrum, in samples.
        components: start the chains at principal components of the two views together.
        sigma_video, sigma_audio: noise of the views, in their units.
        evidence: how many independent values each view counts for: its weight is this over the
            number of its values. None: 1 over the number of frames.
        iterations, langevin_steps, step_size, learning_rate, beta1, batch_size, decay: see
            `abplib.abp.Settings`.
        steps, predict_step: Langevin steps and step size of a chain when one view is predicted from
            the other.
        trust: when one view is predicted from the other, the given view's weight is so many times
            that of learning.
        draws: of each chain, see the head of this module; they are spread over its second half. 1:
            its last state alone.
        known_starts: how many known clips; see the head of this module. 0: one chain, from the
            prior.
        gain: see the head of this module; 1 leaves the motion as it is. Used where `still` is.
        price: in dB for a unit of expected error; see the head of this module. None: the mean
            sound over the draws. Used where `spectral` is.

    >>> PRESETS["paper"].differs_from_paper()
    {}
    """

    frames: int = 32
    size: int = 64
    rate: int = 48000
    latent_channels: int = 100
    width: float = 1.0
    audio_width: float = 1.0
    norm: Norm = "batch"
    slope: float = 0.0
    mean_bias: bool = False
    still: bool = False
    spectral: bool = False
    window: int = 1536
    hop: int = 480
    components: bool = False
    sigma_video: float = 0.5
    sigma_audio: float = 0.5
    evidence: float | None = None
    iterations: int = 500
    langevin_steps: int = 20
    step_size: float = 0.1
    learning_rate: float = 2e-4
    beta1: float = 0.5
    batch_size: int | None = None
    decay: float = 1.0
    steps: int = 200
    predict_step: float = 0.1
    trust: float = 1.0
    draws: int = 1
    known_starts: int = 0
    gain: float = 1.0
    price: float | None = None

    def differs_from_paper(self) -> dict[str, tuple[Any, Any]]:
        """What is not the paper's: name -> (this preset's value, the paper's)."""
        paper = type(self)()
        mine = {f.name: (getattr(self, f.name), getattr(paper, f.name)) for f in fields(self)}
        return {name: pair for name, pair in mine.items() if pair[0] != pair[1]}

    def settings(self) -> Settings:
        """The part of the preset that is Algorithm 1's."""
        names = [f.name for f in fields(Settings) if hasattr(self, f.name)]
        return Settings(**{name: getattr(self, name) for name in names})

    def moving(self, videos: Tensor) -> Tensor:
        """Videos (N, 3, T, H, W) as the generator is to make them: if `still`, less their mean."""
        return (videos - videos.mean(2, keepdim=True)).clamp(-1, 1) if self.still else videos

    def face(self, videos: Tensor) -> Tensor:
        """What is put back to what the generator makes: (3, 1, H, W), from training videos."""
        mean = videos.mean((0, 2))[:, None]
        return mean if self.still else torch.zeros_like(mean)

    def start(self, videos: Tensor, sounds: Tensor, seed: int = 0) -> Multimodal:
        """A run of Algorithm 1 on both views, ready for ``.run.fit()``.

        Args:
            videos: (N, 3, frames, size, size) in [-1, 1].
            sounds: (N, 1, rate) in [-1, 1].
            seed: of weights, chains and the order of the clips.

        Raises:
            ValueError: for clips of another size.
        """
        return Multimodal(self, videos, sounds, seed)


class Multimodal:
    """Two generators and one latent: learn with both views, predict with one.

    Args:
        preset: see `MultimodalPreset`.
        videos, sounds, seed: see `MultimodalPreset.start`.

    After ``learned.run.fit()``, `see` and `hear` predict.
    """

    def __init__(
        self, preset: MultimodalPreset, videos: Tensor, sounds: Tensor, seed: int = 0
    ) -> None:
        expected = (3, preset.frames, preset.size, preset.size), (1, preset.rate)
        if tuple(videos.shape[1:]) != expected[0] or tuple(sounds.shape[1:]) != expected[1]:
            raise ValueError(
                f"clips have shapes {tuple(videos.shape)} and {tuple(sounds.shape)}; this preset "
                f"learns from (N, {', '.join(map(str, expected[0]))}) and (N, 1, {preset.rate})"
            )
        self.preset, self.seed, device = preset, seed, videos.device
        self.face = preset.face(videos)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.video_generator = _video_generator(preset).to(device)
            self.audio_generator = _audio_generator(preset).to(device)
        self.spectrum = LogSpectrum(preset.window, preset.hop).to(device)
        self.listened: nn.Module = self.audio_generator
        if preset.spectral:
            self.listened = nn.Sequential(self.audio_generator, self.spectrum)
        seen, heard = self.video_view(videos), self.audio_view(sounds)
        if preset.mean_bias:
            self.video_generator.start_at_mean(seen.data)
        if device.type == "cpu":
            accelerate(self.video_generator)
            accelerate(self.audio_generator)
        d = preset.latent_channels
        latents: Any = (d, 1, 1, 1)
        if preset.components:
            latents = _start(seen.data, heard.data, d, seed)
        self.run = ABP([seen, heard], latents, preset.settings(), seed=seed)

    def video_view(self, videos: Tensor) -> View:
        """The view of these videos (N, 3, T, H, W)."""
        data, sigma = self.preset.moving(videos), self.preset.sigma_video
        return View(self.video_generator, data, sigma=sigma, weight=self._weight(data))

    def audio_view(self, sounds: Tensor) -> View:
        """The view of these sounds (N, 1, samples)."""
        data = self.spectrum(sounds) if self.preset.spectral else sounds
        sigma, weight = self.preset.sigma_audio, self._weight(data)
        return View(self.listened, data, sigma=sigma, weight=weight, bounded=False)

    def _weight(self, data: Tensor) -> float:
        if self.preset.evidence is None:
            return 1 / self.preset.frames
        return self.preset.evidence / data[0].numel()

    def infer(self, view: View, seed: int = 0) -> Tensor:
        """Draws of Z given one view (section 3.5): (draws of all chains, N, d, 1, 1, 1).

        Args:
            view: `video_view` or `audio_view`.
            seed: of the chains.

        Raises:
            DivergenceError: see `abplib.langevin.langevin`.
        """
        given = replace(view, weight=self.preset.trust * view.weight)
        random = torch.Generator(device=view.data.device).manual_seed(seed)
        with frozen(view):
            starts = self._starts(view, random)
            return torch.cat([self._chain(given, start, random) for start in starts])

    def _starts(self, view: View, random: torch.Generator) -> list[Tensor]:
        """Where the chains start, (N, d, 1, 1, 1) each."""
        count, device = self.preset.known_starts, view.data.device
        if not count:
            shape = (len(view.data), self.preset.latent_channels, 1, 1, 1)
            return [torch.randn(shape, generator=random, device=device)]
        with torch.no_grad():
            known = torch.cat([view.generator(z) for z in self.run.z.split(CHUNK)]).flatten(1)
        apart = torch.cdist(view.data.flatten(1), known)
        nearest = apart.topk(min(count, len(known)), largest=False).indices
        return [self.run.z[index] for index in nearest.unbind(1)]

    def _chain(self, given: View, start: Tensor, random: torch.Generator) -> Tensor:
        """The states of one chain that are kept: (draws, N, d, 1, 1, 1)."""
        steps, draws = self.preset.steps, self.preset.draws
        wanted = {round(steps * (1 - k / (2 * draws))) for k in range(1, draws)}
        kept: list[Tensor] = []

        def keep(step: int, z: Tensor, energies: Tensor) -> None:
            if step in wanted:
                kept.append(z)

        last = langevin(
            lambda z: energy(z, given),
            start,
            steps=steps,
            step_size=self.preset.predict_step,
            generator=random,
            callback=keep,
        )
        return torch.stack([*kept, last])

    @torch.no_grad()
    def video_of(self, z: Tensor) -> Tensor:
        """The mean video over draws: (draws, N, d, 1, 1, 1) to (N, 3, T, H, W)."""
        with frozen(self.video_generator):
            mean = torch.stack([self.video_generator(one) for one in z]).mean(0)
        if self.preset.still:
            mean = self.preset.gain * (mean - mean.mean(2, keepdim=True))
        return (mean + self.face).clamp(-1, 1)

    @torch.no_grad()
    def sound_of(self, z: Tensor) -> Tensor:
        """The sound that answers for draws: (draws, N, d, 1, 1, 1) to (N, 1, samples)."""
        with frozen(self.audio_generator):
            draws = torch.stack([self.audio_generator(one) for one in z])
        if self.preset.price is None or not self.preset.spectral:
            return draws.mean(0)
        levels = torch.stack([self.spectrum(one) for one in draws]).mean(0)
        return soft_sound(levels, draws, self.spectrum, price=self.preset.price)

    def see(self, sounds: Tensor, seed: int = 0) -> Tensor:
        """The videos that belong to sounds: audio to video."""
        return self.video_of(self.infer(self.audio_view(sounds), seed))

    def hear(self, videos: Tensor, seed: int = 0) -> Tensor:
        """The sounds that belong to videos: video to audio."""
        return self.sound_of(self.infer(self.video_view(videos), seed))


def _video_generator(preset: MultimodalPreset) -> Model3:
    return Model3(
        preset.latent_channels,
        frames=preset.frames,
        frame_size=(preset.size, preset.size),
        frame_bias=preset.mean_bias,
        width=preset.width,
        norm=preset.norm,
        slope=preset.slope,
    )


def _audio_generator(preset: MultimodalPreset) -> AudioGenerator:
    return AudioGenerator(
        preset.latent_channels,
        samples=preset.rate,
        width=preset.audio_width,
        norm=preset.norm,
        slope=preset.slope,
    )


def _start(seen: Tensor, heard: Tensor, d: int, seed: int) -> Tensor:
    """Principal components of both views together, each view scaled to the same total variance."""
    scaled = []
    for data in (seen.flatten(1), heard.flatten(1)):
        centred = data - data.mean(0)
        scaled.append(centred / centred.square().sum(1).mean().sqrt())
    there = min(d, len(seen) - 1)
    random = torch.Generator().manual_seed(seed)
    codes = torch.randn(len(seen), d, 1, 1, 1, generator=random).to(seen.device)
    if there:
        codes[:, :there, 0, 0, 0] = component_scores(torch.cat(scaled, 1), there)
    return codes


_BOOK = MultimodalPreset(
    frames=16,
    size=32,
    rate=8000,
    latent_channels=60,
    width=0.5,
    audio_width=0.25,
    norm="none",
    slope=0.2,
    mean_bias=True,
    still=True,
    spectral=True,
    window=256,
    hop=80,
    components=True,
    sigma_video=0.2,
    sigma_audio=0.2,
    evidence=1000.0,
    iterations=2400,
    langevin_steps=1,
    step_size=0.03,
    learning_rate=3e-3,
    beta1=0.9,
    batch_size=10,
    decay=0.3,
    steps=10,
    draws=2,
    known_starts=10,
    gain=1.3,
    price=10000.0,
)

PRESETS: dict[str, MultimodalPreset] = {
    "ci": replace(
        _BOOK, latent_channels=30, width=0.125, audio_width=0.125, iterations=30, steps=5
    ),
    "quick": replace(_BOOK, latent_channels=30, width=0.25, iterations=800),
    "book": _BOOK,
    "paper": MultimodalPreset(),
}
"""The presets of seeing and hearing speech, by name."""
