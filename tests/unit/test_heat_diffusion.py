"""Heat diffusion against harmonic functions, and against a sparse solver's equilibrium."""

import pytest
import torch

from abplib.baselines import heat_diffusion, linear_in_time
from abplib.baselines.heat_diffusion import neighbour_sum
from abplib.masks import consecutive, named


def box(t: int = 9, h: int = 8, w: int = 7):
    """A video whose border is observed, and what lies within hidden."""
    observed = torch.ones(1, 1, t, h, w, dtype=torch.bool)
    observed[:, :, 1:-1, 1:-1, 1:-1] = False
    return observed


def grid(t: int = 9, h: int = 8, w: int = 7):
    axes = [torch.arange(n, dtype=torch.float64) for n in (t, h, w)]
    return torch.meshgrid(*axes, indexing="ij")


@pytest.mark.parametrize("start", ["zero", "mean"])
def test_harmonic_polynomials_are_recovered_exactly(start):
    """x y - t, x^2 - y^2 and x^2 - t^2 solve the discrete Laplace equation as the true one."""
    t, y, x = grid()
    truth = torch.stack([x * y - t, x**2 - y**2, x**2 - t**2])[None] / 30
    filled = heat_diffusion(truth, box(), start=start)
    torch.testing.assert_close(filled, truth, atol=1e-9, rtol=0)  # 500 sweeps leave less


def test_equilibrium_is_that_of_a_sparse_solver():
    """A mask that touches the video's border, where no heat flows out."""
    np = pytest.importorskip("numpy")
    sparse = pytest.importorskip("scipy.sparse")
    solver = pytest.importorskip("scipy.sparse.linalg")
    shape = (6, 7, 8)
    lines = [
        sparse.diags_array([np.ones(n - 1), np.ones(n - 1)], offsets=[-1, 1]).tocsr() for n in shape
    ]
    eyes = [sparse.eye_array(n) for n in shape]
    adjacency = (
        sparse.kron(sparse.kron(lines[0], eyes[1]), eyes[2])
        + sparse.kron(sparse.kron(eyes[0], lines[1]), eyes[2])
        + sparse.kron(sparse.kron(eyes[0], eyes[1]), lines[2])
    ).tocsr()
    laplacian = (sparse.diags_array(adjacency.sum(1)) - adjacency).tocsr()
    source = torch.Generator().manual_seed(0)
    video = torch.rand(1, 1, *shape, generator=source, dtype=torch.float64)
    observed = torch.rand(1, 1, *shape, generator=source) > 0.5
    seen, u = observed.flatten().numpy(), video.flatten().numpy()
    inner, edge = laplacian[~seen][:, ~seen], laplacian[~seen][:, seen]
    expected = solver.spsolve(inner.tocsc(), -edge @ u[seen])
    filled = heat_diffusion(video, observed).flatten().numpy()
    np.testing.assert_allclose(filled[~seen], expected, atol=1e-9)
    np.testing.assert_array_equal(filled[seen], u[seen])


def test_whole_missing_frames_of_a_still_picture_tend_to_a_line_in_time():
    """Without change in space, heat flows along time alone."""
    ramp = torch.linspace(-1, 1, 20, dtype=torch.float64).square().view(1, 1, -1, 1, 1)
    video = ramp.expand(1, 3, 20, 4, 4)
    observed = consecutive((1, 20, 4, 4), frames=4)
    filled = heat_diffusion(video, observed, sweeps=4000)  # space counts as still neighbours: slow
    torch.testing.assert_close(filled, linear_in_time(video, observed), atol=1e-6, rtol=0)


def test_neighbours_at_the_border_are_fewer():
    counts = neighbour_sum(torch.ones(1, 1, 3, 3, 3))
    assert counts[0, 0, 1, 1, 1] == 6
    assert counts[0, 0, 0, 1, 1] == 5
    assert counts[0, 0, 0, 0, 0] == 3


def test_it_is_linear_in_the_video_and_blind_to_hidden_pixels():
    source = torch.Generator().manual_seed(0)
    a, b = (torch.rand(1, 2, 8, 8, 8, generator=source, dtype=torch.float64) for _ in range(2))
    observed = named("B35", (1, 8, 8, 8))
    both = heat_diffusion(2 * a - b, observed, sweeps=50)
    apart = [
        heat_diffusion(torch.where(observed, x, torch.nan), observed, sweeps=50) for x in (a, b)
    ]
    torch.testing.assert_close(both, 2 * apart[0] - apart[1])


def test_a_rate_that_cannot_converge_is_refused():
    video, observed = torch.zeros(1, 1, 9, 8, 7), box()
    with pytest.raises(ValueError, match=r"rate 1\.0"):
        heat_diffusion(video, observed, rate=1.0)
    with pytest.raises(ValueError, match="start is 'warm'"):
        heat_diffusion(video, observed, start="warm")  # type: ignore[arg-type]
