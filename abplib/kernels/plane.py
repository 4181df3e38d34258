"""A deconvolution of few pixels by many weights, as matrix products.

The 7 x 7 layer of Model-2 and Model-3 works on a plane of 4 x 4 pixels. Two thirds of its products
meet the border there, and it has far more weights than pixels, so that arranging the weights costs
a convolution library more than using them. Here each tap of the kernel is one matrix product, on
just those pixels that the tap sends to an output. With channels last in memory the weights need no
arranging at all.
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

Triple = tuple[int, int, int]

WEIGHTS_PER_PIXEL = 10_000  # from here on the products are faster than the convolution library
WIDE = 128  # output channels from which each tap is a product of its own


class Tap(NamedTuple):
    """One place of a kernel, the inputs that it reads and the outputs that it adds to."""

    place: tuple[int, ...]
    inputs: tuple[slice, ...]
    outputs: tuple[slice, ...]


def suits_plane(x: Tensor, deconv: nn.ConvTranspose3d) -> bool:
    """Whether the layer has so many weights, and this input so few pixels, that products pay."""
    return (
        deconv.weight.numel() >= WEIGHTS_PER_PIXEL * (x.numel() // x.shape[1])
        and deconv.groups == 1
        and deconv.dilation == (1, 1, 1)
        and deconv.output_padding == (0, 0, 0)
        and x.shape[1] == deconv.in_channels
        and min(_output_size(x, deconv)) > 0
    )


def deconvolve_plane(x: Tensor, deconv: nn.ConvTranspose3d, weight: Tensor) -> Tensor:
    """What `deconv(x)` computes with this weight, with channels last in memory.

    Where a tap has few output channels, the taps of one row of the kernel share a product, and
    the columns that they make are added up afterwards.
    """
    size, pixels = _output_size(x, deconv), x.permute(0, 2, 3, 4, 1)
    k, s, p = deconv.kernel_size, deconv.stride, _padding(deconv)
    if deconv.out_channels >= WIDE:
        taps = _taps(k, s, p, x.shape[2:], size)
        y = _Products.apply(pixels, weight.permute(2, 3, 4, 0, 1), size, taps)
    else:
        wide_size = (*size[:2], x.shape[4])
        taps = _taps((*k[:2], 1), (*s[:2], 1), (*p[:2], 0), x.shape[2:], wide_size)
        rows = weight.permute(2, 3, 0, 4, 1).flatten(3)[:, :, None]  # (t, h, 1, in, w * out)
        wide = _Products.apply(pixels, rows, wide_size, taps).unflatten(-1, (k[2], -1))
        y = wide.new_zeros(len(x), *size, deconv.out_channels)
        for tap, inputs, outputs in meetings(k[2], s[2], p[2], x.shape[4], size[2]):
            y[:, :, :, outputs] += wide[:, :, :, inputs, tap]
    y = y if deconv.bias is None else y + deconv.bias
    return y.to(x.dtype).permute(0, 4, 1, 2, 3)


class _Products(torch.autograd.Function):
    """Add up, over taps, `pixels` times the tap's matrix. Differentiable twice."""

    @staticmethod
    def forward(
        ctx: Any, pixels: Tensor, matrices: Tensor, size: Triple, taps: tuple[Tap, ...]
    ) -> Tensor:
        ctx.save_for_backward(pixels, matrices)
        ctx.taps = taps
        out = pixels.new_zeros(len(pixels), *size, matrices.shape[-1], dtype=torch.float32)
        for place, inputs, outputs in taps:
            out[outputs] += _times(pixels[inputs], matrices[place])
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        pixels, matrices = ctx.saved_tensors
        want_pixels, want_matrices = ctx.needs_input_grad[:2]
        gradient = gradient.to(pixels.dtype)
        dp = torch.zeros_like(pixels, dtype=torch.float32) if want_pixels else None
        dm = torch.zeros_like(matrices) if want_matrices else None
        for place, inputs, outputs in ctx.taps:
            part = gradient[outputs]
            if dp is not None:
                dp[inputs] += _times(part, matrices[place].T)
            if dm is not None:
                dm[place] = pixels[inputs].flatten(0, -2).T @ part.flatten(0, -2)
        return None if dp is None else dp.to(pixels.dtype), dm, None, None


def _times(rows: Tensor, matrix: Tensor) -> Tensor:
    """rows @ matrix as one product: `@` alone would copy the matrix for each batch of rows."""
    return (rows.flatten(0, -2) @ matrix).view(*rows.shape[:-1], -1)


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


@lru_cache(maxsize=256)
def _taps(
    kernel: Triple, stride: Triple, padding: Triple, inputs: Triple, outputs: Triple
) -> tuple[Tap, ...]:
    axes = [meetings(*axis) for axis in zip(kernel, stride, padding, inputs, outputs, strict=True)]
    every = slice(None)
    taps = []
    for meeting in itertools.product(*axes):
        place, read, written = zip(*meeting, strict=True)
        taps.append(Tap(place, (every, *read), (every, *written)))
    return tuple(taps)


def _output_size(x: Tensor, deconv: nn.ConvTranspose3d) -> Triple:
    s, k, p = deconv.stride, deconv.kernel_size, _padding(deconv)
    t, h, w = (s[i] * (x.shape[i + 2] - 1) + k[i] - 2 * p[i] for i in range(3))
    return t, h, w


def _padding(deconv: nn.ConvTranspose3d) -> Triple:
    return cast(Triple, deconv.padding)  # a transposed convolution's is never a word
