"""What the paper compares with: a linear dynamical system, frame-wise ABP, and a 3D GAN."""

from __future__ import annotations

from abplib.baselines.framewise import Framewise, FramewiseSettings, VectorAutoregression
from abplib.baselines.gan import GAN, Discriminator, GANSettings
from abplib.baselines.linear_dynamics import LinearDynamics

__all__ = [
    "GAN",
    "Discriminator",
    "Framewise",
    "FramewiseSettings",
    "GANSettings",
    "LinearDynamics",
    "VectorAutoregression",
]
