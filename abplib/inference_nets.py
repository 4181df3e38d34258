"""Inference networks: the generator's mirror, from a video to its latent (section 4.2).

    f(I; V): a guess of Z                            learned initialisation, section 3.3
    q(Z | I; V) = N(mean(I; V), diag exp(log-variance(I; V)))    3D VAE and 3D wake-sleep

Each deconvolution of the generator becomes the convolution of the same kernel, stride and padding,
the layers in reverse order, with leaky ReLU of slope 0.2 between them. Widths are the generator's.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from abplib.generators import AudioGenerator, BatchNorm, LinearGenerator

EncoderNorm = Literal["batch", "sequence", "layer", "none"]
LARGEST_LOG_VARIANCE = 10.0  # exp(-10) is far below any pixel's information
CONVOLUTIONS: dict[type, tuple[type[nn.Module], type[nn.Module], type[nn.Module]]] = {
    nn.ConvTranspose3d: (nn.Conv3d, BatchNorm, nn.InstanceNorm3d),
    nn.ConvTranspose1d: (nn.Conv1d, nn.BatchNorm1d, nn.InstanceNorm1d),
}


class Encoder(nn.Module):
    """f(I; V), the mirror of a generator: one latent a video.

    The generator adds a bias before its tanh; the mirror subtracts tanh(bias) first. A hidden pixel
    is then zero, whatever the data holds there. With a generator that has been started at the mean
    (`start_at_mean`, before the mirror is built) that is as good as filling in the mean.

    Args:
        generator: any of the library's, accelerated or not, or another chain of deconvolutions. It
            is looked at once, and not kept.
        mask_channel: give the network a further channel that is 1 where a pixel was observed and 0
            where not, so that it can tell a hidden pixel from a mean one.
        norm: "batch" (the paper's, as far as it says), "sequence" or "none", as in the generators,
            or "layer" (default): each video by its own statistics over channels, time and space
            together, so that no latent depends on another video. First and last layer have none.
        slope: of the leaky ReLU.
        seed: of the first weights.

    Raises:
        ValueError: for a generator without a mirror, and an unknown norm.

    >>> from abplib.generators import Model3
    >>> generator = Model3(8, width=1 / 32)
    >>> Encoder(generator)(torch.zeros(2, 3, 32, 64, 64)).shape
    torch.Size([2, 8, 1, 1, 1])
    """

    outputs = 1  # numbers that the network gives for each entry of the latent
    centre: Tensor

    def __init__(
        self,
        generator: nn.Module,
        *,
        mask_channel: bool = False,
        norm: EncoderNorm = "layer",
        slope: float = 0.2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if norm not in ("batch", "sequence", "layer", "none"):
            raise ValueError(f"norm is {norm!r}; expected 'batch', 'sequence', 'layer' or 'none'")
        self.mask_channel = mask_channel
        self.register_buffer("centre", _centre(generator))
        weight = next(generator.parameters())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = mirror(generator, self.outputs, mask_channel, norm, slope)
        self.to(weight.device, weight.dtype)

    def forward(self, video: Tensor, observed: Tensor | None = None) -> Any:
        """Guess the latents.

        Args:
            video: (N, C, ...) in [-1, 1]. What is hidden may hold anything, NaN included.
            observed: bool, broadcastable to `video`; None: everywhere.

        Returns:
            (N, d, ...), a latent for each video.

        Raises:
            ValueError: for a mask that is not bool.
        """
        return self.layers(self.prepare(video, observed))

    @torch.no_grad()
    def start_at_scale(self, video: Tensor, observed: Tensor | None = None) -> None:
        """Scale the last layer's first weights so that the guesses have the prior's rms of 1.

        A generator with a normalisation bends sharply where all latents are near zero, which is
        where a new network's guesses lie. An option, to be declared where it is used.

        Args:
            video, observed: see `forward`; the guesses of these videos together get an rms of 1.
        """
        made = self.layers(self.prepare(video, observed))
        head: Any = [m for m in self.layers if hasattr(m, "weight")][-1]
        head.weight /= made.square().mean().sqrt().clamp(min=1e-6)

    def prepare(self, video: Tensor, observed: Tensor | None = None) -> Tensor:
        """What the first layer sees: centred, hidden pixels zero, the mask as a channel if any."""
        x = video - self.centre
        if observed is None:
            seen = torch.ones((), dtype=torch.bool, device=x.device)
        elif observed.dtype != torch.bool:
            raise ValueError(f"observed is {observed.dtype}; expected bool, True = observed")
        else:
            seen = observed
            x = torch.where(seen, x, torch.zeros((), dtype=x.dtype, device=x.device))
        if not self.mask_channel:
            return x
        shape = x.shape if x.ndim == 2 else (len(x), 1, *x.shape[2:])
        if seen.ndim == x.ndim and x.ndim > 2:
            seen = seen.all(1, keepdim=True)
        return torch.cat([x, seen.expand(shape).to(x.dtype)], 1)


class GaussianEncoder(Encoder):
    """q(Z | I; V): a mean and a log-variance for each entry of the latent.

    Built and called as `Encoder`, but a call returns the pair (mean, log-variance), each
    (N, d, ...). At first q has a variance of 1, the prior's.

    >>> from abplib.generators import Model3
    >>> encoder = GaussianEncoder(Model3(8, width=1 / 32))
    >>> mean, log_variance = encoder(torch.zeros(2, 3, 32, 64, 64))
    >>> mean.shape == log_variance.shape == (2, 8, 1, 1, 1)
    True
    """

    outputs = 2

    def __init__(self, generator: nn.Module, **options: Any) -> None:
        super().__init__(generator, **options)
        head: Any = [m for m in self.layers if hasattr(m, "weight")][-1]
        with torch.no_grad():
            half = len(head.weight) // 2
            head.weight[half:] = 0.0
            if head.bias is not None:
                head.bias[half:] = 0.0

    def forward(self, video: Tensor, observed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See `Encoder.forward`; returns (mean, log-variance), |log-variance| below 10."""
        mean, raw = super().forward(video, observed).chunk(2, 1)
        return mean, LARGEST_LOG_VARIANCE * torch.tanh(raw / LARGEST_LOG_VARIANCE)


class SamePlane(nn.Conv3d):
    """A convolution of stride 1 that leaves out the taps that meet nothing but padding.

    On a plane of 2 x 2 a kernel of 7 x 7 with "same" padding has 9 of its 49 taps in use. The
    parameters and the result are those of `nn.Conv3d`.

    >>> x, layer = torch.ones(1, 2, 1, 2, 2), SamePlane(2, 3, (1, 7, 7), padding=(0, 3, 3))
    >>> torch.allclose(layer(x), nn.Conv3d.forward(layer, x), atol=1e-6)
    True
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) to (N, C', T', H', W'), as `nn.Conv3d`."""
        weight, padding = self.weight, []
        axes = zip(self.kernel_size, self.padding, x.shape[2:], strict=True)
        for axis, (size, pad, there) in enumerate(axes, start=2):
            assert isinstance(pad, int)  # numbers, not "same"
            idle = max(0, pad - there + 1) if size == 2 * pad + 1 else 0
            weight = weight.narrow(axis, idle, size - 2 * idle)
            padding.append(pad - idle)
        return F.conv3d(x, weight, self.bias, 1, padding)


def mirror(
    generator: nn.Module, outputs: int, mask_channel: bool, norm: EncoderNorm, slope: float
) -> nn.Sequential:
    """The generator's layers in reverse, each deconvolution a convolution.

    Args:
        generator: see `Encoder`.
        outputs: numbers for each entry of the latent.
        mask_channel: whether the input has the mask as a further channel.
        norm, slope: see `Encoder`.

    Raises:
        ValueError: where the generator is no chain of deconvolutions.
    """
    if isinstance(generator, LinearGenerator):
        rows, d = generator.loading.shape
        linear = nn.Linear(rows * (2 if mask_channel else 1), outputs * d)
        nn.init.zeros_(linear.bias)
        return nn.Sequential(linear)
    chain: list[Any] = [m for m in generator.modules() if isinstance(m, tuple(CONVOLUTIONS))]
    fits = all(a.out_channels == b.in_channels for a, b in itertools.pairwise(chain))
    if not chain or not fits:
        raise ValueError(
            f"{type(generator).__name__} is no chain of deconvolutions, so it has no mirror: write "
            "an encoder for it, a module that takes (video, observed), and pass it as network"
        )
    spare = getattr(generator, "_spare", (0,) * len(chain[0].kernel_size))  # cut after the last
    layers: list[nn.Module] = []
    for k, deconv in enumerate(reversed(chain)):
        first, last = k == 0, k == len(chain) - 1
        inputs = deconv.out_channels + int(first and mask_channel)
        makes = deconv.in_channels * (outputs if last else 1)
        padding = tuple(p + s * first for p, s in zip(deconv.padding, spare, strict=True))
        kind = next(kind for kind in CONVOLUTIONS if isinstance(deconv, kind))
        normalised = norm != "none" and not first and not last
        layers.append(_convolution(kind, inputs, makes, deconv, padding, not normalised, slope))
        if normalised:
            layers.append(_normalisation(kind, makes, norm))
        if not last:
            layers.append(nn.LeakyReLU(slope))
    if isinstance(generator, AudioGenerator):
        layers.append(nn.Unflatten(2, (1, 1, 1)))  # its latent is one of Model-3's
    return nn.Sequential(*layers)


def _convolution(
    kind: type,
    inputs: int,
    makes: int,
    deconv: Any,
    padding: tuple[int, ...],
    bias: bool,
    slope: float,
) -> nn.Module:
    """The mirror of one deconvolution, with He's variance for its first weights."""
    convolution: Any = CONVOLUTIONS[kind][0]
    if convolution is nn.Conv3d and set(deconv.stride) == {1}:
        convolution = SamePlane
    made = convolution(inputs, makes, deconv.kernel_size, deconv.stride, padding, bias=bias)
    fan_in = inputs * math.prod(deconv.kernel_size)
    nn.init.normal_(made.weight, 0.0, math.sqrt(2 / ((1 + slope**2) * fan_in)))
    if bias:
        nn.init.zeros_(made.bias)
    return made


def _normalisation(kind: type, channels: int, norm: str) -> nn.Module:
    batch, sequence = CONVOLUTIONS[kind][1:]
    if norm == "layer":
        return nn.GroupNorm(1, channels)
    return batch(channels) if norm == "batch" else sequence(channels, affine=True)


def _centre(generator: nn.Module) -> Tensor:
    """What the generator makes of nothing: tanh of its output bias, or a linear one's offset."""
    if isinstance(generator, LinearGenerator):
        return generator.offset.detach().clone()
    bias = getattr(generator, "bias", None)
    return torch.zeros(()) if bias is None else torch.tanh(bias.detach())[None].clone()
