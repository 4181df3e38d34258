"""Which form of a deconvolution is the fastest, and its gradients."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from abplib.kernels import doubling, machine, packed, plane, prepared
from abplib.kernels.applies import LAST, channels_last, plain_gradients
from abplib.kernels.prepared import Prepared

Triple = tuple[int, int, int]

MANY = 10_000  # weights a pixel from which the gradient too is faster as products
MOST = 100_000  # from which a doubling layer's weight gradient is, whatever makes its output


def arrange(deconv: nn.ConvTranspose3d) -> None:
    """Store the weight as the form that will use it reads it; its values stay."""
    doubles = doubling.is_doubling(deconv)
    if doubles and deconv.out_channels >= doubling.NARROW and machine.full_width():
        doubling.arrange(deconv)
    elif doubles or not plane.arrange(deconv):
        channels_last(deconv)


def deconvolve(x: Tensor, deconv: nn.ConvTranspose3d, forms: Prepared) -> Tensor:
    """What the layer computes, in the dtype of x.

    Args:
        x: (N, C, T, H, W).
        deconv: the plain layer.
        forms: of its weight; they are kept there.
    """
    if _spreads(x, deconv):
        return _spread(x, deconv, _rounded(x, deconv, forms))
    products = doubling.pays(x, deconv)
    blocks = doubling.is_doubling(deconv) and prepared.packs(x.dtype)
    if not products and not blocks and plane.weights_per_pixel(x, deconv) >= MANY:
        if packed.pays(x, deconv, forms):
            return packed.deconvolve(x, deconv, forms)
        return plane.deconvolve(x, deconv, _rounded(x, deconv, forms))
    x = x.contiguous(memory_format=LAST)
    simple = deconv.groups == 1 and deconv.dilation == (1, 1, 1)
    if products or (simple and not any(deconv.output_padding) and prepared.packs(x.dtype)):
        y: Tensor = _Deconvolution.apply(x, deconv.weight, deconv, forms, products)
        return y if deconv.bias is None else y + deconv.bias.to(y.dtype).view(-1, 1, 1, 1)
    bias = None if deconv.bias is None else deconv.bias.to(x.dtype)
    place = deconv.stride, deconv.padding, deconv.output_padding
    weight = _rounded(x, deconv, forms)
    return F.conv_transpose3d(x, weight, bias, *place, deconv.groups, deconv.dilation)  # type: ignore[arg-type]


def _spreads(x: Tensor, deconv: nn.ConvTranspose3d) -> bool:
    """Whether the layer makes a whole plane from one pixel, as the first layer of Model-2 and 3."""
    return (
        x.shape[1:] == (deconv.in_channels, x.shape[2], 1, 1)
        and deconv.kernel_size[0] == 1
        and deconv.stride == deconv.dilation == (1, 1, 1)
        and not any((*cast(Triple, deconv.padding), *deconv.output_padding))
        and deconv.groups == 1
    )


def _spread(x: Tensor, deconv: nn.ConvTranspose3d, weight: Tensor) -> Tensor:
    """That layer is one matrix product, and the result lies channels last."""
    pixels = x.permute(0, 2, 3, 4, 1).flatten(0, 3)
    y = pixels @ weight.permute(0, 2, 3, 4, 1).flatten(1)
    y = y.view(len(x), x.shape[2], *deconv.kernel_size[1:], -1)
    return (y if deconv.bias is None else y + deconv.bias.to(y.dtype)).permute(0, 4, 1, 2, 3)


def _rounded(x: Tensor, deconv: nn.ConvTranspose3d, forms: Prepared) -> Tensor:
    """The weight in x's dtype; while it is held still, it is rounded only once."""
    weight = deconv.weight
    if x.dtype == weight.dtype or weight.requires_grad:
        return weight.to(x.dtype)
    return forms.get("rounded", weight, lambda: weight.to(x.dtype), x.dtype)


class _Deconvolution(torch.autograd.Function):
    """The layer without its bias, by matrix products or by the library with prepared weights."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        deconv: nn.ConvTranspose3d,
        forms: Prepared,
        products: bool,
    ) -> Tensor:
        place = cast(Triple, deconv.stride), cast(Triple, deconv.padding)
        ctx.save_for_backward(x, weight)
        ctx.forms, ctx.products, (ctx.stride, ctx.padding) = forms, products, place
        ctx.possible = doubling.possible(x, deconv)
        if products:
            matrices = forms.get("products", weight, lambda: doubling.pack(weight, place[1]))
            return doubling.deconvolve(x, matrices, place[1])
        blocks = forms.get(
            "forward",
            weight,
            lambda: prepared.forward_blocks(x, weight.to(x.dtype), *place),
            x.shape,
            x.dtype,
        )
        return prepared.packed_deconvolution(x, blocks, *place)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight = ctx.needs_input_grad[:2]
        place, dx, dw = (ctx.stride, ctx.padding), None, None
        if torch.is_grad_enabled():  # second derivatives go through the plain layer's
            dx, dw = plain_gradients(gradient, x, weight.to(x.dtype), *place, of_x, of_weight)
            return dx, dw, None, None, None
        gradient = gradient.contiguous(memory_format=LAST)
        weights = weight.numel() * x.shape[1] / x.numel()  # a pixel
        many = ctx.products and weights >= MANY
        if ctx.products and (of_weight or (of_x and many)):
            wanted = of_x and many, of_weight
            dx, dw = doubling.gradients(gradient, x, weight, ctx.padding, *wanted)
        elif of_weight and ctx.possible and weights >= MOST:
            _, dw = doubling.gradients(gradient, x, weight, ctx.padding, False, True)
        elif of_weight:
            _, dw = plain_gradients(gradient, x, weight.to(x.dtype), *place, False, True)
        if of_x and not (ctx.products and many):
            blocks = ctx.forms.get(
                "backward",
                weight,
                lambda: prepared.backward_blocks(gradient, weight.to(x.dtype), *place),
                gradient.shape,
                x.dtype,
            )
            dx = prepared.packed_gradient(gradient, blocks, *place)
        return dx, None if dw is None else dw.to(weight.dtype), None, None, None
