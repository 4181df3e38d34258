"""The deconvolution of few pixels by many weights, with the weights packed for their products.

A matrix library copies its operands into an order of its own before it multiplies. With a handful
of rows that copy of the weights costs more than the product. The convolution library's product of
rows takes a matrix that was packed before, and weights that are held still, as in a chain, are
packed once. Taps along one axis stand side by side in one matrix, so that the products are fewer
and larger: along time where the input is one frame, which all of them read; else along a row.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from abplib.kernels import plane, prepared
from abplib.kernels.plane import Triple, meetings
from abplib.kernels.prepared import NOTHING, Prepared

PATIENCE = 4  # steps with one version of a weight whose gain is what packing it costs


class Layer(NamedTuple):
    """The geometry of a deconvolution of n sequences."""

    n: int
    kernel: Triple
    stride: Triple
    padding: Triple
    inputs: Triple  # frames, rows, columns
    outputs: Triple
    shared: int  # the axis whose taps share a product


class Sum(NamedTuple):
    """Which rows add up to each pixel, the rows of one pixel after those of another."""

    rows: Tensor
    starts: Tensor  # (pixels,)

    def of(self, made: Tensor) -> Tensor:
        """(pixels, C) in float32 from rows (rows, C)."""
        return F.embedding_bag(self.rows, made.float(), self.starts, mode="sum")


class Plan(NamedTuple):
    """The rows of the products, one product after the other, and what becomes of them."""

    taps: list[int]  # each product's place among the taps of the axes that are not shared
    sizes: list[int]  # rows of each product
    live: list[int]  # taps of the shared axis that meet data
    inputs: Tensor  # (rows,), the pixel that each row reads
    targets: Tensor  # (rows * live,), the pixel that each tap adds to; one more for none
    to_outputs: Sum
    to_inputs: Sum


@lru_cache(maxsize=64)
def plan(layer: Layer) -> Plan:
    """See `Plan`: `plane.plan` without the shared axis, whose taps are then told apart."""
    n, shared = layer.n, layer.shared
    kernel, stride, padding = list(layer.kernel), list(layer.stride), list(layer.padding)
    kernel[shared], stride[shared], padding[shared] = 1, 1, 0
    halfway = [layer.inputs[a] if a == shared else layer.outputs[a] for a in range(3)]
    geometry = (cast(Triple, tuple(axis)) for axis in (kernel, stride, padding))
    rows = plane.plan(n, *geometry, layer.inputs, cast(Triple, tuple(halfway)))
    along = meetings(*(axis[shared] for axis in layer[1:6]))
    pixels = n * math.prod(layer.outputs)
    places = torch.arange(pixels).view(n, *layer.outputs).movedim(1 + shared, 0)
    targets = torch.full((n, *halfway, len(along)), pixels).movedim(1 + shared, 0)
    for number, (_, read, written) in enumerate(along):
        targets[read, ..., number] = places[written]
    targets = targets.movedim(0, 1 + shared).flatten(0, 3)[rows.outputs].flatten()
    return Plan(
        rows.taps,
        rows.sizes,
        [tap for tap, _, _ in along],
        rows.inputs,
        targets,
        _sum(targets, pixels),
        _sum(rows.inputs, n * math.prod(layer.inputs)),
    )


def _sum(pixels: Tensor, count: int) -> Sum:
    """The sum of rows by pixel; pixels from count on do not exist."""
    order = pixels.argsort(stable=True)
    starts = torch.searchsorted(pixels[order], torch.arange(count + 1))
    return Sum(order[: int(starts[-1])], starts[:-1])


def pays(x: Tensor, deconv: nn.ConvTranspose3d, forms: Prepared) -> bool:
    """Whether the weight is held still, and has been for long enough to be worth packing."""
    offered = prepared.packs(x.dtype) and all(
        hasattr(torch.ops.mkldnn, name) for name in ("_linear_pointwise", "_reorder_linear_weight")
    )
    narrow = x.shape[2] == 1 or deconv.out_channels < plane.WIDE
    still = offered and narrow and not deconv.weight.requires_grad
    return still and forms.uses("packed", deconv.weight) > PATIENCE


def deconvolve(x: Tensor, deconv: nn.ConvTranspose3d, forms: Prepared) -> Tensor:
    """What `deconv(x)` computes, channels last in memory; x may be differentiated any times."""
    layer = Layer(
        len(x),
        cast(Triple, deconv.kernel_size),
        cast(Triple, deconv.stride),
        cast(Triple, deconv.padding),
        cast(Triple, tuple(x.shape[2:])),
        plane.output_size(x, deconv),
        0 if x.shape[2] == 1 else 2,
    )
    y: Tensor = _Packed.apply(x, deconv.weight, layer, forms, True)
    return y if deconv.bias is None else y + deconv.bias.to(y.dtype).view(-1, 1, 1, 1)


class _Packed(torch.autograd.Function):
    """The layer without its bias, or its transpose: each is the other's gradient."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, layer: Layer, forms: Prepared, forward: bool
    ) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.layer, ctx.forms, ctx.forward = layer, forms, forward
        matrices = forms.get(
            f"packed, forward {forward}",
            weight,
            lambda: _pack(weight.to(x.dtype), layer, forward),
            layer,
            x.dtype,
        )
        rows, size = plan(layer), layer.outputs if forward else layer.inputs
        pixels = x.permute(0, 2, 3, 4, 1).flatten(0, 3)
        if forward:
            made = _multiply(pixels[rows.inputs], matrices, rows.sizes)
            y = rows.to_outputs.of(made.view(-1, weight.shape[1]))
        else:
            pixels = torch.cat([pixels, pixels.new_zeros(1, pixels.shape[1])])
            parts = pixels[rows.targets].view(len(rows.inputs), -1)
            y = rows.to_inputs.of(_multiply(parts, matrices, rows.sizes))
        return y.to(x.dtype).view(layer.n, *size, -1).permute(0, 4, 1, 2, 3)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        dx = _Packed.apply(gradient, weight, ctx.layer, ctx.forms, not ctx.forward)
        return dx, *[None] * 4


def _pack(weight: Tensor, layer: Layer, forward: bool) -> list[Tensor]:
    """The matrix of each product, in the library's blocks."""
    matrices = weight.permute(2, 3, 4, 0, 1).movedim(layer.shared, -2)  # (k, k, in, shared, out)
    matrices, packed, rows = matrices.flatten(0, 1), [], plan(layer)
    for tap, size in zip(rows.taps, rows.sizes, strict=True):
        matrix = matrices[tap][:, rows.live].flatten(1)
        matrix = (matrix.T if forward else matrix).contiguous()
        packed.append(torch.ops.mkldnn._reorder_linear_weight(matrix, size))
    return packed


def _multiply(rows: Tensor, matrices: list[Tensor], sizes: list[int]) -> Tensor:
    """Each group of rows times its packed matrix."""
    product = torch.ops.mkldnn._linear_pointwise
    groups = zip(rows.split(sizes), matrices, strict=True)
    return torch.cat([product(group, matrix, None, *NOTHING) for group, matrix in groups])
