"""One layer of a generator: deconvolution, normalisation, (leaky) ReLU (section 4)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Norm = Literal["batch", "sequence", "none"]
Triple = tuple[int, int, int]


class BatchNorm(nn.BatchNorm3d):
    """Batch normalisation whose running statistics can be left alone.

    Twenty Langevin steps are twenty forward passes. They must not count as twenty updates of the
    running statistics, so `abplib.posterior.frozen` sets `update_statistics` to False meanwhile.
    """

    update_statistics = True

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not self.update_statistics:
            return F.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps)
        return super().forward(x)


class BatchNorm1d(nn.BatchNorm1d):
    """`BatchNorm` for sound, (N, C, T)."""

    update_statistics = True

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not self.update_statistics:
            return F.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps)
        return super().forward(x)


def layer(
    inputs: int,
    outputs: int,
    kernel: int | Triple,
    stride: int | Triple,
    padding: int | Triple,
    *,
    norm: Norm,
    slope: float,
) -> nn.Sequential:
    """Deconvolution, normalisation, (leaky) ReLU: one layer of section 4, all but the last."""
    norms: dict[str, Callable[[], nn.Module]] = {
        "batch": lambda: BatchNorm(outputs),
        "sequence": lambda: nn.InstanceNorm3d(outputs, affine=True),
        "none": nn.Identity,
    }
    if norm not in norms:
        raise ValueError(f"norm is {norm!r}; expected one of {', '.join(map(repr, norms))}")
    deconv = nn.ConvTranspose3d(inputs, outputs, kernel, stride, padding, bias=norm == "none")
    initialise(deconv, normalised=norm != "none", slope=slope)
    return nn.Sequential(deconv, norms[norm](), nn.LeakyReLU(slope))


def layer1d(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int,
    padding: int,
    *,
    norm: Norm,
    slope: float,
) -> nn.Sequential:
    """`layer` along time alone, for sound (N, C, T).

    A kernel of stride 1 is that of a first layer: its input is one step, so each output meets one
    tap.
    """
    norms: dict[str, Callable[[], nn.Module]] = {
        "batch": lambda: BatchNorm1d(outputs),
        "sequence": lambda: nn.InstanceNorm1d(outputs, affine=True),
        "none": nn.Identity,
    }
    if norm not in norms:
        raise ValueError(f"norm is {norm!r}; expected one of {', '.join(map(repr, norms))}")
    deconv = nn.ConvTranspose1d(inputs, outputs, kernel, stride, padding, bias=norm == "none")
    initialise(deconv, normalised=norm != "none", slope=slope)
    if stride == 1 and norm == "none":
        with torch.no_grad():
            deconv.weight.mul_(kernel**0.5)
    return nn.Sequential(deconv, norms[norm](), nn.LeakyReLU(slope))


def initialise(
    deconv: nn.ConvTranspose3d | nn.ConvTranspose1d, *, normalised: bool, slope: float
) -> None:
    """N(0, 0.02^2) where a normalisation follows; else He's variance, which keeps the scale."""
    reach = math.prod(-(-k // s) for k, s in zip(deconv.kernel_size, deconv.stride, strict=True))
    he = math.sqrt(2 / ((1 + slope**2) * deconv.in_channels * reach))
    nn.init.normal_(deconv.weight, 0.0, 0.02 if normalised else he)
    if deconv.bias is not None:
        nn.init.zeros_(deconv.bias)


def filters(paper: int, width: float) -> int:
    """A number of filters at a fraction of the paper's width, at least 4."""
    return max(4, round(paper * width))
