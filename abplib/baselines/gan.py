"""3D GAN (Vondrick et al. 2016, the paper's [31]): the same generator, learned without inference.

Two networks play against each other. The discriminator D gives a video a logit, high where it
takes the video for real; the generator G learns to raise the logit of what it makes:

    D lowers  softplus(-D(I)) + softplus(D(G(Z))),     G lowers  softplus(-D(G(Z))).

These are the binary cross-entropies, G's in its non-saturating form. No Z is ever inferred: that
takes Langevin dynamics on the finished generator, as for one learned by ABP (section 4.2).
"""

from __future__ import annotations

import itertools
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from abplib.generators import Norm, filters
from abplib.langevin import DivergenceError
from abplib.posterior import frozen


@dataclass(frozen=True)
class GANSettings:
    """How the two networks are trained. The defaults are those of [31].

    Args:
        iterations: number of iterations; each is one step of D and one of G.
        learning_rate: of Adam, for both.
        beta1: Adam's first moment decay.
        batch_size: real videos, and as many generated ones, of one iteration; None: all of them.
        width: multiplies the discriminator's numbers of filters; 1 mirrors the paper's generator.
        norm: of the discriminator, "batch", "sequence" or "none".
        slope: of the discriminator's leaky ReLU.

    >>> GANSettings().learning_rate
    0.0002
    """

    iterations: int = 500
    learning_rate: float = 2e-4
    beta1: float = 0.5
    batch_size: int | None = 16
    width: float = 1.0
    norm: Norm = "batch"
    slope: float = 0.2

    def __post_init__(self) -> None:
        if self.iterations < 0:
            raise ValueError(f"iterations is {self.iterations}; expected 0 or more")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}; expected at least 1, or None")


