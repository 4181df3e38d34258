"""The audio generator: one latent vector to one second of sound (section 3.5).

Four deconvolutions along time. The first lays the vector out as a few steps, the others make ten
of one, so that 48 -> 480 -> 4,800 -> 48,000 samples. As printed (kernel 20, stride 10 in all four)
no more than 21,110 samples can be reached from one latent step; a first kernel of 48 with stride 1
and a padding of 5 in the other three reach 48,000 exactly.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from abplib.generators.layers import Norm, filters, initialise, layer1d

STRIDE = 10  # every layer but the first makes ten samples of one
KERNEL = 20


class AudioGenerator(nn.Module):
    """One vector to one mono sound: four deconvolutions, an output bias and tanh.

    Z is the vector that a `Model3` takes, (N, d, 1, 1, 1) or (N, d), so that one latent serves
    both. The paper: d = 20 or 100 and 48,000 samples, one second at 48 kHz.

    Args:
        latent_channels: d.
        samples: of the sound, a multiple of 1,000; the first kernel has a thousandth of them.
        width: multiplies every number of filters; 1 is the paper's 512, 256, 128.
        norm: "batch" (the paper), "sequence" (each sound by its own statistics) or "none".
        slope: of the leaky ReLU; 0 is the paper's ReLU.
        sample_bias: give the output bias a value for each sample instead of one for all; the
            paper has no output bias.

    Raises:
        ValueError: for an option that is not one of those above.

    >>> g = AudioGenerator(20, width=1 / 32)
    >>> g.latent_shape(48000)
    (20, 1, 1, 1)
    >>> g(torch.zeros(2, 20, 1, 1, 1)).shape
    torch.Size([2, 1, 48000])
    """

    name = "the audio generator"

    def __init__(
        self,
        latent_channels: int = 20,
        *,
        samples: int = 48000,
        width: float = 1.0,
        norm: Norm = "batch",
        slope: float = 0.0,
        sample_bias: bool = False,
    ) -> None:
        super().__init__()
        steps, rest = divmod(samples, STRIDE**3)
        if rest or steps < 1:
            raise ValueError(
                f"samples is {samples}; this generator makes multiples of {STRIDE**3}: cut the "
                "sound, or choose another rate"
            )
        self.latent_channels, self.samples = latent_channels, samples
        sizes = [filters(c, width) for c in (512, 256, 128)]
        options = {"norm": norm, "slope": slope}
        self.top = layer1d(latent_channels, sizes[0], steps, 1, 0, **options)  # type: ignore[arg-type]
        self.tenfold = nn.Sequential(
            *(
                layer1d(a, b, KERNEL, STRIDE, STRIDE // 2, **options)  # type: ignore[arg-type]
                for a, b in itertools.pairwise(sizes)
            )
        )
        self.last = nn.ConvTranspose1d(sizes[-1], 1, KERNEL, STRIDE, STRIDE // 2, bias=False)
        initialise(self.last, normalised=True, slope=slope)
        self.bias = nn.Parameter(torch.zeros(1, samples if sample_bias else 1))

    def forward(self, z: Tensor) -> Tensor:
        """Generate sounds (N, 1, samples) in (-1, 1) from latents (N, d, 1, 1, 1) or (N, d).

        Raises:
            ValueError: if the latent is not one vector a sound.
        """
        if z.ndim < 2 or z[0].numel() != self.latent_channels:
            raise ValueError(
                f"latent has shape {tuple(z.shape)}; {self.name} expects one vector a sound, "
                f"(N, {self.latent_channels}, 1, 1, 1)"
            )
        steps = z.reshape(len(z), self.latent_channels, 1)
        return torch.tanh(self.last(self.tenfold(self.top(steps))) + self.bias)

    def latent_shape(self, samples: int) -> tuple[int, int, int, int]:
        """The latent (d, 1, 1, 1) of one sound.

        Raises:
            ValueError: for another number of samples than the generator makes.
        """
        if samples != self.samples:
            raise ValueError(
                f"sound has {samples} samples; this generator makes {self.samples}: resample it, "
                f"or pass samples={samples}"
            )
        return (self.latent_channels, 1, 1, 1)

    @torch.no_grad()
    def start_at_mean(self, sound: Tensor) -> None:
        """Start the output bias, which is added before tanh, at the mean of sounds (N, 1, samples).

        Raises:
            ValueError: for sounds of another length.
        """
        self.latent_shape(sound.shape[-1])
        axes = (0,) if self.bias.shape[-1] > 1 else (0, 2)
        mean = sound.mean(axes, keepdim=True)[0]
        self.bias.copy_(torch.atanh(mean.clamp(-0.97, 0.97)))
