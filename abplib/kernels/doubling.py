"""A doubling deconvolution (kernel 4, stride 2) as a few large matrix products.

On one axis, output o gets input i through tap k where o = 2 i + k - padding. So the outputs of one
parity q read two neighbouring inputs, through taps of one parity. In the plane, the outputs of one
(row parity, column parity) read 2 x 2 inputs: laid out side by side, these are the rows of a
matrix of 4 C columns, and each tap of time is one product with it. The gradients need the same
rows of the result's gradient, 4 x 4 pixels each.

On a processor whose full width the matrix library uses, the convolution library computes the same
sums at half to nine tenths of its rate. On others it is the other way round, and the convolution
library does them all: see `machine.full_width`. The weights are arranged once for each version.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from abplib.kernels import machine

Triple = tuple[int, int, int]

NARROW = 128  # output channels from which products are the faster form
ROWS = 512  # of one product: with more, its operands leave the processor's own cache


class Tap(NamedTuple):
    """What one shift of time does: cell j of the result reads input frame j + shift."""

    shift: int
    first: int  # parity of the first output frame that it makes
    taps: list[int]  # of the kernel, one for each parity that it makes


def is_doubling(deconv: nn.ConvTranspose3d) -> bool:
    """Whether the products can take the place of this layer.

    >>> is_doubling(nn.ConvTranspose3d(64, 64, 4, 2, 1, bias=False))
    True
    """
    return (
        deconv.kernel_size == (4, 4, 4)
        and deconv.stride == (2, 2, 2)
        and all(p in (1, 2) for p in cast(Triple, deconv.padding))
        and deconv.output_padding == (0, 0, 0)
        and deconv.dilation == (1, 1, 1)
        and deconv.groups == 1
        and deconv.bias is None
    )


def possible(x: Tensor, deconv: nn.ConvTranspose3d) -> bool:
    """Whether the products can do this."""
    return (
        is_doubling(deconv)
        and deconv.in_channels == x.shape[1]
        and x.dtype == torch.float32
        and all(size + 1 > p for size, p in zip(x.shape[2:], _padding(deconv), strict=True))
    )


def pays(x: Tensor, deconv: nn.ConvTranspose3d) -> bool:
    """Whether the products are faster than the convolution library here."""
    return machine.full_width() and deconv.out_channels >= NARROW and possible(x, deconv)


def arrange(deconv: nn.ConvTranspose3d) -> None:
    """Store the weight as the gradients' products read it; its values stay."""
    weight = deconv.weight
    if weight.device.type == "cpu":
        weight.data = weight.data.permute(2, 0, 3, 4, 1).contiguous().permute(1, 4, 0, 2, 3)


