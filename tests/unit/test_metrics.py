"""Measures: known answers, directions, and fairness between clips of different lengths."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from abplib import metrics
from abplib.metrics import fidelity
from abplib.metrics.checks import cut_windows

MEASURES = {
    "random_feature_distance",
    "spectrum_distance",
    "autocorrelation_distance",
    "temporal_variance_ratio",
    "nearest_frame_distance",
}


def texture(frames: int, seed: int, size: int = 32) -> Tensor:
    """A stationary random texture: white noise smoothed in space and time, (3, T, size, size)."""
    generator = torch.Generator().manual_seed(seed)
    field = torch.randn(1, 3, frames + 8, size + 4, size + 4, generator=generator)
    field = F.avg_pool3d(field, (9, 5, 5), stride=1)[0]
    return (4 * field).clamp(-1, 1)


def blurred(video: Tensor, width: int) -> Tensor:
    pooled = F.avg_pool2d(video.transpose(0, 1), width, 1, width // 2, count_include_pad=False)
    return pooled.transpose(0, 1)


def shuffled(video: Tensor) -> Tensor:
    order = torch.randperm(video.shape[1], generator=torch.Generator().manual_seed(0))
    return video[:, order]


# Reconstruction and recovery ---------------------------------------------------------------------


@pytest.mark.parametrize(("error", "decibel"), [(2.0, 0.0), (0.2, 20.0), (0.02, 40.0)])
def test_psnr_has_peak_two(error, decibel):
    a = torch.full((3, 4, 8, 8), -1.0)
    # The error itself is a float32 sum, good to 1e-7 of 2: under 1e-4 dB at an error of 0.02.
    assert metrics.psnr(a, a + error) == pytest.approx(decibel, abs=1e-4)


def test_psnr_of_equals_is_infinite():
    a = texture(6, 0)
    assert metrics.psnr(a, a.clone()) == math.inf


def test_recovery_error_counts_hidden_pixels_only():
    truth = torch.zeros(1, 3, 2, 2, 2)
    observed = torch.ones(1, 1, 2, 2, 2, dtype=torch.bool)
    observed[0, 0, 1, 0, 0] = False
    recovered = torch.full_like(truth, 7.0)
    recovered[:, :, 1, 0, 0] = torch.tensor([0.25, -0.5, 0.75])
    assert metrics.recovery_error(recovered, truth, observed) == 0.5  # exact in binary
    assert metrics.recovery_error(truth, truth, observed) == 0


def test_recovery_error_refusals():
    video = torch.zeros(1, 3, 2, 2, 2)
    with pytest.raises(ValueError, match="nothing is hidden"):
        metrics.recovery_error(video, video, torch.ones(1, 1, 2, 2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="expected bool"):
        metrics.recovery_error(video, video, torch.zeros(1, 1, 2, 2, 2))
    with pytest.raises(ValueError, match="does not broadcast"):
        metrics.recovery_error(video, video, torch.zeros(1, 1, 3, 2, 2, dtype=torch.bool))


def test_mean_frame_psnr_is_the_psnr_of_the_repeated_mean():
    clip = texture(8, 0)
    mean = clip.double().mean(1, keepdim=True).expand_as(clip)
    # The same arithmetic in float64.
    assert metrics.mean_frame_psnr(clip) == pytest.approx(metrics.psnr(mean, clip), abs=1e-9)
    # Deviations of +-0.2 about the mean: 10 log10(4 / 0.04) = 20 dB, to float32's rounding of 0.2.
    swing = torch.tensor([-0.2, 0.2]).reshape(1, 2, 1, 1).expand(3, 2, 4, 4)
    assert metrics.mean_frame_psnr(swing) == pytest.approx(20, abs=1e-5)
    batch = torch.stack([swing, swing + 0.5])
    # Every clip has a mean frame of its own.
    assert metrics.mean_frame_psnr(batch) == pytest.approx(20, abs=1e-5)


# Variety and motion ------------------------------------------------------------------------------


def test_diversity():
    a = texture(6, 0)
    assert metrics.diversity(a, a) == 0
    # A shift by an eighth is exact but for float32 rounding of the sum.
    assert metrics.diversity(a, a + 0.125) == pytest.approx(0.125, abs=1e-6)


def test_frame_difference_is_the_mean_over_far_pairs():
    clip = texture(9, 0)
    gap = 3  # a quarter of nine frames, rounded up
    pairs = [
        (clip[:, s] - clip[:, t]).abs().mean().item() for s in range(9) for t in range(s + gap, 9)
    ]
    # The plain double loop in float32 against float64.
    expected = sum(pairs) / len(pairs)
    assert metrics.frame_difference(clip) == pytest.approx(expected, rel=1e-5)
    assert metrics.frame_difference(clip, gap=3) == metrics.frame_difference(clip)
    assert metrics.frame_difference(clip, gap=1) < metrics.frame_difference(clip)


def test_frame_difference_is_the_diversity_of_unrelated_clips():
    long = texture(128, 0)
    unrelated = metrics.diversity(texture(128, 1), texture(128, 2))
    # Beyond nine frames the texture is independent of itself. Each mean is over some 14
    # independent times and 40 places in 3 colours: a few per cent of sampling error.
    assert metrics.frame_difference(long) == pytest.approx(unrelated, rel=0.05)


@pytest.mark.parametrize("gap", [0, 4, -1])
def test_frame_difference_refuses_a_gap_outside_the_clip(gap):
    with pytest.raises(ValueError, match="the video has 4 frames: use 1 to 3"):
        metrics.frame_difference(torch.zeros(1, 4, 2, 2), gap=gap)


def test_temporal_variance():
    still = texture(1, 0).expand(-1, 10, -1, -1)
    # A mean of ten equal float64 numbers may round in the last digit.
    assert metrics.temporal_variance(still) < 1e-20
    t = torch.arange(16) * 2 * math.pi / 16
    wave = 0.5 * torch.sin(t).reshape(1, 16, 1, 1).expand(3, 16, 4, 4)
    # A sine over a whole period has half its squared amplitude; the input is float32.
    assert metrics.temporal_variance(wave) == pytest.approx(0.125, rel=1e-6)
    assert metrics.temporal_variance_ratio(2 * wave, wave) == pytest.approx(4, rel=1e-6)
    with pytest.raises(ValueError, match="does not move"):
        metrics.temporal_variance_ratio(wave, still)


# Spectrum ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 31), (24, 48)])
def test_white_noise_has_a_flat_spectrum_at_its_variance(height, width):
    generator = torch.Generator().manual_seed(0)
    noise = 0.1 * torch.randn(3, 100, height, width, generator=generator)
    spectrum = metrics.radial_spectrum(noise)
    assert spectrum.shape == (min(height, width) // 2,)
    # 300 pictures and at least four independent waves in a ring: a relative error of 1/sqrt(1200)
    # = 3%, 0.13 dB; allow about four of them. The lowest ring also loses power with the mean.
    assert (spectrum[1:] + 20).abs().max() < 0.5


def test_a_wave_peaks_at_its_own_frequency():
    x = torch.arange(32)
    for cycles in (4, 9):
        wave = torch.cos(2 * math.pi * cycles * x / 32).expand(1, 2, 32, 32)
        for video in (wave, wave.transpose(-2, -1)):
            assert int(metrics.radial_spectrum(video).argmax()) + 1 == cycles


@pytest.mark.parametrize(("height", "width"), [(16, 16), (15, 21)])
def test_spectrum_equals_ring_means_over_the_whole_plane(height, width):
    clip = texture(6, 0)[:, :, :height, :width].double()
    window = torch.hann_window(height, False).double()[:, None] * torch.hann_window(width, False)
    centred = clip - clip.mean((-2, -1), keepdim=True)
    power = torch.fft.fft2(centred * window).abs().square().mean((0, 1)) / window.square().sum()
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)[None])
    ring = (radius * min(height, width)).round()
    means = torch.stack([power[ring == k].mean() for k in range(1, min(height, width) // 2 + 1)])
    # The windows differ in precision (float32 here): 1e-7 of the power, far below 1e-4 dB.
    torch.testing.assert_close(
        metrics.radial_spectrum(clip),
        10 * torch.log10(means + metrics.QUANTISATION),
        rtol=0,
        atol=1e-4,
    )


def test_spectrum_distance_grows_with_blur_and_ignores_order():
    clip = texture(20, 0)
    assert metrics.spectrum_distance(clip, clip) == 0
    by_width = [metrics.spectrum_distance(blurred(clip, width), clip) for width in (3, 5, 7)]
    assert 1 < by_width[0] < by_width[1] < by_width[2]  # a decibel is plainly above sampling noise
    # The same frames in another order: only the order of float64 sums differs.
    assert metrics.spectrum_distance(shuffled(clip), clip) < 1e-9


def test_spectrum_ignores_differences_below_eight_bits():
    still = torch.zeros(1, 4, 16, 16)
    generator = torch.Generator().manual_seed(0)
    faint = 1e-5 * torch.randn(1, 4, 16, 16, generator=generator)
    # Power 1e-10 over a floor of 5.1e-6 is 1e-4 dB; rings may exceed the mean a few times over.
    assert metrics.spectrum_distance(faint, still) < 1e-3


def test_spectrum_refuses_tiny_frames():
    with pytest.raises(ValueError, match="at least 4 x 4"):
        metrics.radial_spectrum(torch.zeros(1, 4, 3, 8))


# Time --------------------------------------------------------------------------------------------


def test_autocorrelation_of_a_wave_and_of_noise():
    t = torch.arange(400)
    wave = torch.cos(2 * math.pi * t / 20).reshape(1, 400, 1, 1)
    found = metrics.temporal_autocorrelation(wave, lags=20)
    expected = torch.cos(2 * math.pi * torch.arange(1, 21) / 20).double()
    # A sum over part of a period leaves at most 1 / ((T - k) sin(pi / 10)) = 0.85% at lag 20.
    torch.testing.assert_close(found, expected, rtol=0, atol=0.01)
    noise = torch.randn(1, 400, 10, 10, generator=torch.Generator().manual_seed(0))
    # 40,000 products: standard deviation 0.005, and a bias of -1/400 from the mean.
    assert metrics.temporal_autocorrelation(noise, lags=5).abs().max() < 0.03


def test_autocorrelation_detects_shuffled_frames_and_stillness():
    clip, other = texture(60, 0), texture(60, 1)
    real = metrics.autocorrelation_distance(other, clip)
    assert metrics.autocorrelation_distance(clip, clip) == 0
    # The smoothed texture has correlation (9 - k) / 9 at lag k, which shuffling removes: a
    # distance of sqrt(sum_k ((9 - k) / 9)^2 / 30) = 0.29 over 30 lags.
    assert metrics.autocorrelation_distance(shuffled(clip), clip) == pytest.approx(0.29, abs=0.06)
    assert real < 0.1
    still = clip[:, :1].expand_as(clip)
    assert metrics.autocorrelation_distance(still, clip) > 0.7  # 1 against about 0 at most lags


def test_autocorrelation_refusals():
    with pytest.raises(ValueError, match="8 and 6 frames"):
        metrics.autocorrelation_distance(torch.zeros(1, 8, 2, 2), torch.zeros(1, 6, 2, 2))
    for lags in (0, 8):
        with pytest.raises(ValueError, match="use 1 to 7"):
            metrics.temporal_autocorrelation(torch.zeros(1, 8, 2, 2), lags=lags)


# Copies ------------------------------------------------------------------------------------------


def test_a_copy_is_at_distance_zero_whatever_its_order():
    clip = texture(12, 0)
    assert metrics.nearest_frame_distance(shuffled(clip)[:, :5], clip) == 0
    assert metrics.nearest_frame_distance(texture(12, 1), clip) > 0.1


def test_nearest_frame_is_the_minimum_over_all_frames():
    clip = torch.tensor([0.0, 0.5, 1.0]).reshape(1, 3, 1, 1).expand(1, 3, 4, 4)
    video = torch.tensor([0.125, 0.75]).reshape(1, 2, 1, 1).expand(1, 2, 4, 4)
    # Nearest to 0 by 0.125, and between 0.5 and 1 by 0.25: exact in binary.
    assert metrics.nearest_frame_distance(video, clip) == 0.1875


# Frechet -----------------------------------------------------------------------------------------


def gaussian(mean: Tensor, factor: Tensor, count: int = 50) -> Tensor:
    """Samples with exactly this mean and covariance factor factor^T (divided by n)."""
    raw = torch.randn(count, len(mean), generator=torch.Generator().manual_seed(0)).double()
    raw = raw - raw.mean(0)
    white = raw @ torch.linalg.inv(torch.linalg.cholesky(raw.T @ raw / count)).T
    return white @ factor.double().T + mean.double()


def test_frechet_distance_in_closed_form():
    # Diagonal covariances commute: |m|^2 + sum (s_a - s_b)^2 = 25 + 1 + 9 + 0.
    a = gaussian(torch.zeros(3), torch.diag(torch.tensor([1.0, 2.0, 3.0])))
    b = gaussian(torch.tensor([3.0, 4.0, 0.0]), torch.diag(torch.tensor([2.0, 5.0, 3.0])))
    # Samples have these moments to float64 rounding; square roots of eigenvalues halve the digits.
    assert metrics.frechet_distance(a, b) == pytest.approx(35, abs=1e-6)
    assert metrics.frechet_distance(b, a) == pytest.approx(35, abs=1e-6)


def test_frechet_distance_of_rotated_covariances():
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    stretch = torch.diag(torch.tensor([3.0, 1.0]))
    a, b = gaussian(torch.zeros(2), stretch), gaussian(torch.zeros(2), turn @ stretch)
    # For 2 x 2 matrices tr (AB)^(1/2) = sqrt(tr AB + 2 sqrt(det AB)). With A = diag(9, 1) and
    # B = R A R^T: tr AB = 0.36 (81 + 1) + 0.64 (9 + 9) = 41.04 and det AB = 81.
    expected = 20 - 2 * math.sqrt(41.04 + 18)
    # The factor is float32: 1e-7 of 20.
    assert metrics.frechet_distance(a, b) == pytest.approx(expected, abs=1e-5)


def test_frechet_distance_with_fewer_samples_than_dimensions():
    a = torch.randn(5, 20, generator=torch.Generator().manual_seed(0)).double()
    # Rank 4 in 20 dimensions: null eigenvalues of about 1e-16 have roots of 1e-8, twenty of them.
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-5)
    assert metrics.frechet_distance(a, a + 1) == pytest.approx(20, abs=1e-5)


@pytest.mark.parametrize("shapes", [((4, 3), (4, 2)), ((1, 3), (4, 3)), ((4,), (4,))])
def test_frechet_distance_refuses_other_shapes(shapes):
    with pytest.raises(ValueError, match=r"expected \(n, d\) twice"):
        metrics.frechet_distance(*(torch.zeros(shape) for shape in shapes))


def test_random_feature_distance_sees_blur_order_contrast_and_brightness():
    clip, other = texture(40, 0), texture(40, 1)
    real = metrics.random_feature_distance(other, clip)
    # Equal up to roots of rounding errors in 32 dimensions.
    assert metrics.random_feature_distance(clip, clip) == pytest.approx(0, abs=1e-6)
    # Against another clip of the same texture, over 20 seeds: blur 3 at least 1.6 times as far,
    # shuffling 2.3, half the contrast 4.8, a brighter picture 26.
    for spoiled in (blurred(other, 3), shuffled(other), 0.5 * other, other + 0.5):
        assert metrics.random_feature_distance(spoiled, clip) > 1.4 * real
    by_width = [metrics.random_feature_distance(blurred(other, w), clip) for w in (3, 5, 7)]
    assert by_width[0] < by_width[1] < by_width[2]


def test_random_features_depend_on_nothing_but_their_seed():
    clip = texture(8, 0)
    torch.manual_seed(1)
    first = metrics.random_features(clip)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    again = metrics.random_features(clip)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(first[0], metrics.random_features(clip, seed=1)[0])


@pytest.mark.parametrize(("size", "scales"), [(7, 1), (13, 1), (14, 2), (80, 2)])
def test_random_features_use_the_scales_that_fit(size, scales):
    assert len(metrics.random_features(torch.zeros(3, 6, size, size))) == scales


@pytest.mark.parametrize("shape", [(3, 5, 16, 16), (3, 6, 6, 16)])
def test_random_features_refuse_small_videos(shape):
    with pytest.raises(ValueError, match="at least 6 frames of 7 x 7"):
        metrics.random_features(torch.zeros(shape))


# All together ------------------------------------------------------------------------------------


def test_fidelity_reports_every_measure_for_both():
    report = fidelity(texture(48, 1), texture(15, 2), texture(32, 3))
    assert set(report) == MEASURES
    for values in report.values():
        assert set(values) == {"synthesis", "held_out"}
        assert all(isinstance(value, float) and math.isfinite(value) for value in values.values())


def test_fidelity_puts_real_video_beside_real_video_whatever_the_lengths():
    report = fidelity(texture(128, 1), texture(30, 2), texture(64, 3))
    # One texture at three lengths: only sampling sets them apart. Over 20 seeds the ratios stayed
    # within 0.64 and 1.82.
    for measure in MEASURES - {"autocorrelation_distance"}:
        values = report[measure]
        assert 0.5 < values["synthesis"] / values["held_out"] < 2, measure
    # This one is near 0 on both sides (0.01 to 0.03 for the synthesis), so its ratio says nothing;
    # shuffled frames have 0.29.
    assert max(report["autocorrelation_distance"].values()) < 0.1


def test_fidelity_does_not_reward_length():
    train, clip = texture(64, 3), texture(30, 1)
    short = fidelity(clip, texture(30, 2), train)
    doubled = fidelity(torch.cat([clip, clip], 1), texture(30, 2), train)
    for measure in MEASURES:
        # Both windows of the doubled clip are the clip itself.
        assert doubled[measure]["synthesis"] == pytest.approx(short[measure]["synthesis"], rel=1e-9)


def test_fidelity_exposes_a_copy_a_blur_and_a_still():
    train, real = texture(64, 3), texture(30, 2)
    copy = fidelity(torch.cat([train, train], 1), real, train)
    assert copy["nearest_frame_distance"]["synthesis"] == 0
    assert copy["nearest_frame_distance"]["held_out"] > 0.1
    blur = fidelity(blurred(texture(64, 1), 5), real, train)["spectrum_distance"]
    assert blur["synthesis"] > 5 * blur["held_out"]
    still = fidelity(train[:, :1].expand_as(train), real, train)
    assert still["temporal_variance_ratio"]["synthesis"] == pytest.approx(0, abs=1e-12)
    # Over 30 frames the clip's own mean takes a share of its variance: real video reads about 1
    # only because the reference is cut to the same length.
    assert still["temporal_variance_ratio"]["held_out"] == pytest.approx(1, abs=0.15)
    assert still["autocorrelation_distance"]["synthesis"] > 0.7
    mixed = fidelity(shuffled(texture(64, 1)), real, train)["autocorrelation_distance"]
    assert mixed["synthesis"] > 2 * mixed["held_out"]


def test_fidelity_takes_batches_of_clips():
    train = torch.stack([texture(12, seed) for seed in range(3)])
    others = torch.stack([texture(12, seed) for seed in (9, 10)])
    report = fidelity(train, others, train)
    assert report["nearest_frame_distance"]["synthesis"] == 0
    # Two clips against two, together: the set of the first two is what is measured of three.
    assert report == fidelity(train[:2], others, train)
    assert report["nearest_frame_distance"]["held_out"] > 0.1


def test_windows_of_fidelity_are_disjoint_and_spread():
    clip = torch.arange(38.0).reshape(1, 1, 38, 1, 1)
    cut = cut_windows(clip, 10)
    assert [window.flatten()[0].item() for window in cut] == [0, 14, 28]
    assert all(window.shape == (1, 1, 10, 1, 1) for window in cut)


# Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", [metrics.psnr, metrics.diversity])
def test_pairs_of_one_shape_and_finite(measure):
    with pytest.raises(ValueError, match="shapes differ"):
        measure(torch.zeros(3, 2, 4, 4), torch.zeros(3, 2, 4, 5))
    with pytest.raises(ValueError, match="not finite"):
        measure(torch.zeros(2), torch.tensor([0.0, float("nan")]))


@pytest.mark.parametrize(
    "video",
    [
        torch.zeros(8, 4, 4),
        torch.zeros(3, 0, 4, 4),
        torch.zeros(3, 8, 4, 4, dtype=torch.uint8),
        torch.full((3, 8, 4, 4), float("inf")),
    ],
)
def test_clips_are_checked(video):
    for measure in (metrics.temporal_variance, metrics.mean_frame_psnr, metrics.radial_spectrum):
        with pytest.raises(ValueError, match=r"expected (\(C, T, H, W\)|finite)"):
            measure(video)


def test_frames_of_one_size():
    for measure in (metrics.nearest_frame_distance, metrics.random_feature_distance):
        with pytest.raises(ValueError, match="the same channels, height and width"):
            measure(torch.zeros(3, 8, 16, 16), torch.zeros(3, 8, 16, 18))
    with pytest.raises(ValueError, match="the same channels"):
        fidelity(texture(8, 0, 16), texture(8, 1, 16), texture(8, 2, 18))
