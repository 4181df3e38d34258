"""A deconvolution of few pixels by many weights, as matrix products.

The 7 x 7 layer of Model-2 and Model-3 works on a plane of 4 x 4 pixels. Two thirds of its products
meet the border there, and it has far more weights than pixels, so that arranging the weights costs
a convolution library more than using them. Here each tap of the kernel is one matrix product, on
just those pixels that the tap sends to an output. With channels last in memory the weights need no
arranging at all. A weight that is held still for long is packed instead: see `packed`.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

Triple = tuple[int, int, int]

WIDE = 256  # output channels from which each tap is a product of its own
LARGE = 4_000_000  # weights from which their place in memory is worth changing


class Plan(NamedTuple):
    """The rows of one matrix product a tap, one product after the other."""

    inputs: Tensor  # (rows,), the pixel that each row reads
    outputs: Tensor  # (rows,), the pixel that each row adds to
    taps: list[int]  # each product's place in the kernel
    sizes: list[int]  # rows of each product
    pixels: int  # of the output, all sequences together


def weights_per_pixel(x: Tensor, deconv: nn.ConvTranspose3d) -> float:
    """Weights for each input pixel, all sequences together; 0 for what products cannot do.

    >>> weights_per_pixel(torch.zeros(1, 512, 1, 4, 4), nn.ConvTranspose3d(512, 2, 7, padding=3))
    21952.0
    """
    possible = (
        deconv.groups == 1
        and deconv.dilation == (1, 1, 1)
        and deconv.output_padding == (0, 0, 0)
        and x.shape[1] == deconv.in_channels
        and min(output_size(x, deconv)) > 0
    )
    return deconv.weight.numel() * x.shape[1] / x.numel() if possible else 0.0


def arrange(deconv: nn.ConvTranspose3d) -> bool:
    """Store a large weight with the matrix of each product in one piece; its values stay.

    Returns:
        Whether it was large enough.
    """
    weight = deconv.weight
    if weight.device.type != "cpu" or weight.numel() < LARGE:
        return False
    order = (2, 3, 4, 0, 1) if deconv.out_channels >= WIDE else (2, 3, 0, 4, 1)
    back = [order.index(axis) for axis in range(5)]
    weight.data = weight.data.permute(order).contiguous().permute(back)
    return True


def deconvolve(x: Tensor, deconv: nn.ConvTranspose3d, weight: Tensor) -> Tensor:
    """What `deconv(x)` computes with this weight, with channels last in memory.

    Where a tap has few output channels, the taps of one row of the kernel share a product, and
    the columns that they make are added up afterwards.
    """
    size, n = output_size(x, deconv), len(x)
    pixels = x.permute(0, 2, 3, 4, 1).flatten(0, 3)
    k, s, p = deconv.kernel_size, deconv.stride, _padding(deconv)
    if deconv.out_channels >= WIDE:
        taps = plan(n, k, s, p, x.shape[2:], size)
        matrices = weight.permute(2, 3, 4, 0, 1).flatten(0, 2)
        y = _Products.apply(pixels, matrices, taps).view(n, *size, -1)
    else:
        wide_size = (*size[:2], x.shape[4])
        taps = plan(n, (*k[:2], 1), (*s[:2], 1), (*p[:2], 0), x.shape[2:], wide_size)
        matrices = weight.permute(2, 3, 0, 4, 1).flatten(3).flatten(0, 1)  # (t h, in, w out)
        wide = _Products.apply(pixels, matrices, taps).view(n, *wide_size, k[2], -1)
        y = wide.new_zeros(n, *size, deconv.out_channels)
        for tap, inputs, outputs in meetings(k[2], s[2], p[2], x.shape[4], size[2]):
            y[:, :, :, outputs] += wide[:, :, :, inputs, tap]
    y = y if deconv.bias is None else y + deconv.bias
    return y.to(x.dtype).permute(0, 4, 1, 2, 3)


class _Products(torch.autograd.Function):
    """Rows of pixels times their tap's matrix, added up by output pixel. Differentiable twice."""

    @staticmethod
    def forward(ctx: Any, pixels: Tensor, matrices: Tensor, plan: Plan) -> Tensor:
        ctx.save_for_backward(pixels, matrices)
        ctx.plan = plan
        made = _multiply(pixels[plan.inputs], matrices, plan)
        out = made.new_zeros(plan.pixels, made.shape[1])
        return out.index_add_(0, plan.outputs, made).to(pixels.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        (pixels, matrices), plan = ctx.saved_tensors, ctx.plan
        parts = gradient[plan.outputs]
        dp = dm = None
        if ctx.needs_input_grad[0]:
            made = _multiply(parts, matrices.mT, plan)
            dp = made.new_zeros(pixels.shape).index_add_(0, plan.inputs, made).to(pixels.dtype)
        if ctx.needs_input_grad[1]:
            dm = torch.zeros_like(matrices)
            rows = pixels[plan.inputs].split(plan.sizes)
            for tap, row, part in zip(plan.taps, rows, parts.split(plan.sizes), strict=True):
                dm[tap] = row.T @ part
        return dp, dm, None


def _multiply(rows: Tensor, matrices: Tensor, plan: Plan) -> Tensor:
    """Each group of rows times its tap's matrix, in float32."""
    groups = list(zip(rows.split(plan.sizes), (matrices[tap] for tap in plan.taps), strict=True))
    if torch.is_grad_enabled():
        return torch.cat([group @ matrix for group, matrix in groups]).float()
    made = rows.new_empty(len(rows), matrices.shape[2])
    for (group, matrix), out in zip(groups, made.split(plan.sizes), strict=True):
        torch.mm(group, matrix, out=out)
    return made.float()


def meetings(
    kernel: int, stride: int, padding: int, inputs: int, outputs: int
) -> list[tuple[int, slice, slice]]:
    """The taps of one axis that meet data, each with its inputs and its outputs.

    Input i adds to output stride * i + tap - padding.

    >>> [tap for tap, _, _ in meetings(7, 1, 3, inputs=2, outputs=2)]
    [2, 3, 4]
    """
    found = []
    for tap in range(kernel):
        first = max(0, -((tap - padding) // stride))
        last = min(inputs - 1, (outputs - 1 - tap + padding) // stride)
        start = stride * first + tap - padding
        stop = stride * last + tap - padding + 1
        if last >= first:
            found.append((tap, slice(first, last + 1), slice(start, stop, stride)))
    return found


@lru_cache(maxsize=64)
def plan(
    n: int, kernel: Triple, stride: Triple, padding: Triple, inputs: Triple, outputs: Triple
) -> Plan:
    """Which pixels each tap of a deconvolution of n sequences joins; see `Plan`."""
    axes = [meetings(*axis) for axis in zip(kernel, stride, padding, inputs, outputs, strict=True)]
    places = [torch.arange(n * math.prod(size)).view(n, *size) for size in (inputs, outputs)]
    every, taps, joined = slice(None), [], []
    for meeting in itertools.product(*axes):
        (t, h, w), read, written = zip(*meeting, strict=True)
        taps.append((t * kernel[1] + h) * kernel[2] + w)
        joined.append(
            [p[every, *axis].flatten() for p, axis in zip(places, (read, written), strict=True)]
        )
    sizes = [len(read) for read, _ in joined]
    read, written = (torch.cat(pixels) for pixels in zip(*joined, strict=True))
    return Plan(read, written, taps, sizes, n * math.prod(outputs))


def output_size(x: Tensor, deconv: nn.ConvTranspose3d) -> Triple:
    """Frames, rows and columns of what the layer makes, without output padding."""
    s, k, p = deconv.stride, deconv.kernel_size, _padding(deconv)
    t, h, w = (s[i] * (x.shape[i + 2] - 1) + k[i] - 2 * p[i] for i in range(3))
    return t, h, w


def _padding(deconv: nn.ConvTranspose3d) -> Triple:
    return cast(Triple, deconv.padding)  # a transposed convolution's is never a word
