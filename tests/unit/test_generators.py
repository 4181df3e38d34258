"""Eq. 1: shapes of section 4, what padding does, and what the options promise."""

import re

import pytest
import torch

from abplib.generators import BatchNorm, LinearGenerator, Model1, Model2, Model3

SMALL = {"width": 1 / 32}


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


# --- the shapes of the paper -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "latent", "video"),
    [
        (Model1(**SMALL, padding="same"), (2, 4, 8, 8), (64, 128, 128)),
        (Model2(**SMALL, padding="same"), (20, 4, 1, 1), (64, 64, 64)),
        (Model2(**SMALL, padding="same"), (20, 8, 1, 1), (128, 64, 64)),
        (Model3(20, **SMALL), (20, 1, 1, 1), (32, 64, 64)),
        (Model3(100, **SMALL), (100, 1, 1, 1), (32, 64, 64)),
    ],
)
def test_shapes_of_the_paper(model, latent, video):
    assert model.latent_shape(*video) == latent
    with torch.no_grad():
        assert model(torch.randn(1, *latent)).shape == (1, 3, *video)


@pytest.mark.parametrize(
    ("model", "video"),
    [
        (Model1(**SMALL), (16, 16, 16)),
        (Model1(**SMALL), (48, 96, 64)),  # enlarged in time, height and width, each by itself
        (Model2(**SMALL), (16, 64, 64)),
        (Model2(**SMALL), (128, 64, 64)),  # doubled length
        (Model2(**SMALL, time_kernel=3, frame_size=(32, 48)), (48, 32, 48)),
        (Model3(**SMALL, padding="valid"), (32, 64, 64)),
        (Model3(**SMALL, frames=16, frame_size=(32, 32)), (16, 32, 32)),
    ],
)
def test_latent_shape_makes_exactly_the_video_asked_for(model, video):
    with torch.no_grad():
        made = model(torch.zeros(2, *model.latent_shape(*video)))
    assert made.shape == (2, 3, *video)


def test_filters_of_the_paper():
    """Weights counted by hand from section 4.1; two batch-norm numbers a channel; output bias."""
    up = 64 * (256 * 128 + 128 * 64 + 64 * 3) + 3
    assert parameters(Model1()) == 64 * 2 * 256 + up + 2 * (256 + 128 + 64)
    top2 = 20 * 512 * 16 + 512 * 64 * 343 + 64 * 64 * 256
    assert parameters(Model2()) == top2 + up + 2 * (512 + 64 + 256 + 128 + 64)
    # Two of the seven temporal taps are kept: 512 * 384 * 2 * 49 = 19.3M weights, not 67.4M.
    top3 = 100 * 512 * 16 + 512 * 384 * 98 + 64 * 384 * 256
    assert parameters(Model3()) == top3 + up + 2 * (512 + 384 + 256 + 128 + 64)


def test_model3_keeps_only_taps_that_meet_data():
    """The cropped kernel equals the printed 7 x 7 x 7 kernel, of which 1 -> 2 frames are kept."""
    torch.manual_seed(0)
    kept = Model3(**SMALL).top[1][0].double()
    x = torch.randn(1, kept.in_channels, 1, 4, 4, dtype=torch.float64)
    printed = torch.randn(kept.in_channels, kept.out_channels, 7, 7, 7, dtype=torch.float64)
    printed[:, :, 2:4] = kept.weight.detach()
    full = torch.nn.functional.conv_transpose3d(x, printed, padding=(2, 3, 3))[:, :, :2]
    torch.testing.assert_close(kept(x).detach(), full, rtol=0, atol=1e-12)  # fp64 rounding


# --- padding -----------------------------------------------------------------------------------


