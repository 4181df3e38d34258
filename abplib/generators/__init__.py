"""Equation 1: the top-down networks G(Z; W) that turn latent factors into video.

    I = G(Z; W) + noise,   Z_k ~ N(0, 1),   noise ~ N(0, sigma^2)                     (eq. 1)

Three spatial-temporal generators, one for each kind of stationarity (section 3.1), one for sound
(section 3.5), and a linear one, with which the whole method can be checked against closed forms.

Videos are (N, C, T, H, W), latents (N, d, T0, H0, W0). The last four layers each double time,
height and width, so one latent step spans 16 frames or 16 pixels.

Padding decides what the network knows about absolute position:

* ``"same"`` (the paper) surrounds every layer with zeros. The ends then differ from the middle, so
  the network can tell what time it is, and can replay its clip.
* ``"valid"`` gives the latent a margin and keeps only the outputs that no such zero has touched.
  A shift of the latent then shifts the video and does nothing else: that is stationarity.
"""

from abplib.generators.audio import AudioGenerator
from abplib.generators.layers import (
    BatchNorm,
    BatchNorm1d,
    Norm,
    Triple,
    filters,
    initialise,
    layer,
    layer1d,
)
from abplib.generators.linear import LinearGenerator
from abplib.generators.models import Model1, Model2, Model3
from abplib.generators.spatial_temporal import Padding, Shape4, SpatialTemporalGenerator

__all__ = [
    "AudioGenerator",
    "BatchNorm",
    "BatchNorm1d",
    "LinearGenerator",
    "Model1",
    "Model2",
    "Model3",
    "Norm",
    "Padding",
    "Shape4",
    "SpatialTemporalGenerator",
    "Triple",
    "filters",
    "initialise",
    "layer",
    "layer1d",
]
