"""Time a Langevin step of the audio generator at the paper's width, in several forms.

    python benchmarks/audio.py [--rounds N]

One-dimensional deconvolutions are quick in some forms and slow in others. The forms of one step,
that is of the gradient of eq. 2 with respect to Z for one sound of 48,000 samples:

* naive: loss.backward() through `nn.ConvTranspose1d`, weight gradients included;
* z-only: the same with the weights held still;
* as video: z-only, every layer as a deconvolution of (C, T, 1, 1), which computes the same;
* fast: z-only after `abplib.kernels.accelerate`, which is what the package ships.

All gradients are compared with the naive one first. One thread, the forms taking turns, medians of
processor time. `benchmarks/langevin.py` calls `time_audio` and keeps its rows.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from nets import step
from torch import Tensor, nn

from abplib.generators import AudioGenerator
from abplib.kernels import accelerate
from abplib.posterior import View

TOLERANCE = 5e-3  # of a float32 gradient; a ReLU may flip where its input is within rounding of 0


class AsVideo(nn.Module):
    """A deconvolution along time, written as one of a video of one pixel."""

    def __init__(self, plain: nn.ConvTranspose1d) -> None:
        super().__init__()
        shape = plain.in_channels, plain.out_channels
        kernel, stride, padding = plain.kernel_size[0], plain.stride[0], int(plain.padding[0])
        self.deconv = nn.ConvTranspose3d(
            *shape, (kernel, 1, 1), (stride, 1, 1), (padding, 0, 0), bias=plain.bias is not None
        )
        self.deconv.weight.data = plain.weight.data[..., None, None].clone()
        if plain.bias is not None and self.deconv.bias is not None:
            self.deconv.bias.data = plain.bias.data.clone()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T) to (N, outputs, T')."""
        return self.deconv(x[..., None, None])[..., 0, 0]


def as_video(module: nn.Module) -> nn.Module:
    """Swap every deconvolution along time, in place."""
    for name, child in module.named_children():
        if isinstance(child, nn.ConvTranspose1d):
            setattr(module, name, AsVideo(child))
        else:
            as_video(child)
    return module


def time_audio(rounds: int = 5) -> list[dict[str, Any]]:
    """One row a form: milliseconds, and times as fast as the naive and the z-only form."""
    torch.manual_seed(0)
    plain = AudioGenerator(100)
    forms = {
        "naive": plain,
        "z-only": plain,
        "as video": as_video(copy.deepcopy(plain)),
        "fast": accelerate(copy.deepcopy(plain)),
    }
    data = torch.rand(2, 1, 48000) - 0.5
    z = torch.randn(2, *plain.latent_shape(48000))  # two: batch statistics of one step need them
    views = {form: View(network, data) for form, network in forms.items()}
    tasks: dict[str, Callable[[], Tensor]] = {
        form: lambda f=form, v=view: step(v, z, f == "naive")  # type: ignore[misc]
        for form, view in views.items()
    }
    expected = tasks["naive"]()
    gaps = {f: float((t() - expected).norm() / expected.norm()) for f, t in tasks.items()}
    for form, gap in gaps.items():
        if gap > TOLERANCE:
            raise AssertionError(f"audio, {form}: gradient is {gap:.1e} off the naive one")
    seconds: dict[str, list[float]] = {form: [] for form in tasks}
    for turn in range(rounds + 1):
        for form, task in tasks.items():
            task()
            began = time.process_time()
            task()
            if turn:
                seconds[form].append(time.process_time() - began)
    median = {form: statistics.median(values) / len(z) for form, values in seconds.items()}
    return [
        {
            "model": "audio",
            "form": form,
            "dtype": "float32",
            "milliseconds": round(1e3 * value, 1),
            "speedup_over_naive": round(median["naive"] / value, 2),
            "speedup_over_z_only": round(median["z-only"] / value, 2),
            "gradient_error": float(f"{gaps[form]:.1e}"),
        }
        for form, value in median.items()
    ]


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    torch.set_num_threads(1)
    for row in time_audio(parser.parse_args().rounds):
        print(json.dumps(row))


if __name__ == "__main__":
    main()
