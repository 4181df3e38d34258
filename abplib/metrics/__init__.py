"""Measures of reconstruction, recovery and synthesis, on pixels in [-1, 1].

A video is one clip (C, T, H, W) or a batch of clips (N, C, T, H, W). Reconstruction and recovery
have a truth to compare with. Synthesis has none: `fidelity` compares its statistics with those of
the training clip and sets each measure beside its value for real, held-out video. Read all of them
together, and `diversity` with them: a generator that replays its clip scores well on most.
"""

from __future__ import annotations

from abplib.metrics.errors import (
    mean_frame_psnr,
    psnr,
    recovery_error,
)
from abplib.metrics.features import (
    frechet_distance,
    random_feature_distance,
    random_features,
)
from abplib.metrics.report import (
    fidelity,
)
from abplib.metrics.statistics import (
    QUANTISATION,
    autocorrelation_distance,
    diversity,
    frame_difference,
    nearest_frame_distance,
    radial_spectrum,
    spectrum_distance,
    temporal_autocorrelation,
    temporal_variance,
    temporal_variance_ratio,
)

__all__ = [
    "QUANTISATION",
    "autocorrelation_distance",
    "diversity",
    "fidelity",
    "frame_difference",
    "frechet_distance",
    "mean_frame_psnr",
    "nearest_frame_distance",
    "psnr",
    "radial_spectrum",
    "random_feature_distance",
    "random_features",
    "recovery_error",
    "spectrum_distance",
    "temporal_autocorrelation",
    "temporal_variance",
    "temporal_variance_ratio",
]