class Discriminator(nn.Sequential):
    """The generator's mirror: four convolutions that halve, and one that sees all that is left.

    Args:
        size: (frames, height, width) of the videos, multiples of 16.
        channels: 3 for colour, 1 for grey.
        width, norm, slope: see `GANSettings`.

    Raises:
        ValueError: for a size that is no multiple of 16, or an unknown norm.

    Takes videos (N, C, T, H, W) and returns logits (N,).

    >>> Discriminator((16, 32, 32), width=1 / 16)(torch.zeros(2, 3, 16, 32, 32)).shape
    torch.Size([2])
    """

    def __init__(
        self,
        size: tuple[int, int, int],
        *,
        channels: int = 3,
        width: float = 1.0,
        norm: Norm = "batch",
        slope: float = 0.2,
    ) -> None:
        if any(s < 16 or s % 16 for s in size):
            raise ValueError(f"video size is {size}; expected multiples of 16 on each axis")
        norms: dict[str, Callable[[int], nn.Module]] = {
            "batch": nn.BatchNorm3d,
            "sequence": lambda c: nn.InstanceNorm3d(c, affine=True),
            "none": lambda c: nn.Identity(),
        }
        if norm not in norms:
            raise ValueError(f"norm is {norm!r}; expected one of {', '.join(map(repr, norms))}")
        sizes = [channels, *(filters(c, width) for c in (64, 128, 256, 512))]
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(sizes):
            first, last = a == channels, b == sizes[-1]
            # one place is left where a side is 16: nothing to normalise a sequence by
            normalised = not first and not (last and norm == "sequence")
            layers.append(nn.Conv3d(a, b, 4, 2, 1, bias=not normalised or norm == "none"))
            layers.append(norms[norm](b) if normalised else nn.Identity())
            layers.append(nn.LeakyReLU(slope))
        left = (size[0] // 16, size[1] // 16, size[2] // 16)
        super().__init__(*layers, nn.Conv3d(sizes[-1], 1, left), nn.Flatten(0))
        for conv in self:
            if isinstance(conv, nn.Conv3d):
                inputs = conv.in_channels * math.prod(conv.kernel_size)
                he = math.sqrt(2 / ((1 + slope**2) * inputs))
                nn.init.normal_(conv.weight, 0.0, he if norm == "none" else 0.02)
                if conv.bias is not None:
                    nn.init.zeros_(conv.bias)


@dataclass
class GAN:
    """A generator and a discriminator, trained against each other.

    Args:
        generator: any of the library's generators, trained in place; afterwards `generator`
            is what it was, a plain generator. Seeded by whoever builds it.
        data: (N, C, T, H, W) in [-1, 1], the real videos.
        latent_shape: (d, ...) of one latent, drawn from N(0, I).
        settings: see `GANSettings`.
        seed: of the discriminator, the latents and the order of the videos.
        discriminator: takes videos to logits (N,); None: the `Discriminator` of the settings.

    Raises:
        ValueError: for data outside [-1, 1] or not finite, and if what the generator makes does
            not have the shape of the data.

    >>> from abplib.generators import Model3
    >>> generator = Model3(4, frame_size=(16, 16), frames=16, width=1 / 64)
    >>> settings = GANSettings(iterations=1, batch_size=2, width=1 / 64)
    >>> run = GAN(generator, torch.zeros(4, 3, 16, 16, 16), (4, 1, 1, 1), settings)
    >>> sorted(run.fit(progress=False)[0])
    ['discriminator', 'fake', 'generator', 'iteration', 'real']
    """

    generator: nn.Module
    data: Tensor
    latent_shape: Sequence[int]
    settings: GANSettings = field(default_factory=GANSettings)
    seed: int = 0
    discriminator: nn.Module | None = None

    def __post_init__(self) -> None:
        data, s = self.data, self.settings
        if not torch.isfinite(data).all() or data.abs().max() > 1 + 1e-4:
            raise ValueError("data is not finite or leaves [-1, 1]: scale it to [-1, 1]")
        self.random = torch.Generator(device=data.device).manual_seed(self.seed)
        self.order = torch.Generator().manual_seed(self.seed)
        self.waiting: list[int] = []
        with torch.no_grad(), frozen(self.generator):
            # two, since batch normalisation may need more than one value a channel
            made = self.generator(torch.zeros(2, *self.latent_shape, device=data.device))
        if made.shape[1:] != data.shape[1:]:
            raise ValueError(
                f"the generator makes videos of {tuple(made.shape[1:])} but the data's have "
                f"{tuple(data.shape[1:])}: choose the latent with latent_shape"
            )
        if self.discriminator is None:
            channels, size = data.shape[1], (data.shape[2], data.shape[3], data.shape[4])
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed)
                self.discriminator = Discriminator(
                    size, channels=channels, width=s.width, norm=s.norm, slope=s.slope
                ).to(data.device)
        self._judge: nn.Module = self.discriminator
        options: dict[str, Any] = {"lr": s.learning_rate, "betas": (s.beta1, 0.999)}
        self._generator_steps = torch.optim.Adam(self.generator.parameters(), **options)
        self._judge_steps = torch.optim.Adam(self._judge.parameters(), **options)
        self.history: list[dict[str, float]] = []

    def next_batch(self) -> Tensor:
        """The next real videos, every one once an epoch, in random order."""
        n = len(self.data)
        size = min(self.settings.batch_size or n, n)
        if len(self.waiting) < size:
            self.waiting = torch.randperm(n, generator=self.order).tolist()
        index, self.waiting = self.waiting[:size], self.waiting[size:]
        return self.data[torch.tensor(index)]

    def iterate(self) -> dict[str, float]:
        """One Adam step of the discriminator, then one of the generator, on the same Z.

        Returns:
            The record that `fit` adds to the history.

        Raises:
            DivergenceError: if a loss is no longer finite.
        """
        real = self.next_batch()
        shape = (len(real), *self.latent_shape)
        fake = self.generator(torch.randn(shape, generator=self.random, device=real.device))

        on_real, on_fake = self._judge(real), self._judge(fake.detach())
        loss = (F.softplus(-on_real) + F.softplus(on_fake)).mean()
        self._judge_steps.zero_grad(set_to_none=True)
        loss.backward()
        self._judge_steps.step()

        self._generator_steps.zero_grad(set_to_none=True)
        with frozen(self._judge):  # its weights take no gradient from the generator's step
            answer = F.softplus(-self._judge(fake)).mean()
            answer.backward()
        self._generator_steps.step()

        record = {
            "iteration": len(self.history) + 1,
            "discriminator": float(loss.detach()),
            "generator": float(answer.detach()),
            "real": float(on_real.detach().sigmoid().mean()),
            "fake": float(on_fake.detach().sigmoid().mean()),
        }
        if not all(math.isfinite(value) for value in record.values()):
            raise DivergenceError(
                f"iteration {len(self.history)}: the losses are {record['discriminator']} and "
                f"{record['generator']}; lower learning_rate={self.settings.learning_rate}"
            )
        self.history.append(record)
        return record

    def fit(
        self, *, progress: bool = True, callback: Callable[[GAN], None] | None = None
    ) -> list[dict[str, float]]:
        """Iterate until `settings.iterations` are done, from wherever the run stands.

        Args:
            progress: show a bar, except where the environment variable ABPLIB_STATIC is set.
            callback: called with this run after each iteration.

        Returns:
            The history, one record an iteration: the losses `discriminator` and `generator`, and
            the mean probability of being real that D gives to `real` and `fake` videos. Where D
            cannot tell, both are 0.5 and the losses 2 log 2 and log 2.
        """
        total = self.settings.iterations
        hide = not progress or bool(os.environ.get("ABPLIB_STATIC"))
        options: dict[str, Any] = {"file": sys.stdout, "ncols": 88, "leave": False}
        with tqdm(total=total, initial=len(self.history), disable=hide, **options) as bar:
            while len(self.history) < total:
                record = self.iterate()
                bar.set_postfix({k: f"{record[k]:.2f}" for k in ("real", "fake")})
                bar.update()
                if callback is not None:
                    callback(self)
        return self.history
