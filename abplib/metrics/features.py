"""Random convolutional features of a video, and the Frechet distance of two sets of them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from abplib.metrics.checks import as_clips, same_frames

FIELD = 7  # pixels along one side of what one random feature sees, at each scale


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Squared Frechet distance of two sets of features (n, d), each taken as a Gaussian.

    |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)) with means m and covariances S (divided by n).
    Raises ValueError for wrong shapes and fewer than two samples.

    >>> a = torch.tensor([[-1.0], [1.0]])
    >>> round(frechet_distance(a, 3 * a + 2), 6)  # (0 - 2)^2 + (1 - 3)^2
    8.0
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"features have shapes {tuple(a.shape)} and {tuple(b.shape)}; expected (n, d) twice, "
            "the same d and at least two samples each"
        )
    a, b = a.double(), b.double()
    s_a, s_b = (torch.cov(x.T, correction=0).reshape(x.shape[1], -1) for x in (a, b))
    values, vectors = torch.linalg.eigh(s_a)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T  # symmetric square root of s_a
    cross = torch.linalg.eigvalsh(root @ s_b @ root).clamp_min(0).sqrt().sum()
    distance = (a.mean(0) - b.mean(0)).square().sum() + s_a.trace() + s_b.trace() - 2 * cross
    return max(0.0, distance.item())


def random_features(video: Tensor, seed: int = 0) -> list[Tensor]:
    """Random convolutional features of a video: (n, 32) at full and, if it fits, half resolution.

    Two space-time convolutions with a ReLU between and fixed random weights; all but four of the 32
    first filters sum to zero and see contrast, not brightness. Each place and time gives a sample,
    which sees 7 x 7 pixels of its scale in 5 frames. Nothing is learned or downloaded: the values
    mean something only beside others from the same seed. Raises ValueError for videos under 6
    frames or 7 pixels: they give a single sample or none.

    >>> [tuple(scale.shape) for scale in random_features(torch.zeros(3, 6, 16, 16))]
    [(50, 32), (2, 32)]
    """
    clips = as_clips("video", video).float()
    channels, length = clips.shape[1:3]
    if length < 6 or min(clips.shape[-2:]) < FIELD:
        raise ValueError(
            f"video has {length} frames of {clips.shape[-2]} x {clips.shape[-1]} pixels; random "
            f"features need at least 6 frames of {FIELD} x {FIELD}"
        )
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(32, channels, 3, 5, 5, generator=generator) * (2 / (channels * 75)) ** 0.5
    first[4:] -= first[4:].mean((2, 3, 4), keepdim=True)
    second = torch.randn(32, 32, 3, 3, 3, generator=generator) * (2 / (32 * 27)) ** 0.5
    scales: list[Tensor] = []
    while len(scales) < 2 and min(clips.shape[-2:]) >= FIELD:
        features = F.conv3d(F.relu(F.conv3d(clips, first)), second, stride=(1, 2, 2))
        scales.append(features.movedim(1, -1).flatten(0, -2))
        clips = F.avg_pool3d(clips, (1, 2, 2))
    return scales


def random_feature_distance(video: Tensor, reference: Tensor, seed: int = 0) -> float:
    """Frechet distance of random convolutional features, averaged over scales.

    Features are in units of their standard deviation in the reference, so that the brightest do not
    decide alone; the distance is divided by their number.
    Raises ValueError for videos too small (see `random_features`) or of different frame sizes.

    >>> clip = torch.rand(3, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> round(random_feature_distance(clip, clip), 6)
    0.0
    """
    same_frames(as_clips("video", video), as_clips("reference", reference))
    pairs = zip(random_features(video, seed), random_features(reference, seed), strict=True)
    distances = []
    for a, b in pairs:
        spread = b.std(0, correction=0)
        unit = spread.clamp_min(0.1 * spread.mean().item() + 1e-6)  # no feature counts for all
        distances.append(frechet_distance(a / unit, b / unit) / b.shape[1])
    return sum(distances) / len(distances)
