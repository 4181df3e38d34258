"""A run of Algorithm 1 with two views, and predictions of either view from the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from abplib.abp import ABP
from abplib.generators import AudioGenerator, Model3
from abplib.kernels import accelerate
from abplib.langevin import langevin
from abplib.multimodal.preset import MultimodalPreset
from abplib.posterior import View, energy, frozen
from abplib.spectra import LogSpectrum, soft_sound
from abplib.starts import component_scores

CHUNK = 100  # known clips that are generated at once


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
