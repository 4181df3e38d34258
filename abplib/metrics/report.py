"""Measures of a synthesis, each beside its value for real, held-out video."""

from __future__ import annotations

import torch
from torch import Tensor

from abplib.metrics.checks import as_clips, cut_windows, same_frames
from abplib.metrics.features import random_feature_distance
from abplib.metrics.statistics import (
    autocorrelation_distance,
    nearest_frame_distance,
    spectrum_distance,
    temporal_variance_ratio,
)


def fidelity(synthesis: Tensor, held_out: Tensor, reference: Tensor) -> dict[str, dict[str, float]]:
    """Set measures of a synthesis beside those of held-out real video, both against training video.

    Returns, for each measure, {"synthesis": value, "held_out": value}; a good synthesis comes close
    to the held-out value, from whichever side. The videos may differ in length. So that none gains
    by its length, the synthesis and the held-out video are cut to windows of the common (shortest)
    length, which are measured one by one and averaged. Measures that depend on length see the
    reference cut in the same way; the others see all of it. Of two batches (N, C, T, H, W), as many
    clips are measured, together, as the smaller one has.

    Raises ValueError for frames of different sizes, under 7 pixels or under 6 frames, values that
    are not finite, and a reference that does not move.

    >>> clip = torch.rand(3, 40, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> fidelity(clip[:, :10], clip[:, 32:], clip[:, :20])["nearest_frame_distance"]["synthesis"]
    0.0
    """
    videos = {
        "synthesis": as_clips("synthesis", synthesis),
        "held_out": as_clips("held_out", held_out),
    }
    train = as_clips("reference", reference)
    for video in videos.values():
        same_frames(video, train)
    length = min(video.shape[2] for video in (*videos.values(), train))
    count = min(len(video) for video in videos.values())
    cut = torch.cat(cut_windows(train, length))
    measures = {
        "random_feature_distance": lambda v: random_feature_distance(v, train),
        "spectrum_distance": lambda v: spectrum_distance(v, train),
        "autocorrelation_distance": lambda v: autocorrelation_distance(v, cut),
        "temporal_variance_ratio": lambda v: temporal_variance_ratio(v, cut),
        "nearest_frame_distance": lambda v: nearest_frame_distance(v, train),
    }
    windows = {name: cut_windows(video[:count], length) for name, video in videos.items()}
    return {
        measure: {
            name: sum(score(window) for window in parts) / len(parts)
            for name, parts in windows.items()
        }
        for measure, score in measures.items()
    }
