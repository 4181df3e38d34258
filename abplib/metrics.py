"""Measures of reconstruction, recovery and synthesis, on pixels in [-1, 1].

A video is one clip (C, T, H, W) or a batch of clips (N, C, T, H, W). Reconstruction and recovery
have a truth to compare with. Synthesis has none: `fidelity` compares its statistics with those of
the training clip and sets each measure beside its value for real, held-out video. Read all of them
together, and `diversity` with them: a generator that replays its clip scores well on most.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

QUANTISATION = (2 / 255) ** 2 / 12  # variance of 8-bit rounding on [-1, 1]: power below it is noise
FIELD = 7  # pixels along one side of what one random feature sees, at each scale


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(2^2 / MSE): the range [-1, 1] has peak 2.

    `a` and `b` have one shape; the result is infinite where they are equal. Raises ValueError for
    shapes that differ and values that are not finite.

    >>> round(psnr(torch.zeros(4), torch.full((4,), 0.2)), 6)
    20.0
    """
    _same_shape(a, b)
    error = (a.double() - b.double()).square().mean().item()
    return math.inf if error == 0 else 10 * math.log10(4 / error)


def recovery_error(recovered: Tensor, truth: Tensor, observed: Tensor) -> float:
    """Mean absolute error over the hidden pixels alone (section 4.2), on the [-1, 1] scale.

    `recovered` and `truth` are (N, C, T, H, W); `observed` is bool, broadcastable to them. Raises
    ValueError where shapes or dtype do not fit, and where nothing is hidden.

    >>> observed = torch.tensor([True, False])
    >>> recovery_error(torch.tensor([9.0, 0.5]), torch.zeros(2), observed)
    0.5
    """
    _same_shape(recovered, truth)
    if observed.dtype != torch.bool:
        raise ValueError(f"observed is {observed.dtype}; expected bool, True = observed")
    try:
        hidden = ~observed.expand_as(truth)
    except RuntimeError as error:
        raise ValueError(
            f"observed has shape {tuple(observed.shape)}, which does not broadcast to the video's "
            f"{tuple(truth.shape)}"
        ) from error
    if not hidden.any():
        raise ValueError("nothing is hidden, so there is no recovery to measure: check the mask")
    return (recovered.double() - truth.double()).abs()[hidden].mean().item()


def mean_frame_psnr(video: Tensor) -> float:
    """PSNR in dB of each clip's mean frame, repeated, against the clip: the floor to beat.

    >>> round(mean_frame_psnr(torch.tensor([-0.2, 0.2]).reshape(1, 2, 1, 1)), 4)
    20.0
    """
    clips = _clips("video", video)
    return psnr(clips.mean(2, keepdim=True).expand_as(clips), clips)


def diversity(a: Tensor, b: Tensor) -> float:
    """Mean absolute difference of two syntheses of one shape; 0 where the generator replays.

    Compare with `frame_difference` of real video, which is what unrelated frames differ by.

    >>> diversity(torch.zeros(3, 4, 8, 8), torch.full((3, 4, 8, 8), 0.25))
    0.25
    """
    _same_shape(a, b)
    return (a.double() - b.double()).abs().mean().item()


def frame_difference(video: Tensor, gap: int | None = None) -> float:
    """Mean absolute difference over all pairs of frames of one clip at least `gap` frames apart.

    The counterpart of `diversity` in real video. `gap` is by default a quarter of the clip, rounded
    up. Raises ValueError unless 1 <= gap < T.

    >>> frame_difference(torch.tensor([0.0, 0.0, 1.0, 1.0]).reshape(1, 4, 1, 1), gap=2)
    1.0
    """
    clips = _clips("video", video)
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
    return _clips("video", video).var(2, correction=0).mean().item()


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
    clips = _clips("video", video)
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
    clips = _clips("video", video)
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
    a, b = (_clips(name, v) for name, v in (("video", video), ("reference", reference)))
    _same_frames(a, b)
    frames, others = (v.transpose(1, 2).flatten(0, 1).flatten(1) for v in (a, b))
    return (torch.cdist(frames, others, p=1).min(1).values / frames.shape[1]).mean().item()


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
    clips = _clips("video", video).float()
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
    _same_frames(_clips("video", video), _clips("reference", reference))
    pairs = zip(random_features(video, seed), random_features(reference, seed), strict=True)
    distances = []
    for a, b in pairs:
        spread = b.std(0, correction=0)
        unit = spread.clamp_min(0.1 * spread.mean().item() + 1e-6)  # no feature counts for all
        distances.append(frechet_distance(a / unit, b / unit) / b.shape[1])
    return sum(distances) / len(distances)


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
    videos = {"synthesis": _clips("synthesis", synthesis), "held_out": _clips("held_out", held_out)}
    train = _clips("reference", reference)
    for video in videos.values():
        _same_frames(video, train)
    length = min(video.shape[2] for video in (*videos.values(), train))
    count = min(len(video) for video in videos.values())
    cut = torch.cat(_cut(train, length))
    measures = {
        "random_feature_distance": lambda v: random_feature_distance(v, train),
        "spectrum_distance": lambda v: spectrum_distance(v, train),
        "autocorrelation_distance": lambda v: autocorrelation_distance(v, cut),
        "temporal_variance_ratio": lambda v: temporal_variance_ratio(v, cut),
        "nearest_frame_distance": lambda v: nearest_frame_distance(v, train),
    }
    windows = {name: _cut(video[:count], length) for name, video in videos.items()}
    return {
        measure: {
            name: sum(score(window) for window in parts) / len(parts)
            for name, parts in windows.items()
        }
        for measure, score in measures.items()
    }


def _clips(name: str, video: Tensor) -> Tensor:
    """Checked, as float64 (N, C, T, H, W)."""
    if video.ndim not in (4, 5) or 0 in video.shape:
        raise ValueError(
            f"{name} has shape {tuple(video.shape)}; expected (C, T, H, W) or (N, C, T, H, W)"
        )
    if not video.is_floating_point() or not torch.isfinite(video).all():
        raise ValueError(f"{name} is {video.dtype} or not finite; expected finite floating point")
    return (video if video.ndim == 5 else video[None]).detach().cpu().double()


def _cut(clips: Tensor, length: int) -> list[Tensor]:
    """Windows (N, C, length, H, W) that do not overlap, spread evenly over the clips' time."""
    count = clips.shape[2] // length
    spare = clips.shape[2] - count * length
    offsets = [k * length + (spare * k // (count - 1) if count > 1 else 0) for k in range(count)]
    return [clips[:, :, offset : offset + length] for offset in offsets]


def _same_frames(a: Tensor, b: Tensor) -> None:
    if (a.shape[1], *a.shape[3:]) != (b.shape[1], *b.shape[3:]):
        raise ValueError(
            f"videos have shapes {tuple(a.shape)} and {tuple(b.shape)} (N, C, T, H, W); expected "
            "the same channels, height and width"
        )


def _same_shape(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise ValueError(
            f"shapes differ: {tuple(a.shape)} and {tuple(b.shape)}; expected one shape"
        )
    if not (torch.isfinite(a).all() and torch.isfinite(b).all()):
        raise ValueError("values are not finite (NaN or infinity): there is nothing to measure")
