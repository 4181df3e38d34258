"""The trivial baselines on cases with known answers."""

import pytest
import torch

from abplib.baselines import linear_in_time, mean_frame, nearest_clip
from abplib.masks import consecutive, named, salt_and_pepper

SHAPE = (2, 12, 6, 5)


def videos(seed: int = 0):
    source = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, *SHAPE[1:], generator=source, dtype=torch.float64) * 2 - 1


def test_linear_recovers_what_is_linear_in_time_for_any_mask():
    slope, start = videos(1)[:, :, :1], videos(2)[:, :, :1]
    times = torch.linspace(0, 1, 12, dtype=torch.float64).view(1, 1, -1, 1, 1)
    video = start + slope * times
    observed = salt_and_pepper(SHAPE, 0.5)
    observed[:, :, [0, -1]] = True  # else the ends are extrapolated, which holds values instead
    hidden_junk = torch.where(observed, video, torch.nan)
    torch.testing.assert_close(linear_in_time(hidden_junk, observed), video)


def test_linear_agrees_with_numpy_pixel_by_pixel():
    np = pytest.importorskip("numpy")
    video, observed = videos(), salt_and_pepper(SHAPE, 0.6)
    observed[:, :, 4] = True  # every pixel is seen at least once
    filled = linear_in_time(video, observed)
    t = np.arange(12)
    for n in range(2):
        for row in range(6):
            for column in range(5):
                seen = observed[n, 0, :, row, column].numpy()
                for c in range(3):
                    line = video[n, c, :, row, column].numpy()
                    expected = np.interp(t, t[seen], line[seen])  # holds the ends, as we do
                    np.testing.assert_allclose(filled[n, c, :, row, column].numpy(), expected)


def test_linear_is_linear_in_the_video():
    a, b = videos(1), videos(2)
    observed = named("B35", SHAPE)
    both = linear_in_time(2 * a - 3 * b, observed)
    apart = 2 * linear_in_time(a, observed) - 3 * linear_in_time(b, observed)
    torch.testing.assert_close(both, apart)


def test_mean_frame_is_the_mean_of_observed_frames():
    video, observed = videos(), consecutive(SHAPE, frames=4)
    expected = video[:, :, [0, 1, 2, 3, 8, 9, 10, 11]].mean(2, keepdim=True)
    filled = mean_frame(video, observed)
    torch.testing.assert_close(filled[:, :, 4:8], expected.expand(-1, -1, 4, -1, -1))
    torch.testing.assert_close(filled[:, :, :4], video[:, :, :4])


@pytest.mark.parametrize("fill", [linear_in_time, mean_frame])
def test_a_pixel_never_observed_gets_its_frame_s_mean(fill):
    video = videos()
    observed = torch.ones(2, 1, *SHAPE[1:], dtype=torch.bool)
    observed[:, :, :, 2, 3] = False
    observed[:, :, 5] = False  # and a frame that shows nothing
    filled = fill(video, observed)
    visible = torch.ones(6, 5, dtype=torch.bool)
    visible[2, 3] = False
    torch.testing.assert_close(filled[0, 1, 7, 2, 3], video[0, 1, 7][visible].mean())
    everything = video[0, 1, [t for t in range(12) if t != 5]][:, visible].mean()
    torch.testing.assert_close(filled[0, 1, 5, 2, 3], everything)


def test_nearest_clip_is_found_by_observed_pixels_alone():
    clips = videos(3).repeat(2, 1, 1, 1, 1)
    clips[2:] += 0.4
    observed = named("P20", SHAPE)
    video = torch.where(observed, clips[[3, 0]], torch.nan)
    torch.testing.assert_close(nearest_clip(video, observed, clips), clips[[3, 0]])
    with pytest.raises(ValueError, match="clips have shape"):
        nearest_clip(video, observed, clips[:, :2])


def test_a_mask_that_does_not_fit_is_refused():
    video = videos()
    with pytest.raises(ValueError, match="does not broadcast"):
        linear_in_time(video, torch.ones(2, 1, 3, 6, 5, dtype=torch.bool))
    with pytest.raises(ValueError, match="expected bool"):
        mean_frame(video, torch.ones(2, 1, 12, 6, 5))
    with pytest.raises(ValueError, match="no observed pixel"):
        linear_in_time(video, torch.zeros(2, 1, 12, 6, 5, dtype=torch.bool))
