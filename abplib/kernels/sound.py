"""Deconvolution along time with a kernel of twice its stride, for sound.

PyTorch computes a one-dimensional deconvolution as a matrix product that makes all taps, and a
second pass that adds up where taps overlap. With a kernel of twice the stride two inputs meet in
every output, so a block of `stride` outputs is one matrix product of two neighbouring inputs, and
nothing is left to add up. For one output channel that is a convolution with `stride` channels
(one for each place in the block), laid out in time. Written as a deconvolution of (C, T, 1, 1)
videos the same layer is three to six times slower: see the benchmark.
"""

from __future__ import annotations

from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEW = 4  # output channels up to which the convolution is the faster form


class SoundDeconvolution(nn.ConvTranspose1d):
    """A deconvolution along time, kernel 2 s, stride s, padding s / 2, as one product.

    It has the parameters, the state_dict and the results of the `nn.ConvTranspose1d` that it
    replaces. On a GPU and in float64 it runs the plain form.

    Args:
        plain: the layer to replace. Its weight is shared, not copied.

    Raises:
        ValueError: for a layer of another kind; see `is_sound`.

    >>> plain = nn.ConvTranspose1d(8, 4, 20, 10, 5)
    >>> x = torch.randn(2, 8, 7)
    >>> torch.allclose(SoundDeconvolution(plain)(x), plain(x), atol=1e-5)
    True
    """

    def __init__(self, plain: nn.ConvTranspose1d) -> None:
        if not is_sound(plain):
            raise ValueError(
                f"{plain} has no fast form; expected a kernel of twice the stride, an even stride, "
                "half of it as padding, one group and no output padding"
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
        form = _as_convolution if self.out_channels <= FEW else _as_product
        half = self.stride[0] // 2
        y = form(x, self.weight)[:, :, half:-half]
        return y if self.bias is None else y + self.bias[:, None]


def is_sound(layer: nn.Module) -> TypeGuard[nn.ConvTranspose1d]:
    """Whether `SoundDeconvolution` can take the place of this layer.

    >>> is_sound(nn.ConvTranspose1d(8, 4, 20, 10, 5)), is_sound(nn.ConvTranspose1d(8, 4, 48))
    (True, False)
    """
    return (
        isinstance(layer, nn.ConvTranspose1d)
        and layer.stride[0] % 2 == 0
        and layer.kernel_size[0] == 2 * layer.stride[0]
        and layer.padding[0] == layer.stride[0] // 2
        and layer.dilation == (1,)
        and layer.output_padding == (0,)
        and layer.groups == 1
    )


def _as_product(x: Tensor, weight: Tensor) -> Tensor:
    """Block t of the output is [x_t, x_{t-1}] times a (2 C, stride * outputs) matrix."""
    inputs, outputs, taps = weight.shape
    stride = taps // 2
    matrix = weight.reshape(inputs, outputs, 2, stride).permute(2, 0, 3, 1)
    steps = F.pad(x.transpose(1, 2), (0, 0, 1, 1))
    pairs = torch.cat([steps[:, 1:], steps[:, :-1]], 2)
    blocks = pairs @ matrix.reshape(2 * inputs, stride * outputs)
    return blocks.reshape(len(x), -1, outputs).transpose(1, 2)


def _as_convolution(x: Tensor, weight: Tensor) -> Tensor:
    """The same with the places in a block as the channels of a convolution of kernel 2."""
    inputs, outputs, taps = weight.shape
    stride = taps // 2
    kernel = weight.reshape(inputs, outputs, 2, stride).flip(2).permute(1, 3, 0, 2)
    blocks = F.conv1d(x, kernel.reshape(outputs * stride, inputs, 2), padding=1)
    places = blocks.reshape(len(x), outputs, stride, -1).transpose(2, 3)
    return places.reshape(len(x), outputs, -1)
