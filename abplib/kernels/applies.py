"""Where the fast forms apply, and the memory layout that they share."""

from __future__ import annotations

from collections.abc import Sequence

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


def plain_gradients(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    of_x: bool,
    of_weight: bool,
) -> tuple[Tensor | None, Tensor | None]:
    """A deconvolution's gradients as the plain layer has them; they can be differentiated again."""
    geometry = list(stride), list(padding), [1] * 3, True, [0] * 3, 1
    dx, dw, _ = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, *geometry, [of_x, of_weight, False]
    )
    return dx, dw
