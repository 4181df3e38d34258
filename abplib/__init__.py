"""abplib: learning video generators by alternating back-propagation.

The public names, by the paper's parts:

* eq. 1: `Model1`, `Model2`, `Model3`, `AudioGenerator`, `LinearGenerator`
* eq. 2: `View`, `energy`
* eq. 4: `langevin`, `curvature`, `stable_step`, `linear_posterior`, `DivergenceError`
* Algorithm 1: `ABP`, `Settings`, `synthesise`

and the modules `data`, `masks`, `metrics`, `presets`, `show`.
"""

from abplib.abp import ABP, Settings, synthesise
from abplib.generators import AudioGenerator, LinearGenerator, Model1, Model2, Model3
from abplib.langevin import (
    DivergenceError,
    curvature,
    langevin,
    linear_posterior,
    stable_step,
)
from abplib.posterior import View, energy

__version__ = "0.2.0"

__all__ = [
    "ABP",
    "AudioGenerator",
    "DivergenceError",
    "LinearGenerator",
    "Model1",
    "Model2",
    "Model3",
    "Settings",
    "View",
    "curvature",
    "energy",
    "langevin",
    "linear_posterior",
    "stable_step",
    "synthesise",
]