def taps_of_time(padding: int) -> list[Tap]:
    """The shifts of time, each with its taps.

    >>> taps_of_time(1)
    [Tap(shift=-1, first=0, taps=[3]), Tap(shift=0, first=0, taps=[1, 2]), \
Tap(shift=1, first=1, taps=[0])]
    """
    found: dict[int, dict[int, int]] = {}
    for k in range(4):
        q = (k + padding) % 2
        found.setdefault((q + padding - k) // 2, {})[q] = k
    return [
        Tap(shift, min(parity), [parity[q] for q in sorted(parity)])
        for shift, parity in sorted(found.items())
    ]


def pack(weight: Tensor, padding: Triple) -> list[list[Tensor]]:
    """The products' right-hand sides: for each parity of (row, column), one a shift of time."""
    inputs, outputs = weight.shape[:2]
    packed = []
    for parity in range(4):
        rows, columns = (
            [k for k in (3, 2, 1, 0) if (k + p + q) % 2 == 0]
            for p, q in zip(padding[1:], divmod(parity, 2), strict=True)
        )
        matrices = []
        for tap in taps_of_time(padding[0]):
            matrix = weight.new_empty(2, 2, inputs, len(tap.taps), outputs)
            for a, row in enumerate(rows):
                for b, column in enumerate(columns):
                    for c, time in enumerate(tap.taps):
                        matrix[a, b, :, c] = weight[:, :, time, row, column]
            matrices.append(matrix.view(4 * inputs, -1))
        packed.append(matrices)
    return packed


def deconvolve(x: Tensor, packed: list[list[Tensor]], padding: Triple) -> Tensor:
    """What the layer computes, channels last in memory."""
    n, inputs, frames, *plane = x.shape
    outputs = packed[0][0].shape[1] // len(taps_of_time(padding[0])[0].taps)
    cells = [size + 1 - p for size, p in zip((frames, *plane), padding, strict=True)]
    y = x.new_empty(n, cells[0], 2, cells[1], 2, cells[2], 2, outputs)
    border = [2 - p for p in padding[1:]]
    padded = _bordered(x, border)
    rows = n * cells[1] * cells[2]
    block = max(1, min(frames, ROWS // rows))
    room = x.new_empty(block, n, cells[1], cells[2], 2, 2, inputs)
    made = x.new_empty(cells[0], rows, 2 * outputs)
    t, b, h, w, c = padded.stride()
    for parity, matrices in enumerate(packed):
        made.zero_()
        corner = [q * s for q, s in zip(divmod(parity, 2), border, strict=True)]
        for start in range(0, frames, block):
            stop = min(frames, start + block)
            pairs = room[: stop - start]
            place = padded.storage_offset() + start * t + corner[0] * h + corner[1] * w
            pairs.copy_(padded.as_strided(pairs.shape, (t, b, h, w, h, w, c), place))
            left = pairs.view(stop - start, rows, -1)
            for tap, matrix in zip(taps_of_time(padding[0]), matrices, strict=True):
                first, last = max(start, tap.shift), min(stop, cells[0] + tap.shift)
                if last > first:
                    out = made[first - tap.shift : last - tap.shift].flatten(0, 1)
                    out = out[:, tap.first * outputs :][:, : matrix.shape[1]]
                    torch.addmm(
                        out, left[first - start : last - start].flatten(0, 1), matrix, out=out
                    )
        row, column = divmod(parity, 2)
        video = made.view(cells[0], n, cells[1], cells[2], 2, outputs)
        y[:, :, :, :, row, :, column] = video.permute(1, 0, 4, 2, 3, 5)
    size = [2 * cell for cell in cells]
    return y.view(n, *size, outputs).permute(0, 4, 1, 2, 3)


def gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, padding: Triple, of_x: bool, of_weight: bool
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients with respect to x and weight, of those that are wanted."""
    n, inputs, frames, *plane = x.shape
    outputs = weight.shape[1]
    cells = frames + 1 - padding[0]
    padded = _bordered(gradient, list(padding[1:]))
    rows = n * plane[0] * plane[1]
    block = max(1, min(cells, ROWS // rows))
    room = x.new_empty(block, n, *plane, 4, 4, outputs)
    right = weight.permute(2, 0, 3, 4, 1).flatten(2)  # (4, inputs, 16 outputs)
    dx = x.new_zeros(frames, rows, inputs) if of_x else None
    dw = torch.zeros_like(right) if of_weight else None
    pixels = x.permute(2, 0, 3, 4, 1).reshape(frames, rows, inputs) if of_weight else None
    t, b, h, w, c = padded.stride()
    for start in range(0, cells, block):
        stop = min(cells, start + block)
        for q in range(2):
            part = room[: stop - start]
            place = padded.storage_offset() + (2 * start + q) * t
            part.copy_(padded.as_strided(part.shape, (2 * t, b, 2 * h, 2 * w, h, w, c), place))
            left = part.view(stop - start, rows, -1)
            for tap in taps_of_time(padding[0]):
                first, last = max(start, -tap.shift), min(stop, frames - tap.shift)
                if q - tap.first not in range(len(tap.taps)) or last <= first:
                    continue
                k = tap.taps[q - tap.first]
                cut = left[first - start : last - start].flatten(0, 1)
                where = slice(first + tap.shift, last + tap.shift)
                if dx is not None:
                    out = dx[where].flatten(0, 1)
                    torch.addmm(out, cut, right[k].T, out=out)
                if dw is not None and pixels is not None:
                    torch.addmm(dw[k], pixels[where].flatten(0, 1).T, cut, out=dw[k])
    if dx is not None:
        dx = dx.view(frames, n, *plane, inputs).permute(1, 4, 0, 2, 3)
    if dw is not None:
        dw = dw.view(4, inputs, 4, 4, outputs).permute(1, 4, 0, 2, 3)
    return dx, dw


def _bordered(x: Tensor, border: list[int]) -> Tensor:
    """(T, N, H, W, C) of x (N, C, T, H, W), with zeros around each plane."""
    n, channels, frames, height, width = x.shape
    pixels = x.permute(2, 0, 3, 4, 1)
    if border == [0, 0]:
        return pixels
    top, left = border
    padded = x.new_zeros(frames, n, height + 2 * top, width + 2 * left, channels)
    padded[:, :, top : top + height, left : left + width] = pixels
    return padded


def _padding(deconv: nn.ConvTranspose3d) -> Triple:
    return cast(Triple, deconv.padding)