def random_statistics(model):
    """Running statistics away from (0, 1), so that evaluation mode is a real test."""
    for module in model.modules():
        if isinstance(module, BatchNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return model.double().eval()


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_valid_model2_is_shift_equivariant_in_time(norm):
    torch.manual_seed(0)
    model = random_statistics(Model2(4, **SMALL, time_kernel=3, norm=norm))
    z = torch.randn(1, 4, 9, 1, 1, dtype=torch.float64)
    with torch.no_grad():
        early, late = model(z[:, :, :-1]), model(z[:, :, 1:])
    assert early.std() > 1e-3  # the comparison below would hold for a constant
    # One latent frame is 16 frames of video. Same sums in fp64: only rounding may differ.
    torch.testing.assert_close(early[:, :, 16:], late[:, :, :-16], rtol=0, atol=1e-12)


@pytest.mark.parametrize("axis", [2, 3, 4])
def test_valid_model1_is_shift_equivariant_in_time_and_space(axis):
    torch.manual_seed(0)
    model = random_statistics(Model1(2, **SMALL))
    z = torch.randn(1, 2, 5, 5, 5, dtype=torch.float64)
    with torch.no_grad():
        early = model(z.narrow(axis, 0, 4))
        late = model(z.narrow(axis, 1, 4))
    torch.testing.assert_close(
        early.narrow(axis, 16, 16), late.narrow(axis, 0, 16), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("axis", [2, 3, 4])
def test_same_padding_is_not_shift_equivariant(axis):
    """Zeros at the ends leak inwards; with four layers they reach 15 pixels and frames deep."""
    torch.manual_seed(0)
    model = random_statistics(Model1(2, **SMALL, padding="same"))
    z = torch.randn(1, 2, 4, 4, 4, dtype=torch.float64)
    with torch.no_grad():
        early, late = model(z.narrow(axis, 0, 3)), model(z.narrow(axis, 1, 3))
        size = early.std()
    gap = (early.narrow(axis, 16, 32) - late.narrow(axis, 0, 32)).abs().max()
    assert gap > 0.1 * size


def test_valid_is_the_middle_of_same():
    """Both paddings compute the same function wherever no zero has been."""
    torch.manual_seed(0)
    same = random_statistics(Model2(4, **SMALL, time_kernel=3, padding="same"))
    valid = random_statistics(Model2(4, **SMALL, time_kernel=3))
    valid.load_state_dict(same.state_dict())
    z = torch.randn(1, 4, 7, 1, 1, dtype=torch.float64)
    with torch.no_grad():
        whole, inside = same(z), valid(z)
    assert inside.shape[2] == 48
    torch.testing.assert_close(inside, whole[:, :, 32:-32], rtol=0, atol=1e-12)


# --- options -----------------------------------------------------------------------------------


def test_sequence_norm_is_batch_norm_of_a_single_sequence():
    torch.manual_seed(0)
    batch = Model2(4, **SMALL, time_kernel=3)
    sequence = Model2(4, **SMALL, time_kernel=3, norm="sequence")
    sequence.load_state_dict(batch.state_dict(), strict=False)
    z = torch.randn(1, *batch.latent_shape(16, 64, 64))
    with torch.no_grad():
        a, b = batch.train()(z), sequence(z)
    assert a.std() > 1e-3
    torch.testing.assert_close(a, b, rtol=0, atol=1e-5)  # fp32 sums in another order


def test_start_at_mean_begins_at_the_mean_frame():
    torch.manual_seed(0)
    video = torch.rand(2, 3, 16, 64, 64) * 1.6 - 0.8
    model = Model2(4, **SMALL, time_kernel=3, frame_bias=True)
    model.start_at_mean(video)
    torch.testing.assert_close(torch.tanh(model.bias)[:, 0], video.mean((0, 2)))  # fp32 default
    grey = Model2(4, **SMALL, time_kernel=3)
    grey.start_at_mean(video)
    torch.testing.assert_close(torch.tanh(grey.bias).flatten(), video.mean((0, 2, 3, 4)))


def test_start_at_mean_sees_observed_pixels_only():
    video = torch.full((1, 3, 16, 64, 64), 0.25)
    observed = torch.ones(1, 1, 16, 64, 64, dtype=torch.bool)
    observed[:, :, 8:] = False
    observed[..., :8, :8] = False  # never observed: the overall mean stands in
    spoiled = torch.where(observed, video, torch.tensor(0.9))
    model = Model2(4, **SMALL, time_kernel=3, frame_bias=True)
    model.start_at_mean(spoiled, observed)
    torch.testing.assert_close(torch.tanh(model.bias), torch.full((3, 1, 64, 64), 0.25))


def test_linear_generator():
    loading = torch.tensor([[1.0, 2.0], [0.0, 1.0], [3.0, 0.0]])
    g = LinearGenerator(loading, torch.tensor([1.0, 0.0, -1.0]))
    torch.testing.assert_close(
        g(torch.tensor([[1.0, 1.0]])).detach(), torch.tensor([[4.0, 1.0, 2.0]])
    )
    assert g(torch.zeros(5, 2, 1, 1, 1)).shape == (5, 3)


# --- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Model1(**SMALL, padding="reflect"), "expected 'same' or 'valid'"),
        (lambda: Model1(**SMALL, norm="layer"), "norm is 'layer'"),
        (lambda: Model2(**SMALL, time_kernel=4), "odd number of frames"),
        (lambda: Model2(**SMALL, frame_size=(64, 60)), "crop it to 48"),
        (lambda: Model1(**SMALL).latent_shape(50, 64, 64), "crop it to 48"),
        (lambda: Model2(**SMALL).latent_shape(64, 32, 64), "frame_size=(32, 64)"),
        (lambda: Model3(**SMALL).latent_shape(64, 64, 64), "frames=64"),
        (lambda: Model1(**SMALL)(torch.zeros(1, 3, 4, 4, 4)), "expects (N, 2, T0, H0, W0)"),
        (lambda: Model1(**SMALL)(torch.zeros(1, 2, 2, 4, 4)), "at least 3"),
        (lambda: Model2(**SMALL)(torch.zeros(1, 20, 8, 1, 1)), "T0 > 8"),
        (lambda: Model2(**SMALL)(torch.zeros(1, 20, 12, 2, 2)), "(T0, 1, 1)"),
        (lambda: Model3(**SMALL)(torch.zeros(1, 100, 2, 1, 1)), "expects (1, 1, 1)"),
        (lambda: LinearGenerator(torch.zeros(3)), "expected (D, d)"),
        (lambda: LinearGenerator(torch.eye(2))(torch.zeros(1, 3)), "expected (N, 2)"),
        (
            lambda: Model2(**SMALL, frame_bias=True).start_at_mean(torch.zeros(1, 3, 4, 32, 32)),
            "build it with that frame_size",
        ),
    ],
)
def test_errors_say_what_to_do(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
