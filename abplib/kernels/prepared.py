"""Weights as the libraries want them, made once for each version of a weight.

A convolution library rearranges the weights of every call into blocks of its own, forward and
backward. During a chain the weights are held still, so that once is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from abplib.kernels.applies import LAST

Made = TypeVar("Made")
Triple = tuple[int, int, int]

NOTHING: tuple[Any, ...] = ("none", [], "")  # is applied to the result
SAMPLES = 64  # values of a weight that are looked at, should it have been changed unseen


class Prepared:
    """Forms of one weight, by name. A copy of the layer starts without any.

    >>> weight, forms = torch.zeros(2), Prepared()
    >>> [int(forms.get("sum", weight, lambda: weight.sum())) for weight[0] in (1, 2)]
    [1, 2]
    """

    def __init__(self) -> None:
        self._made: dict[str, tuple[Any, Any]] = {}

    def get(self, name: str, weight: Tensor, make: Callable[[], Made], *place: Any) -> Made:
        """The form of this name; made anew if the weight or its place (sizes) is another one."""
        state = *_state(weight), place
        if name not in self._made or self._made[name][0] != state:
            with torch.no_grad():
                self._made[name] = state, make()
        return self._made[name][1]

    def uses(self, name: str, weight: Tensor) -> int:
        """How often this version of the weight was asked about by this name, this time included."""
        state = _state(weight)
        before, count = self._made.get(name, (None, 0))
        count = count + 1 if before == state else 1
        self._made[name] = state, count
        return count

    def __deepcopy__(self, memo: dict[int, Any]) -> Prepared:
        return Prepared()

    def __getstate__(self) -> dict[str, Any]:
        return {"_made": {}}


def forward_blocks(x: Tensor, weight: Tensor, stride: Triple, padding: Triple) -> Tensor:
    """A deconvolution's weight in the library's blocks, for `packed_deconvolution`."""
    place = list(padding), [0] * 3, list(stride), [1] * 3, 1, list(x.shape)
    return torch.ops.mkldnn._reorder_convolution_transpose_weight(weight, *place)


def backward_blocks(gradient: Tensor, weight: Tensor, stride: Triple, padding: Triple) -> Tensor:
    """The same for `packed_gradient`."""
    place = list(padding), list(stride), [1] * 3, 1, list(gradient.shape)
    return torch.ops.mkldnn._reorder_convolution_weight(weight, *place)


def packed_deconvolution(x: Tensor, blocks: Tensor, stride: Triple, padding: Triple) -> Tensor:
    """The deconvolution of x, channels last in memory, without bias."""
    place = list(padding), [0] * 3, list(stride), [1] * 3, 1
    made = torch.ops.mkldnn._convolution_transpose_pointwise(
        x, blocks, None, *place, "none", [], ""
    )
    return made.contiguous(memory_format=LAST)


def packed_gradient(gradient: Tensor, blocks: Tensor, stride: Triple, padding: Triple) -> Tensor:
    """The gradient with respect to a deconvolution's input: a convolution of the other one."""
    place = list(padding), list(stride), [1] * 3, 1
    made = torch.ops.mkldnn._convolution_pointwise(gradient, blocks, None, *place, *NOTHING)
    return made.contiguous(memory_format=LAST)


def packs(dtype: torch.dtype) -> bool:
    """Whether this PyTorch, on this processor, offers the library's blocks for this dtype."""
    offered = torch.backends.mkldnn.is_available() and all(
        hasattr(torch.ops.mkldnn, name)
        for name in (
            "_reorder_convolution_transpose_weight",
            "_reorder_convolution_weight",
            "_convolution_transpose_pointwise",
            "_convolution_pointwise",
        )
    )
    if not offered or dtype == torch.float32:
        return offered
    return dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _state(weight: Tensor) -> tuple[Any, ...]:
    """What tells one version of a weight from another."""
    values = weight.detach().flatten() if weight.is_contiguous() else _as_stored(weight)
    sample = values[:: max(1, len(values) // SAMPLES)].tolist()
    return weight._version, weight.data_ptr(), weight.stride(), sample


def _as_stored(weight: Tensor) -> Tensor:
    """A dense weight's values in the order in which they lie in memory, without a copy."""
    order = sorted(range(weight.ndim), key=weight.stride, reverse=True)
    return weight.detach().permute(order).flatten()
