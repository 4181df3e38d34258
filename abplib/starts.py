"""Where chains start: whitened principal components instead of draws from the prior.

Algorithm 1 starts each chain at a draw from N(0, I). A random start gives similar stretches of
video unrelated codes, and the generator learns such a table by heart. Principal components give
similar stretches similar codes, of unit variance. From there Langevin dynamics goes on as always.
It is an option, to be declared where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

STEP = 16  # frames or pixels of one latent step
COARSER = 2  # blocks are compared at half the resolution
SAMPLES = 1200  # blocks that the components are taken from, at most


def component_scores(data: Tensor, channels: int) -> Tensor:
    """Whitened scores of the first principal components: (N, channels), each of unit variance.

    Args:
        data: (N, D).
        channels: number of components, at most N - 1 and D.

    Raises:
        ValueError: for more components than there are.

    >>> x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([9, 3, 1])
    >>> torch.cov(component_scores(x, 2).T, correction=0).round().abs()
    tensor([[1., 0.],
            [0., 1.]])
    """
    if data.ndim != 2 or not 1 <= channels <= min(len(data) - 1, data.shape[1]):
        raise ValueError(
            f"data has shape {tuple(data.shape)}; {channels} components need (N, D) with more than "
            f"{channels} rows and at least {channels} columns"
        )
    return _Components(data, channels).scores(data)


def block_codes(
    videos: Tensor, latent_shape: Sequence[int], seed: int = 0, *, overlap: bool = True
) -> Tensor:
    """Starting latents for windows of video: each latent step gets the scores of its block.

    A block is what surrounds a latent step: 32 frames (twice the step's own) of 32 x 32 pixels
    under a sine window, or of whole frames where the latent has no plane. Blocks that reach beyond
    a window see its mirror image there. Steps whose own frames all lie more than 16 frames beyond
    the window start at the prior. Without overlap a block is the step's own 16 frames and
    pixels, so that no two codes say the same.

    Args:
        videos: (N, C, T, H, W), the training windows.
        latent_shape: (d, T0, H0, W0) of one window, as the generator's `latent_shape` says.
        seed: of the blocks that the components are taken from.
        overlap: whether blocks have twice the size of a latent step, or its own.

    Returns:
        (N, d, T0, H0, W0). Channels for which there is no component start at the prior.

    Raises:
        ValueError: for windows too short to be mirrored.
    """
    d, *steps = latent_shape
    small = F.avg_pool3d(videos, COARSER)
    whole = [axis > 0 and count == 1 for axis, count in enumerate(steps)]
    sizes = small.shape[2:]
    inner = [min(n, size * COARSER // STEP + 2) for n, size in zip(steps, sizes, strict=True)]
    block = (2 if overlap else 1) * STEP // COARSER
    side = [size if one else block for one, size in zip(whole, sizes, strict=True)]
    edge = [
        0 if one else (count * STEP // COARSER - size + block - STEP // COARSER) // 2
        for one, count, size in zip(whole, inner, sizes, strict=True)
    ]
    if any(e >= size for e, size in zip(edge, sizes, strict=True)):
        raise ValueError(
            f"windows have size {tuple(videos.shape[2:])}; for {tuple(steps)} latent steps each "
            f"axis must be longer than {COARSER * max(edge)}: take larger windows, or start at "
            "the prior"
        )
    padded = F.pad(small, [e for e in reversed(edge) for _ in range(2)], mode="reflect")
    taper = torch.ones(())
    for axis, (one, length) in enumerate(zip(whole, side, strict=True)):
        half_wave = torch.sin(torch.pi * (torch.arange(length) + 0.5) / length)
        along = half_wave if overlap and not one else torch.ones(length)
        taper = taper * along.reshape([-1 if k == axis else 1 for k in range(3)])
    random = torch.Generator().manual_seed(seed)
    room = [len(padded), *(n - k + 1 for n, k in zip(padded.shape[2:], side, strict=True))]
    places = [[int(torch.randint(n, (), generator=random)) for n in room] for _ in range(SAMPLES)]
    k, m, o = side
    cut = [taper * padded[n, :, t : t + k, h : h + m, w : w + o] for n, t, h, w in places]
    components = _Components(torch.stack(cut).flatten(1), d)
    kernel = components.axes.T.reshape(-1, videos.shape[1], *side) * taper
    stride = [1 if one else STEP // COARSER for one in whole]
    scores = torch.cat([F.conv3d(video[None], kernel, stride=stride) for video in padded])
    codes = torch.randn((len(videos), d, *steps), generator=random)
    t, h, w = (slice((n - m) // 2, (n + m) // 2) for n, m in zip(steps, inner, strict=True))
    mean = (components.mean @ components.axes)[:, None, None, None]
    codes[:, : len(kernel), t, h, w] = scores - mean
    return codes


class _Components:
    """Principal components of rows (N, D), by the N x N matrix of their products."""

    def __init__(self, data: Tensor, count: int) -> None:
        self.mean = data.mean(0)
        centred = data - self.mean
        values, vectors = torch.linalg.eigh(centred @ centred.T)
        values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
        there = values > 1e-6 * values[0]
        self.axes = centred.T @ vectors[:, there] / values[there] * len(data) ** 0.5

    def scores(self, data: Tensor) -> Tensor:
        """(n, count), of unit variance over the rows that the components come from."""
        return (data - self.mean) @ self.axes
