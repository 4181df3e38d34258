"""Where the fast forms apply, and the memory layout that they share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

LAST = torch.channels_last_3d


def applies(x: Tensor, weight: Tensor) -> bool:
    """Whether the fast forms may work on this: (N, C, T, H, W) and float32 weights on the CPU."""
    return (
        x.device.type == weight.device.type == "cpu"
        and x.dtype in (torch.float32, torch.bfloat16)  # bfloat16 is what a fast layer has made
        and weight.dtype == torch.float32
        and x.ndim == 5
        and min(x.shape) > 0
        and torch.backends.mkldnn.is_available()
        and not torch.is_autocast_enabled("cpu")
    )


def channels_last(layer: nn.Module) -> None:
    """Store a layer's weight with the output channels next to each other; its values stay."""
    weight = layer.weight
    if isinstance(weight, Tensor) and weight.device.type == "cpu":
        weight.data = weight.data.contiguous(memory_format=LAST)


def plain_backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
    """The backward pass of a deconvolution of (x, weight, anything), as the plain layer has it."""
    x, weight = ctx.saved_tensors
    wanted = [ctx.needs_input_grad[0], ctx.needs_input_grad[1], False]
    geometry = list(ctx.stride), list(ctx.padding), [1] * 3, True, [0] * 3, 1
    dx, dw, _ = torch.ops.aten.convolution_backward(gradient, x, weight, None, *geometry, wanted)
    return dx, dw, None
