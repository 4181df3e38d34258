"""Section 3.4 (1): recover what is hidden of a video, by its posterior given what is observed.

The generator is learned and stays as it is. Its latent is inferred from the observed pixels alone,
by Langevin dynamics on eq. 2 with a mask, and G(Z) then shows the hidden pixels. The paper takes
one draw. Many chains give more at the same cost a chain: the mean over the posterior, which has the
least squared error, and the spread, which says where the mean is not to be trusted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor

from abplib.langevin import langevin
from abplib.posterior import View, energy, frozen

Fill = Callable[[Tensor, Tensor], Tensor]
Residual = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Recovery:
    """What the posterior says of each of N videos. Shapes are the data's, (N, C, ...).

    Args:
        draw: the paper's answer: G(Z) of one chain after its last step.
        mean: posterior mean: G(Z) averaged over chains and kept steps.
        spread: standard deviation of G(Z) over chains and kept steps, a pixel.
        noise: (N,), root mean square of data - G(Z) over observed pixels, chains and kept steps:
            the noise that the data shows, which need not be the sigma that was assumed.
        latents: (N, chains, d, ...), the last state of every chain.
    """

    draw: Tensor
    mean: Tensor
    spread: Tensor
    noise: Tensor
    latents: Tensor

    @property
    def std(self) -> Tensor:
        """Predictive standard deviation of each pixel: sqrt(spread^2 + noise^2)."""
        noise = self.noise.view(-1, *[1] * (self.spread.ndim - 1))
        return (self.spread.square() + noise.square()).sqrt()

    def interval(self, coverage: float = 0.9, scale: float = 1.0) -> tuple[Tensor, Tensor]:
        """Central interval of each pixel, as (low, high), cut to [-1, 1].

        Args:
            coverage: share of the pixels that should lie within, in (0, 1).
            scale: multiplies `std`; see `calibrate`.

        Raises:
            ValueError: for a coverage outside (0, 1), or a scale that is not above zero.
        """
        half = _quantile(coverage) * _positive("scale", scale) * self.std
        return (self.mean - half).clamp(-1, 1), (self.mean + half).clamp(-1, 1)


def recover(
    generator: Callable[[Tensor], Tensor],
    data: Tensor,
    observed: Tensor,
    latents: Tensor | Sequence[int],
    *,
    sigma: float = 1.0,
    weight: float = 1.0,
    steps: int = 200,
    step_size: float = 0.05,
    chains: int = 8,
    keep: float = 0.5,
    every: int = 1,
    residual: Residual | None = None,
    bounded: bool = True,
    seed: int = 0,
) -> Recovery:
    """Infer the latents of incomplete videos and generate what is hidden (section 3.4, 1).

    All chains of all videos run as one batch, each on eq. 2 with its video's mask; the weights
    stay as they are. Batch statistics would couple the chains: use a generator whose norm is
    "sequence" or "none", or one in eval mode.

    Args:
        generator: learned; maps latents (n, d, ...) to data (n, C, ...).
        data: (N, C, ...) in [-1, 1]. Hidden pixels have no influence, whatever they hold.
        observed: bool, broadcastable to `data`; True where it was observed.
        latents: where the chains start: the shape (d, ...) of one latent, and then they start from
            the prior; or (N, d, ...), say from a learned initialiser, every chain of a video at the
            same place; or (N * chains, d, ...), the chains of a video one after another.
        sigma: noise standard deviation of eq. 1, in pixel units.
        weight: of the log-likelihood; 1/T averages over T frames.
        steps: Langevin steps; the paper's 200. 0 only generates from `latents`.
        step_size: delta of eq. 4; the paper's 0.05.
        chains: independent chains a video; the paper has 1.
        keep: share of the steps, the last ones, that mean and spread are taken over.
        every: take only every so many of the kept steps. Neighbouring steps say almost the same.
        residual: called as residual(G(Z), data, observed) on each kept draw, to put its result in
            the place of G(Z); see `add_residual`. None: nothing, as in the paper.
        bounded: False allows data outside [-1, 1]; see `View`.
        seed: of the chains.

    Raises:
        ValueError: for numbers out of range, and as `View` does.
        DivergenceError: where the step is too long; see `langevin`.

    >>> generator = torch.nn.Identity()
    >>> data, observed = torch.tensor([[0.5, 9.0]]), torch.tensor([[True, False]])
    >>> found = recover(generator, data, observed, (2,), sigma=0.1, chains=500)
    >>> [round(float(x), 1) for x in found.mean[0]]  # one pixel is known, the other has its prior
    [0.5, 0.0]
    """
    _check(steps, chains, keep, every)
    n = len(data)
    if observed.shape[:1] != (n,) or observed.ndim != data.ndim:
        observed = observed.expand_as(data)
    many, mask = (x.repeat_interleave(chains, 0) for x in (data, observed))
    random = torch.Generator(device=data.device).manual_seed(seed)
    start = _starts(latents, n, chains, data, random)
    last: list[Tensor] = []

    def remembered(z: Tensor) -> Tensor:  # the energy has made G(Z) anyway: keep it
        out = generator(z)
        last[:] = [out.detach()]
        return out

    view = View(remembered, many, mask, sigma=sigma, weight=weight, bounded=bounded)
    moments, kept = _Moments(view.data, mask, chains, residual), max(1, round(keep * steps))

    def look(step: int, z: Tensor, energies: Tensor) -> None:
        if step > steps - kept and (steps - step) % every == 0:
            moments.add(last[0])

    with frozen(generator):
        z = langevin(
            lambda z: energy(z, view),
            start,
            steps=steps,
            step_size=step_size,
            generator=random,
            callback=look,
        )
        with torch.no_grad():
            final = moments.add(generator(z))
    draw = final.view(n, chains, *final.shape[1:])[:, 0].clone()
    return moments.recovery(draw, z.view(n, chains, *z.shape[1:]))


def add_residual(
    generated: Tensor, data: Tensor, observed: Tensor, *, fill: Fill, share: float = 1.0
) -> Tensor:
    """Let the observed pixels speak for the hidden ones beside the generator too.

        B(I) + a (G - B(G)),   which for a = 1 is   G + B(I - G)

    B fills hidden pixels linearly from observed ones. Where the noise of eq. 1 is correlated
    between neighbours, its mean at hidden pixels given I - G at observed ones is such a B(I - G).
    With a < 1 the generator only adds a share of its departure from what B would make of it.

    Args:
        generated: G(Z), (N, C, ...).
        data: (N, C, ...); hidden pixels may hold anything.
        observed: bool, broadcastable to `data`.
        fill: B, called as fill(video, observed); it must be linear in the video, as those of
            `abplib.baselines.interpolation` and `abplib.baselines.heat_diffusion` are.
        share: a, in [0, 1]; 0 leaves the generator out.

    Returns:
        (N, C, ...), equal to data where observed, cut to [-1, 1].

    Raises:
        ValueError: for a share outside [0, 1].

    >>> def nearest(video, observed):
    ...     return torch.where(observed, video, video.flip(1))
    >>> seen = torch.tensor([[True, False]])
    >>> add_residual(torch.tensor([[0.4, 0.7]]), torch.tensor([[0.5, 9.0]]), seen, fill=nearest)
    tensor([[0.5000, 0.8000]])
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}; expected the generator's part, from 0 to 1")
    seen = torch.where(observed, data, torch.zeros((), dtype=data.dtype, device=data.device))
    mixed = share * generated + fill(seen - share * generated, observed)
    return torch.where(observed, seen, mixed).clamp(-1, 1)


