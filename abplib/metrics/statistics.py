"""Statistics of a video, and how far those of two videos are apart."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from abplib.metrics.checks import as_clips, same_frames, same_shape

QUANTISATION = (2 / 255) ** 2 / 12  # variance of 8-bit rounding on [-1, 1]: power below it is noise


def diversity(a: Tensor, b: Tensor) -> float:
    """Mean absolute difference of two syntheses of one shape; 0 where the generator replays.

    Compare with `frame_difference` of real video, which is what unrelated frames differ by.

    >>> diversity(torch.zeros(3, 4, 8, 8), torch.full((3, 4, 8, 8), 0.25))
    0.25
    """
    same_shape(a, b)
    return (a.double() - b.double()).abs().mean().item()


def frame_difference(video: Tensor, gap: int | None = None) -> float:
    """Mean absolute difference over all pairs of frames of one clip at least `gap` frames apart.

    The counterpart of `diversity` in real video. `gap` is by default a quarter of the clip, rounded
    up. Raises ValueError unless 1 <= gap < T.

    >>> frame_difference(torch.tensor([0.0, 0.0, 1.0, 1.0]).reshape(1, 4, 1, 1), gap=2)
    1.0
    """
    clips = as_clips("video", video)
    length = clips.shape[2]
    gap = math.ceil(length / 4) if gap is None else gap
    if not 1 <= gap < length:
        raise ValueError(f"gap is {gap}; the video has {length} frames: use 1 to {length - 1}")
    total, pairs = 0.0, 0
    for lag in range(gap, length):
        difference = (clips[:, :, lag:] - clips[:, :, :-lag]).abs()
        total += difference.mean().item() * (length - lag)
        pairs += length - lag
    return total / pairs


def temporal_variance(video: Tensor) -> float:
    """Variance over time (divided by T), averaged over pixels, channels and clips.

    >>> temporal_variance(torch.tensor([-1.0, 1.0]).reshape(1, 2, 1, 1))
    1.0
    """
    return as_clips("video", video).var(2, correction=0).mean().item()


def temporal_variance_ratio(video: Tensor, reference: Tensor) -> float:
    """Temporal variance of a video over that of a reference: 1 is right, 0 a still picture.

    Raises ValueError where the reference does not move.

    >>> clip = torch.rand(3, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    >>> round(temporal_variance_ratio(clip / 2, clip), 4)
    0.25
    """
    variance = temporal_variance(reference)
    if variance < QUANTISATION:
        raise ValueError("the reference does not move, so its temporal variance is no measure")
    return temporal_variance(video) / variance


def radial_spectrum(video: Tensor) -> Tensor:
    """Power of the frames against spatial frequency, in dB: (K,), K = min(H, W) // 2.

    Each frame loses its mean and is multiplied by a Hann window; the power is averaged over
    directions, frames, channels and clips. Entry k is at (k + 1) / min(H, W) cycles a pixel. White
    noise of variance v has 10 log10(v) throughout; nothing falls below the rounding noise of 8 bits
    (-53 dB). Raises ValueError for frames under 4 pixels.

    >>> radial_spectrum(torch.zeros(3, 4, 8, 8)).round()
    tensor([-53., -53., -53., -53.], dtype=torch.float64)
    """
    clips = as_clips("video", video)
    height, width = clips.shape[-2:]
    side = min(height, width)
    if side < 4:
        raise ValueError(f"frames are {height} x {width}; a spectrum needs at least 4 x 4 pixels")
    rows = torch.hann_window(height, periodic=False, dtype=torch.float64)
    window = rows[:, None] * torch.hann_window(width, periodic=False, dtype=torch.float64)
    centred = clips - clips.mean((-2, -1), keepdim=True)
    power = torch.fft.rfft2(centred * window).abs().square().mean((0, 1, 2))
    power = power / window.square().sum()
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])
    ring = (radius * side).round().long()
    # rfft keeps half the plane: columns between the first and the Nyquist one stand for two.
    twice = torch.full((width // 2 + 1,), 2.0, dtype=torch.float64)
    twice[0] = 1
    if width % 2 == 0:
        twice[-1] = 1
    weight = twice.expand_as(power)
    rings = [ring == k for k in range(1, side // 2 + 1)]
    mean = torch.stack([(power * weight)[r].sum() / weight[r].sum() for r in rings])
    return 10 * torch.log10(mean + QUANTISATION)


def spectrum_distance(video: Tensor, reference: Tensor) -> float:
    """Root-mean-square difference of two spatial power spectra, in dB: blur, noise, wrong texture.

    >>> noise = torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> round(spectrum_distance(noise, 10 * noise), 2)  # ten times the size is 20 dB
    20.0
    """
    difference = radial_spectrum(video) - radial_spectrum(reference)
    return difference.square().mean().sqrt().item()


def temporal_autocorrelation(video: Tensor, lags: int | None = None) -> Tensor:
    """Correlation of each pixel with itself k frames later, pooled over pixels: (lags,), k = 1 ...

    Deviations are from each pixel's mean over the clip, so short clips read low: compare clips of
    one length. `lags` is by default T // 2. A still video has correlation 1 throughout. Raises
    ValueError unless 1 <= lags < T.

    >>> temporal_autocorrelation(torch.tensor([1.0, -1.0, 1.0, -1.0]).reshape(1, 4, 1, 1))
    tensor([-1.,  1.], dtype=torch.float64)
    """
    clips = as_clips("video", video)
    length = clips.shape[2]
    lags = length // 2 if lags is None else lags
    if not 1 <= lags < length:
        raise ValueError(f"lags is {lags}; the video has {length} frames: use 1 to {length - 1}")
    centred = clips - clips.mean(2, keepdim=True)
    variance = centred.square().mean()
    if variance < 1e-12:
        return torch.ones(lags, dtype=torch.float64)
    products = [(centred[:, :, k:] * centred[:, :, :-k]).mean() for k in range(1, lags + 1)]
    return torch.stack(products) / variance


def autocorrelation_distance(video: Tensor, reference: Tensor) -> float:
    """Root-mean-square difference of two temporal autocorrelations: wrong speed, jumps, stillness.

    Raises ValueError for videos of different lengths.

    >>> autocorrelation_distance(torch.zeros(1, 4, 2, 2), torch.ones(1, 4, 2, 2))
    0.0
    """
    if video.shape[-3] != reference.shape[-3]:
        raise ValueError(
            f"videos have {video.shape[-3]} and {reference.shape[-3]} frames; the autocorrelation "
            "of a short clip reads low: cut both to one length"
        )
    difference = temporal_autocorrelation(video) - temporal_autocorrelation(reference)
    return difference.square().mean().sqrt().item()


def nearest_frame_distance(video: Tensor, reference: Tensor) -> float:
    """Mean over frames of the mean absolute difference to the nearest frame of the reference.

    0 is a copy: a synthesis well below held-out video has memorised. Raises ValueError for frames
    of different sizes.

    >>> clip = torch.rand(3, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    >>> nearest_frame_distance(clip[:, 2:5], clip)
    0.0
    """
    a, b = (as_clips(name, v) for name, v in (("video", video), ("reference", reference)))
    same_frames(a, b)
    frames, others = (v.transpose(1, 2).flatten(0, 1).flatten(1) for v in (a, b))
    return (torch.cdist(frames, others, p=1).min(1).values / frames.shape[1]).mean().item()
