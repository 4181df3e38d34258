"""The last layer of the audio generator: a deconvolution along time with one output channel.

PyTorch computes a deconvolution along time as a matrix product that makes all taps of all outputs,
and a second pass that adds them up where they overlap. That is fast for wide layers. For one output
channel the product is thin and the second pass costs more than the first. With a kernel of twice
the stride, two inputs meet in every output, so a block of `stride` outputs is also a convolution of
kernel 2 with `stride` channels, one for each place in the block. Nothing is left to add up.
"""

from __future__ import annotations

from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEW = 4  # output channels up to which the fast form pays


class SoundDeconvolution(nn.ConvTranspose1d):
    """A deconvolution along time with few outputs: kernel 2 s, stride s, padding s / 2.

    It has the parameters, the state_dict and the results of the `nn.ConvTranspose1d` that it
    replaces. On a GPU and in float64 it runs the plain form.

    Args:
        plain: the layer to replace. Its weight is shared, not copied.

    Raises:
        ValueError: for a layer of another kind; see `is_sound`.

    >>> plain = nn.ConvTranspose1d(8, 1, 20, 10, 5)
    >>> x = torch.randn(2, 8, 7)
    >>> torch.allclose(SoundDeconvolution(plain)(x), plain(x), atol=1e-5)
    True
    """

    def __init__(self, plain: nn.ConvTranspose1d) -> None:
        if not is_sound(plain):
            raise ValueError(
                f"{plain} has no fast form; expected at most {FEW} output channels, a kernel of "
                "twice the stride, an even stride, half of it as padding, one group and no output "
                "padding"
            )
        super().__init__(
            plain.in_channels,
            plain.out_channels,
            plain.kernel_size[0],
            plain.stride[0],
            plain.padding[0],  # type: ignore[arg-type]
            bias=plain.bias is not None,
            device="meta",
        )
        self.weight, self.bias = plain.weight, plain.bias
        self.training = plain.training

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, C, T) to (N, outputs, stride * T)."""
        plain = x.device.type != "cpu" or x.dtype != torch.float32 or x.ndim != 3
        if output_size is not None or plain:
            return super().forward(x, output_size)
        half = self.stride[0] // 2
        y = _blocks(x, self.weight)[:, :, half:-half]
        return y if self.bias is None else y + self.bias[:, None]


def is_sound(layer: nn.Module) -> TypeGuard[nn.ConvTranspose1d]:
    """Whether `SoundDeconvolution` can take the place of this layer.

    >>> is_sound(nn.ConvTranspose1d(8, 1, 20, 10, 5)), is_sound(nn.ConvTranspose1d(8, 1, 48))
    (True, False)
    """
    return (
        isinstance(layer, nn.ConvTranspose1d)
        and layer.out_channels <= FEW
        and layer.stride[0] % 2 == 0
        and layer.kernel_size[0] == 2 * layer.stride[0]
        and layer.padding[0] == layer.stride[0] // 2
        and layer.dilation == (1,)
        and layer.output_padding == (0,)
        and layer.groups == 1
    )


def _blocks(x: Tensor, weight: Tensor) -> Tensor:
    """The deconvolution without its padding; block t of the output is made of x_t and x_{t-1}."""
    inputs, outputs, taps = weight.shape
    stride = taps // 2
    kernel = weight.reshape(inputs, outputs, 2, stride).flip(2).permute(1, 3, 0, 2)
    blocks = F.conv1d(x, kernel.reshape(outputs * stride, inputs, 2), padding=1)
    places = blocks.reshape(len(x), outputs, stride, -1).transpose(2, 3)
    return places.reshape(len(x), outputs, -1)
