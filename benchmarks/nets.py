"""The networks that are timed, one Langevin step of each, and the work that it must do."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from abplib.generators import Model1, Model2, Model3, SpatialTemporalGenerator
from abplib.kernels.plane import meetings
from abplib.posterior import View, energy, frozen

SIZES = {"model-1": (64, 128, 128), "model-2": (64, 64, 64), "model-3": (32, 64, 64)}


class Printed(nn.Module):
    """Model-3's second layer as printed: 7 temporal taps, of which the last frames are cut."""

    def __init__(self, live: nn.ConvTranspose3d) -> None:
        super().__init__()
        self.frames = live.kernel_size[0]
        shape = live.in_channels, live.out_channels, 7
        self.deconv = nn.ConvTranspose3d(*shape, padding=(2, 3, 3), bias=False)
        self.deconv.weight.data[:, :, 2 : 2 + self.frames] = live.weight.data

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, 1, 4, 4) to (N, C, 2, 4, 4)."""
        return self.deconv(x)[:, :, : self.frames]


def build(name: str, width: float = 1.0, *, printed: bool = False) -> SpatialTemporalGenerator:
    """The paper's net of this name, with its padding, at a fraction of its width.

    Args:
        name: model-1, model-2 or model-3.
        width: multiplies the numbers of filters.
        printed: give Model-3 all 7 temporal taps of its second layer, dead ones included.
    """
    torch.manual_seed(0)
    if name == "model-1":
        return Model1(2, width=width, padding="same")
    if name == "model-2":
        return Model2(20, width=width, padding="same")
    network = Model3(width=width)
    if printed:
        network.top[1][0] = Printed(network.top[1][0])  # type: ignore[index]
    return network


def step(view: View, z: Tensor, naive: bool = False) -> Tensor:
    """The gradient of eq. 2 with respect to Z."""
    latent = z.clone().requires_grad_()
    if naive:
        view.generator.zero_grad(set_to_none=True)  # type: ignore[attr-defined]
        energy(latent, view).sum().backward()
        assert latent.grad is not None
        return latent.grad
    with frozen(view):
        return torch.autograd.grad(energy(latent, view).sum(), latent)[0]


def useful_by_layer(generator: nn.Module, z: Tensor) -> list[float]:
    """Operations that the mathematics of each deconvolution's forward pass needs.

    Each pair of an input and a tap that reaches an output counts 2 operations times input and
    output channels; products with padding or with cut outputs do not count.
    """
    found: list[float] = []

    def count(layer: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        shape, size = inputs[0].shape, output.shape[2:]
        pairs = 2.0 * len(inputs[0]) * layer.in_channels * layer.out_channels
        geometry = zip(layer.kernel_size, layer.stride, layer.padding, shape[2:], size, strict=True)
        for axis in geometry:
            pairs *= sum(read.stop - read.start for _, read, _ in meetings(*axis))
        found.append(pairs)

    deconvs = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose3d)]
    hooks = [m.register_forward_hook(count) for m in deconvs]
    with torch.no_grad(), frozen(generator):
        generator(z)
    for hook in hooks:
        hook.remove()
    return found


def useful_operations(generator: nn.Module, z: Tensor) -> float:
    """Operations of one forward pass that the mathematics needs; see `useful_by_layer`."""
    return sum(useful_by_layer(generator, z))
