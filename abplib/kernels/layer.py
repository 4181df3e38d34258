"""Deconvolution, normalisation and leaky ReLU as one module, channels last in memory."""

from __future__ import annotations

from typing import Any, TypeGuard, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from abplib.kernels.applies import LAST, applies
from abplib.kernels.deconvolution import arrange, deconvolve
from abplib.kernels.prepared import Prepared

ops = torch.ops.aten


class FastLayer(nn.Sequential):
    """The layer that `abplib.generators.layer` makes, with the same modules in it.

    Args:
        plain: the layer to replace. Its modules are shared, not copied; the weights' layout in
            memory changes, their values and shapes do not.
        dtype: of the arithmetic; see `abplib.kernels.accelerate`.

    Raises:
        ValueError: for a layer of another kind; see `is_layer`.

    >>> from abplib.generators import layer
    >>> plain = layer(8, 16, 4, 2, 1, norm="batch", slope=0.2)
    >>> x = torch.randn(1, 8, 4, 5, 6)
    >>> torch.allclose(FastLayer(plain)(x), plain(x), atol=1e-5)
    True
    """

    def __init__(self, plain: nn.Sequential, dtype: torch.dtype = torch.float32) -> None:
        if not is_layer(plain):
            raise ValueError(
                f"{plain} has no fast form; expected a sequence of nn.ConvTranspose3d, "
                "normalisation and nn.LeakyReLU as abplib.generators.layer makes it"
            )
        super().__init__(*plain)
        self.training, self.dtype = plain.training, dtype
        self.prepared = Prepared()
        arrange(cast(nn.ConvTranspose3d, plain[0]))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) to the layer's output, in channels-last layout."""
        deconv, norm, relu = cast(tuple[nn.ConvTranspose3d, nn.Module, nn.LeakyReLU], tuple(self))
        if not applies(x, deconv.weight):
            return super().forward(x)
        y = deconvolve(x.to(self.dtype), deconv, self.prepared)
        return _normalise(y.contiguous(memory_format=LAST), norm, relu)


def is_layer(module: nn.Module) -> TypeGuard[nn.Sequential]:
    """Whether `FastLayer` can take the place of this module.

    >>> from abplib.generators import layer
    >>> is_layer(layer(4, 4, 4, 2, 1, norm="none", slope=0.0)), is_layer(nn.Sequential())
    (True, False)
    """
    if not isinstance(module, nn.Sequential) or len(module) != 3:
        return False
    deconv, norm, relu = module
    return (
        isinstance(deconv, nn.ConvTranspose3d)
        and deconv.padding_mode == "zeros"
        and isinstance(norm, nn.BatchNorm3d | nn.InstanceNorm3d | nn.Identity)
        and isinstance(relu, nn.LeakyReLU)
        and relu.negative_slope >= 0
    )


def _normalise(x: Tensor, norm: nn.Module, relu: nn.LeakyReLU) -> Tensor:
    slope = relu.negative_slope
    if isinstance(norm, nn.InstanceNorm3d) and norm.affine and not norm.track_running_stats:
        return _NormReLU.apply(x, norm.weight, norm.bias, None, None, 0.0, norm.eps, slope, True)
    if isinstance(norm, nn.BatchNorm3d) and norm.training and norm.affine:
        if not getattr(norm, "update_statistics", True) or not norm.track_running_stats:
            mean = variance = None
            momentum = 0.0
        elif norm.momentum is None:  # a cumulative average: the plain form counts it
            return relu(norm(x))
        else:
            mean, variance, momentum = norm.running_mean, norm.running_var, norm.momentum
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked.add_(1)
        weights = norm.weight, norm.bias, mean, variance
        return _NormReLU.apply(x, *weights, momentum, norm.eps, slope, False)
    return F.leaky_relu(norm(x), slope)


class _NormReLU(torch.autograd.Function):
    """Batch normalisation and leaky ReLU; `apart` normalises each sequence by itself."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        running_mean: Tensor | None,
        running_variance: Tensor | None,
        momentum: float,
        eps: float,
        slope: float,
        apart: bool,
    ) -> Tensor:
        parts = x.split(1) if apart else (x,)
        y = torch.empty_like(x)
        statistics = weight.new_empty(2, len(parts), x.shape[1])
        running = (running_mean, running_variance)
        for part, out, mean, scale in zip(
            parts, y.split(1) if apart else (y,), *statistics, strict=True
        ):
            torch.native_batch_norm(
                part, weight, bias, *running, True, momentum, eps, out=(out, mean, scale)
            )
        F.leaky_relu_(y, slope)
        ctx.save_for_backward(x, weight, y, statistics)
        ctx.eps, ctx.slope, ctx.apart = eps, slope, apart
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, y, statistics = ctx.saved_tensors
        wanted = list(ctx.needs_input_grad[:3])
        # The sign of leaky ReLU's result tells which side of zero its input was.
        inner = ops.leaky_relu_backward(gradient.contiguous(memory_format=LAST), y, ctx.slope, True)
        count = len(x) if ctx.apart else 1
        parts = [
            ops.native_batch_norm_backward(
                g, part, weight, None, None, mean, scale, True, ctx.eps, wanted
            )
            for g, part, mean, scale in zip(
                inner.chunk(count), x.chunk(count), *statistics, strict=True
            )
        ]
        if count == 1:
            return *parts[0], *[None] * 6
        dx, dw, db = zip(*parts, strict=True)
        return (
            torch.cat(dx) if wanted[0] else None,
            torch.stack(dw).sum(0) if wanted[1] else None,
            torch.stack(db).sum(0) if wanted[2] else None,
            *[None] * 6,
        )
