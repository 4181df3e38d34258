"""Fast forms of a generator's layers on the CPU, each tested equal to the plain one.

`accelerate` swaps a generator's layers, in place, for forms that compute the same numbers in less
time:

* `FastLayer`: deconvolution, normalisation and ReLU, the channels last in memory, which is how the
  convolution library works, and few passes over memory. Inside it, a deconvolution of few pixels
  by many weights, such as the 7 x 7 layer on its 4 x 4 plane, is rows of matrix products; so is a
  wide doubling layer where the matrix library is the faster one (`machine.full_width`). Weights
  are arranged for the library once for each version of them, not in each call; that takes memory
  for a second and a third copy of them.
* `ThinDeconvolution`: the last layer, which makes 3 colours out of 64 filters, with the tanh.
* `SoundDeconvolution`: the audio generator's last layer, which makes one channel of 128.
* `keep_memory`: the memory of large tensors is kept for the next step.

Where a fast form does not apply (GPU, float64, autocast, a layer of another kind), the plain one
runs by itself.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from abplib.kernels.layer import FastLayer, is_layer
from abplib.kernels.memory import keep_memory
from abplib.kernels.sound import SoundDeconvolution, is_sound
from abplib.kernels.thin import ThinDeconvolution, is_thin

__all__ = [
    "FastLayer",
    "SoundDeconvolution",
    "ThinDeconvolution",
    "accelerate",
    "is_layer",
    "is_sound",
    "is_thin",
    "keep_memory",
]

Generator = TypeVar("Generator", bound=nn.Module)


def accelerate(generator: Generator, dtype: torch.dtype = torch.float32) -> Generator:
    """Swap a generator's layers for their fast forms, in place, and return it.

    Parameters and state_dict stay as they are, so an optimiser or checkpoint made before still
    fits. Results agree to rounding, not bit for bit. It also calls `keep_memory`, which holds for
    the whole process; `keep_memory(False)` afterwards takes that back.

    Args:
        generator: any module; what has no fast form is left alone.
        dtype: torch.bfloat16 lets every fast layer work in 8 bits of mantissa, in a third to half
            of the time; weights, statistics and results stay float32. Gradients with respect to Z
            are then off by several per cent: for exploring, never for a result.

    Raises:
        ValueError: for another dtype.

    >>> from abplib import Model2
    >>> type(accelerate(Model2(width=1 / 32)).last).__name__
    'ThinDeconvolution'
    """
    if dtype not in (torch.float32, torch.bfloat16):
        raise ValueError(f"dtype is {dtype}; expected torch.float32 or torch.bfloat16")
    keep_memory()
    for name, child in generator.named_children():
        if isinstance(child, FastLayer | ThinDeconvolution):
            child.dtype = dtype
        elif is_layer(child):
            setattr(generator, name, FastLayer(child, dtype))
        elif is_thin(child):
            setattr(generator, name, ThinDeconvolution(child, dtype))
        elif is_sound(child) and not isinstance(child, SoundDeconvolution):
            setattr(generator, name, SoundDeconvolution(child))
        else:
            accelerate(child, dtype)
    return generator
