"""What ABP is compared with: the paper's baselines, and trivial ones that it leaves out."""

from __future__ import annotations

from abplib.baselines.cca import CCA
from abplib.baselines.framewise import Framewise, FramewiseSettings, VectorAutoregression
from abplib.baselines.gan import GAN, Discriminator, GANSettings
from abplib.baselines.heat_diffusion import heat_diffusion
from abplib.baselines.interpolation import linear_in_time, mean_frame, nearest_clip
from abplib.baselines.linear_dynamics import LinearDynamics

__all__ = [
    "CCA",
    "GAN",
    "Discriminator",
    "Framewise",
    "FramewiseSettings",
    "GANSettings",
    "LinearDynamics",
    "VectorAutoregression",
    "heat_diffusion",
    "linear_in_time",
    "mean_frame",
    "nearest_clip",
]
