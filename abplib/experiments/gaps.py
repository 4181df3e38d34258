"""Model-2 learned from one sequence of which whole frames are missing (sections 3.4 (2) and 4.2).

Algorithm 1 is what it always is: one view with a mask. What is here surrounds it. A sequence is cut
into overlapping windows, whose masks move along, so that a gap falls on every place of a window;
the windows are laid over each other again; and gaps of our own, cut into what is observed, tell how
far the result can be trusted.

All clips are (1, C, T, H, W), all masks (1, 1, T, H, W).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import groupby

import torch
from torch import Tensor

from abplib.abp import ABP
from abplib.baselines.interpolation import linear_in_time
from abplib.posterior import View
from abplib.presets import Model2Preset
from abplib.recover import Recovery, add_residual, calibrate
from abplib.starts import block_codes

SHARES = tuple(k / 20 for k in range(21))  # of the generator, that `fitted_share` tries
LOOKS = 60  # states of the chains that a recovery is averaged over


def start(clip: Tensor, observed: Tensor, preset: Model2Preset, seed: int = 0) -> ABP:
    """A run of Algorithm 1 on the windows of an incomplete clip.

    Where the preset starts chains at components, those are of the clip with linear interpolation
    in its gaps; the output bias starts at the mean of what is observed.

    Args:
        clip: (1, C, T, H, W); hidden pixels may hold anything.
        observed: bool (1, 1, T, H, W).
        preset: says how windows are cut, and all the rest.
        seed: of weights and chains.

    Raises:
        ValueError: if the windows do not fit the clip, or one of them shows nothing.
    """
    if clip.shape[2] < preset.clip_frames:
        raise ValueError(
            f"clip has {clip.shape[2]} frames; the windows of this preset reach to "
            f"{preset.clip_frames}: take a longer clip, or replace(preset, offsets=...)"
        )
    network = preset.generator(seed).to(clip.device)
    filled, mask = cut(linear_in_time(clip, observed), preset), cut(observed, preset)
    if preset.mean_bias:
        network.start_at_mean(filled, mask)
    shape = network.latent_shape(*filled.shape[2:])
    latents = block_codes(filled, shape, seed) if preset.components else shape
    return ABP([_view(network, clip, observed, preset)], latents, preset.settings(), seed=seed)


def _view(
    network: Callable[[Tensor], Tensor], clip: Tensor, observed: Tensor, preset: Model2Preset
) -> View:
    data, mask = cut(clip, preset), cut(observed, preset)
    return View(network, data, mask, sigma=preset.sigma, weight=preset.weight)


def cut(video: Tensor, preset: Model2Preset) -> Tensor:
    """The windows of a clip or of its mask: (N, C, frames, H, W)."""
    return torch.cat([video[:, :, k : k + preset.frames] for k in preset.offsets])


class Overlay:
    """Mean and spread of windows that are laid over each other, again and again.

    Args:
        clip: (1, C, T, H, W), with which what is laid down is compared where observed.
        observed: bool (1, 1, T, H, W).
        preset: says where the windows lie.
    """

    def __init__(self, clip: Tensor, observed: Tensor, preset: Model2Preset) -> None:
        self.clip, self.observed, self.preset = clip, observed, preset
        self.total = torch.zeros_like(clip, dtype=torch.float64)
        self.squares, self.errors = torch.zeros_like(self.total), torch.zeros_like(self.total)
        self.count = self.total.new_zeros(1, 1, clip.shape[2], 1, 1)

    def add(self, generated: Tensor) -> None:
        """Lay down one set of windows (N, C, frames, H, W)."""
        for first, window in zip(self.preset.offsets, generated.double(), strict=True):
            at = slice(first, first + self.preset.frames)
            self.total[0, :, at] += window
            self.squares[0, :, at] += window.square()
            self.errors[0, :, at] += (window - self.clip[0, :, at]).square()
            self.count[:, :, at] += 1

    def recovery(self, run: ABP) -> Recovery:
        """Mean and spread of all that was laid down, and one draw: what the run stands at.

        A frame of the draw comes from the window in whose middle it lies most nearly.
        """
        count = self.count.clamp(min=1)
        mean = self.total / count
        spread = (self.squares / count - mean.square()).clamp(min=0).sqrt()
        seen = self.observed.expand_as(self.clip)
        noise = (self.errors / count)[seen].mean().sqrt()
        middle = torch.tensor(self.preset.offsets) + (self.preset.frames - 1) / 2
        generated, draw = run.reconstruct()[0], mean.float()
        for t in range(self.preset.clip_frames):
            nearest = int((middle - t).abs().argmin())
            draw[0, :, t] = generated[nearest, :, t - self.preset.offsets[nearest]]
        return Recovery(draw, mean.float(), spread.float(), noise.float().view(1), run.z[None])


def learn(
    run: ABP, clip: Tensor, observed: Tensor, preset: Model2Preset, keep: float = 0.4
) -> Recovery:
    """Iterate a run to its end, and average over the last iterations.

    Args:
        run: from `start`.
        clip: what the run sees.
        observed: of the clip.
        preset: of the run.
        keep: share of the iterations, the last ones, that are averaged over. Chains and weights
            both move meanwhile.
    """
    overlay, last = Overlay(clip, observed, preset), run.settings.iterations
    kept = max(1, round(keep * last))
    every = max(1, kept // LOOKS)

    def look(run: ABP) -> None:
        left = last - run.iteration
        if left < kept and left % every == 0:
            overlay.add(run.reconstruct()[0])

    run.fit(progress=False, callback=look)
    return overlay.recovery(run)


def gaps_alike(observed: Tensor, seed: int = 0, share: float = 0.3) -> Tensor:
    """Frames to hide besides, in gaps as long as the real ones: bool (1, 1, T, H, W), True there.

    They lie at random, with an observed frame on either side, and take up at most `share` of the
    observed frames. Raises ValueError where not a single one fits.

    >>> observed = torch.ones(1, 1, 16, 1, 1, dtype=torch.bool)
    >>> observed[:, :, 6:8] = False
    >>> int(gaps_alike(observed).sum())
    4
    """
    seen = observed[0, 0, :, 0, 0].tolist()
    lengths = [len(list(run)) for shown, run in groupby(seen) if not shown]
    random = torch.Generator().manual_seed(seed)
    free, extra = list(seen), [False] * len(seen)
    for length in lengths * len(seen):
        places = [k for k in range(1, len(seen) - length) if all(free[k - 1 : k + length + 1])]
        if not places or sum(extra) + length > share * sum(seen):
            break
        first = places[int(torch.randint(len(places), (), generator=random))]
        for t in range(first, first + length):
            free[t], extra[t] = False, True
    if not any(extra):
        raise ValueError("no gap like the real ones fits into what is observed: take a longer clip")
    hide = torch.tensor(extra, device=observed.device)
    return hide.view(1, 1, -1, 1, 1).expand_as(observed).clone()


def fitted_share(recovery: Recovery, clip: Tensor, shown: Tensor, asked: Tensor) -> float:
    """The share a of `add_residual` with the least mean absolute error where it is `asked`.

    Args:
        recovery: of a run that was shown `shown`.
        clip: the clip.
        shown: bool mask of what the run and the linear interpolation see.
        asked: bool, True at hidden pixels whose truth may be looked at: `gaps_alike`.
    """
    where = asked.expand_as(clip)
    errors = []
    for share in SHARES:
        mixed = with_line(recovery, clip, shown, share).mean
        errors.append(float((mixed - clip).abs()[where].mean()))
    return SHARES[errors.index(min(errors))]


def with_line(recovery: Recovery, clip: Tensor, shown: Tensor, share: float) -> Recovery:
    """A recovery whose mean is that of `add_residual` with linear interpolation."""
    mean = add_residual(recovery.mean, clip, shown, fill=linear_in_time, share=share)
    return replace(recovery, mean=mean)


def fitted_scale(recovery: Recovery, clip: Tensor, asked: Tensor, coverage: float = 0.9) -> float:
    """`abplib.recover.calibrate` on the gaps of our own."""
    return calibrate([recovery], [clip], [~asked], coverage)
