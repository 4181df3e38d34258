"""The last layer: a deconvolution with three output channels.

The convolution library works on 16 channels at a time, so the plain form of that layer computes 16
and throws 13 away. A doubling deconvolution of kernel 4 is also a convolution of kernel 2 with
eight times the channels, one set for each corner of a 2 x 2 x 2 cell of the output; a 3-D pixel
shuffle lays them out. Only the forward pass is replaced; the plain backward pass is fast already.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from abplib.kernels.applies import LAST, applies, channels_last, plain_gradients
from abplib.kernels.prepared import packs

Triple = tuple[int, int, int]

FEW = 8  # output channels up to which the fast form pays


class ThinDeconvolution(nn.ConvTranspose3d):
    """A doubling deconvolution with few output channels: 4 x 4 x 4 kernel, stride 2, no bias.

    It has the parameters, the state_dict and the results of the `nn.ConvTranspose3d` that it
    replaces; given an output bias, it adds that and takes the tanh as well. Where the fast form
    does not apply (GPU, float64, autocast) it runs the plain one.

    Args:
        plain: the layer to replace. Its weight is shared, not copied; its layout in memory changes.
        dtype: of the arithmetic; see `abplib.kernels.accelerate`.

    Raises:
        ValueError: for a layer of another kind; see `is_thin`.

    >>> plain = nn.ConvTranspose3d(16, 3, 4, 2, 1, bias=False)
    >>> x = torch.randn(1, 16, 4, 5, 6)
    >>> torch.allclose(ThinDeconvolution(plain)(x), plain(x), atol=1e-5)
    True
    """

    bounds = True  # it takes an output bias, and then bounds the video by tanh

    def __init__(self, plain: nn.ConvTranspose3d, dtype: torch.dtype = torch.float32) -> None:
        if not is_thin(plain):
            raise ValueError(
                f"{plain} has no thin form; expected kernel 4, stride 2, padding 1 or 2, no bias, "
                f"no output padding, one group and at most {FEW} output channels"
            )
        super().__init__(
            plain.in_channels,
            plain.out_channels,
            4,
            2,
            plain.padding,  # type: ignore[arg-type]
            bias=False,
            device="meta",
        )
        self.weight = plain.weight
        self.training, self.dtype = plain.training, dtype
        channels_last(self)

    def forward(
        self, x: Tensor, output_size: list[int] | None = None, bias: Tensor | None = None
    ) -> Tensor:
        """(N, C, T, H, W) to the doubled video, 2 shorter on an axis where the padding is 2.

        With a bias, (outputs, 1, 1, 1), the result is tanh(video + bias).
        """
        if output_size is not None or not applies(x, self.weight):
            video = super().forward(x, output_size)
            return video if bias is None else torch.tanh(video + bias)
        x = x.to(self.dtype).contiguous(memory_format=LAST)
        fused = bias if self.dtype == torch.float32 and packs(self.dtype) else None
        video = _Thin.apply(x, self.weight.to(self.dtype), fused, self.padding)
        video = video.to(self.weight.dtype)
        return video if bias is None or fused is not None else torch.tanh(video + bias)


def is_thin(layer: nn.Module) -> TypeGuard[nn.ConvTranspose3d]:
    """Whether `ThinDeconvolution` can take the place of this layer.

    >>> is_thin(nn.ConvTranspose3d(16, 3, 4, 2, 1, bias=False)), is_thin(nn.Conv3d(16, 3, 4))
    (True, False)
    """
    return (
        isinstance(layer, nn.ConvTranspose3d)
        and layer.kernel_size == (4, 4, 4)
        and layer.stride == (2, 2, 2)
        and layer.dilation == (1, 1, 1)
        and layer.output_padding == (0, 0, 0)
        and all(p in (1, 2) for p in layer.padding)
        and layer.groups == 1
        and layer.bias is None
        and layer.out_channels <= FEW
    )


class _Thin(torch.autograd.Function):
    """Forward as one convolution and a pixel shuffle, backward as the plain deconvolution."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: Triple
    ) -> Tensor:
        video = _corners(x, weight, bias, padding)
        ctx.save_for_backward(x, weight, None if bias is None else video)
        ctx.stride, ctx.padding = (2, 2, 2), padding
        return video

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, video = ctx.saved_tensors
        if video is not None:
            gradient = torch.ops.aten.tanh_backward(gradient, video)
        of_x, of_weight, of_bias = ctx.needs_input_grad[:3]
        dx, dw = plain_gradients(gradient, x, weight, ctx.stride, ctx.padding, of_x, of_weight)
        return dx, dw, gradient.sum((0, 2, 3, 4))[:, None, None, None] if of_bias else None, None


def _corners(x: Tensor, weight: Tensor, bias: Tensor | None, padding: Triple) -> Tensor:
    """The deconvolution as a convolution that computes the 8 corners of each output cell.

    On one axis the plain layer makes output 2 i + k - padding from input i and tap k. Of every
    two neighbouring outputs, one takes taps 2 and 0 of two neighbouring inputs, the other taps 3
    and 1: two convolutions of kernel 2 over the same pair of inputs. A bias and the tanh after it
    are taken by the convolution library, while the numbers are still at hand.
    """
    n, inputs, outputs = x.shape[0], *weight.shape[:2]
    kernel = weight.reshape(inputs, outputs, 2, 2, 2, 2, 2, 2).flip(2, 4, 6)
    kernel = kernel.permute(3, 5, 7, 1, 0, 2, 4, 6).reshape(8 * outputs, inputs, 2, 2, 2)
    border = [2 - p for p in padding]  # with padding 2 every output has both its inputs
    place = border, [1] * 3, [1] * 3, 1
    if bias is None:
        cells = torch.ops.aten.mkldnn_convolution(x, kernel, None, *place)
    else:
        added = bias.flatten().repeat(8)
        cells = torch.ops.mkldnn._convolution_pointwise(x, kernel, added, *place, "tanh", [], "")
    t, h, w = cells.shape[2:]
    corners = cells.reshape(n, 2, 2, 2, outputs, t, h, w).permute(0, 4, 5, 1, 6, 2, 7, 3)
    video = corners.reshape(n, outputs, 2 * t, 2 * h, 2 * w)
    for axis, extra in enumerate(border, start=2):
        video = video.narrow(axis, extra, video.shape[axis] - 2 * extra)
    return video if bias is None else video.contiguous()
