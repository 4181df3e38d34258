"""The deconvolution of few pixels by many weights, with the weights packed for their products.

A matrix library copies its operands into an order of its own before it multiplies. With a handful
of rows that copy of the weights costs more than the product. The convolution library's product of
rows takes a matrix that was packed before, and weights that are held still, as in a chain, are
packed once. Taps along one axis stand side by side in one matrix, so that the products are fewer
and larger: along time where the input is one frame, which all of them read; else along a row.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from abplib.kernels import plane, prepared
from abplib.kernels.applies import LAST
from abplib.kernels.plane import Triple, meetings
from abplib.kernels.prepared import NOTHING, Prepared

PATIENCE = 4  # steps with one version of a weight whose gain is what packing it costs
Place = tuple[slice, ...]  # in (N, T, H, W)


class Layer(NamedTuple):
    """The geometry of a deconvolution."""

    kernel: Triple
    stride: Triple
    padding: Triple
    inputs: Triple  # frames, rows, columns
    outputs: Triple
    shared: int  # the axis whose taps share a product

    def along(self, axis: int) -> list[tuple[int, slice, slice]]:
        """The taps of one axis, each with what it reads and what it writes."""
        sizes = zip(*self[:5], strict=True)
        return meetings(*list(sizes)[axis])

    def products(self) -> Iterator[tuple[tuple[int, ...], Place, Place]]:
        """Each product's taps on the axes that are not shared, and the pixels that it joins."""
        for meeting in itertools.product(*(self.along(a) for a in range(3) if a != self.shared)):
            taps, read, written = zip(*meeting, strict=True)
            yield taps, self.place(*read), self.place(*written)

    def place(self, *others: slice) -> Place:
        """Slices of the axes that are not shared, put in their places."""
        found = [slice(None), *others]
        found.insert(1 + self.shared, slice(None))
        return tuple(found)

    def live(self) -> list[int]:
        """Those taps of the shared axis that meet data."""
        return [tap for tap, _, _ in self.along(self.shared)]

    def overlaps(self) -> Iterator[tuple[int, Place, Place]]:
        """The place of each live tap in a product, with the pixels that it joins."""
        for number, (_, *joined) in enumerate(self.along(self.shared)):
            read, written = ((slice(None),) * (1 + self.shared) + (pixels,) for pixels in joined)
            yield number, read, written

    def half_way(self) -> Triple:
        """Size of the result before the taps of the shared axis have been added up."""
        size = list(self.outputs)
        size[self.shared] = self.inputs[self.shared]
        return cast(Triple, tuple(size))


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
        pixels = x.permute(0, 2, 3, 4, 1)
        y = (_forward if forward else _backward)(pixels, matrices, layer)
        return y.to(x.dtype).permute(0, 4, 1, 2, 3).contiguous(memory_format=LAST)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        dx = _Packed.apply(gradient, weight, ctx.layer, ctx.forms, not ctx.forward)
        return dx, *[None] * 4


def _pack(weight: Tensor, layer: Layer, forward: bool) -> list[Tensor]:
    """The matrix of each product, in the library's blocks."""
    matrices = weight.permute(2, 3, 4, 0, 1).movedim(layer.shared, -2)  # (k, k, in, shared, out)
    packed, live = [], layer.live()
    for taps, _, _ in layer.products():
        matrix = matrices[taps][:, live].flatten(1)
        packed.append(
            torch.ops.mkldnn._reorder_linear_weight((matrix.T if forward else matrix).contiguous())
        )
    return packed


def _rows(pixels: Tensor, matrix: Tensor) -> Tensor:
    """Pixels (N, T, H, W, C) times a packed matrix."""
    made = torch.ops.mkldnn._linear_pointwise(
        pixels.reshape(-1, pixels.shape[-1]), matrix, None, *NOTHING
    )
    return made.view(*pixels.shape[:-1], -1)


def _forward(pixels: Tensor, matrices: list[Tensor], layer: Layer) -> Tensor:
    """Outputs (N, T, H, W, out) in float32 from inputs (N, T, H, W, in)."""
    n, taps = len(pixels), len(layer.live())
    wide: Tensor | None = None
    for matrix, (_, read, written) in zip(matrices, layer.products(), strict=True):
        made = _rows(pixels[read], matrix)
        if wide is None:
            wide = made.new_zeros(n, *layer.half_way(), made.shape[-1], dtype=torch.float32)
        wide[written] += made
    assert wide is not None  # a layer without products makes nothing
    wide = wide.unflatten(-1, (taps, -1))
    y = wide.new_zeros(n, *layer.outputs, wide.shape[-1])
    for tap, read, written in layer.overlaps():
        y[written] += wide[read][..., tap, :]
    return y


def _backward(gradient: Tensor, matrices: list[Tensor], layer: Layer) -> Tensor:
    """Inputs' gradient (N, T, H, W, in) in float32 from the outputs' (N, T, H, W, out)."""
    n, taps = len(gradient), len(layer.live())
    wide = gradient.new_zeros(n, *layer.half_way(), taps, gradient.shape[-1])
    for tap, read, written in layer.overlaps():
        wide[read][..., tap, :] = gradient[written]
    wide = wide.flatten(-2)
    dx: Tensor | None = None
    for matrix, (_, read, written) in zip(matrices, layer.products(), strict=True):
        made = _rows(wide[written], matrix)
        if dx is None:
            dx = made.new_zeros(n, *layer.inputs, made.shape[-1], dtype=torch.float32)
        dx[read] += made
    assert dx is not None
    return dx