def calibrate(
    recoveries: Sequence[Recovery],
    truths: Sequence[Tensor],
    observed: Sequence[Tensor],
    coverage: float = 0.9,
) -> float:
    """The scale at which intervals hold: fitted on clips set aside, for clips like them.

    Split-conformal: of all hidden pixels, the ratio |truth - mean| / std is ranked, and the scale
    is set so that `coverage` of them lie within (with the finite-sample correction (n + 1) / n).
    Clips must not be those that the generator was learned from. Pixels of a clip resemble each
    other, so that the guarantee is as good as the number of clips, not that of pixels.

    Args:
        recoveries: of the clips set aside.
        truths: what was hidden from each, shaped as its recovery.
        observed: the masks, bool, broadcastable.
        coverage: share of the pixels that should lie within, in (0, 1).

    Returns:
        The factor for `Recovery.interval`; 1 means that `std` was right as it was.

    Raises:
        ValueError: where nothing is hidden, or lists differ in length.
    """
    ratios = [
        ((truth - r.mean).abs() / r.std)[~mask.expand_as(truth)]
        for r, truth, mask in zip(recoveries, truths, observed, strict=True)
    ]
    ranked = torch.cat(ratios or [torch.empty(0)]).double().sort().values
    if len(ranked) == 0:
        raise ValueError("nothing is hidden in the clips set aside: check their masks")
    rank = min(len(ranked), math.ceil((len(ranked) + 1) * coverage))
    return float(ranked[rank - 1]) / _quantile(coverage)


class _Moments:
    """Mean and variance of G(Z) over chains and kept steps, without keeping the draws."""

    def __init__(
        self, data: Tensor, observed: Tensor, chains: int, residual: Residual | None
    ) -> None:
        self.data, self.observed, self.chains, self.residual = data, observed, chains, residual
        self.pixels = observed.expand_as(data).flatten(1).sum(1)
        self.count = 0
        self.mean = self.squares = self.noise = torch.zeros((), device=data.device)

    def add(self, generated: Tensor) -> Tensor:
        """Take one step's G(Z) of all chains; returns it with the residual added."""
        error = ((self.data - generated) * self.observed).square().flatten(1).sum(1) / self.pixels
        if self.residual is not None:
            generated = self.residual(generated, self.data, self.observed)
        draws = generated.view(-1, self.chains, *generated.shape[1:])
        here, total = draws.mean(1), self.count + self.chains
        shift = here - self.mean  # two groups' moments together: Chan, Golub, LeVeque
        self.mean = self.mean + shift * (self.chains / total)
        within = (draws - here[:, None]).square().sum(1)
        between = shift.square() * (self.count * self.chains / total)
        self.squares = self.squares + within + between
        self.noise = self.noise + error.view(-1, self.chains).sum(1)
        self.count = total
        return generated

    def recovery(self, draw: Tensor, latents: Tensor) -> Recovery:
        spread, noise = (self.squares / self.count).sqrt(), (self.noise / self.count).sqrt()
        return Recovery(draw, self.mean, spread, noise, latents)


def _starts(
    latents: Tensor | Sequence[int], n: int, chains: int, data: Tensor, random: torch.Generator
) -> Tensor:
    if not isinstance(latents, Tensor):
        shape = (n * chains, *latents)
        return torch.randn(shape, generator=random, device=data.device, dtype=data.dtype)
    if len(latents) == n:
        return latents.repeat_interleave(chains, 0)
    if len(latents) != n * chains:
        raise ValueError(
            f"{len(latents)} latents for {n} videos of {chains} chains: pass {n}, {n * chains}, or "
            "the shape of one latent"
        )
    return latents


def _check(steps: int, chains: int, keep: float, every: int) -> None:
    if steps < 0 or chains < 1 or every < 1:
        raise ValueError(
            f"steps is {steps}, chains {chains}, every {every}; expected at least 0, 1 and 1"
        )
    if not 0 < keep <= 1:
        raise ValueError(f"keep is {keep}; expected a share of the steps, in (0, 1]")


def _positive(name: str, value: float) -> float:
    if not value > 0:
        raise ValueError(f"{name} is {value}; expected a number above zero")
    return value


def _quantile(coverage: float) -> float:
    """How many standard deviations a Gaussian's central interval reaches."""
    if not 0 < coverage < 1:
        raise ValueError(f"coverage is {coverage}; expected a share in (0, 1), such as 0.9")
    return NormalDist().inv_cdf(0.5 + coverage / 2)
