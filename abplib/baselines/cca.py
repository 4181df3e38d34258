"""Canonical correlation analysis (Hotelling, 1936): the linear opponent of section 3.5.

Two views of the same thing share a latent: CCA finds the directions of one view that correlate most
with directions of the other. It is factor analysis with two linear generators (Bach and Jordan,
2005), so it is what alternating back-propagation with two views becomes when both generators are
linear. Videos and sounds have many more values than there are examples, so CCA works on their
principal components.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.cross_decomposition import CCA as _Canonical  # noqa: N811
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

GRID: tuple[tuple[int, int], ...] = (
    (5, 1),
    (5, 3),
    (10, 1),
    (10, 5),
    (20, 1),
    (20, 5),
    (20, 10),
    (40, 5),
    (40, 10),
    (40, 20),
    (80, 10),
    (80, 20),
    (80, 40),
)
"""What `tuned` tries: principal components of each view, and canonical components."""


@dataclass(frozen=True)
class CCA:
    """A linear map from one view to another by way of their shared directions.

    Build it with `learn` or `tuned`.

    Args:
        principal: number of principal components of each view.
        components: number of pairs of canonical directions.
        given, wanted: the fitted principal components of the two views.
        canonical: the fitted directions.
        shape: of one example of the wanted view.
    """

    principal: int
    components: int
    given: Any
    wanted: Any
    canonical: Any
    shape: tuple[int, ...]

    @classmethod
    def learn(cls, given: Tensor, wanted: Tensor, principal: int, components: int) -> CCA:
        """Fit to N pairs of examples.

        Args:
            given, wanted: (N, ...) each.
            principal: principal components kept of each view, fewer than N.
            components: canonical directions, at most `principal`.

        Raises:
            ValueError: for views of other lengths, or numbers that do not fit them.

        >>> z = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
        >>> a, b = z @ torch.randn(2, 9), z @ torch.randn(2, 7)
        >>> bool((CCA.learn(a, b, 2, 2).predict(a) - b).abs().max() < 1e-3)
        True
        """
        if len(given) != len(wanted):
            raise ValueError(f"{len(given)} and {len(wanted)} examples: expected pairs")
        most = min(len(given) - 1, given[0].numel(), wanted[0].numel())
        if not 1 <= components <= principal <= most:
            raise ValueError(
                f"{components} canonical and {principal} principal components; expected 1 to the "
                f"second, and that at most {most}"
            )
        views = _principal(given, principal), _principal(wanted, principal)
        return cls._from(*views, tuple(wanted.shape[1:]), principal, components)

    @classmethod
    def _from(
        cls, given: _View, wanted: _View, shape: tuple[int, ...], principal: int, components: int
    ) -> CCA:
        """Fit to views whose principal components are known."""
        scores = (view.scores[:, :principal] for view in (given, wanted))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of directions that are noise
            canonical = _Canonical(components, max_iter=1000, scale=False).fit(*scores)
        return cls(principal, components, given.pca, wanted.pca, canonical, shape)

    def predict(self, given: Tensor) -> Tensor:
        """The other view of n examples: (n, ...)."""
        scores = self.given.transform(_flat(given))[:, : self.principal]
        found = self.canonical.predict(scores)
        every = np.zeros((len(found), self.wanted.n_components_), found.dtype)
        every[:, : self.principal] = found
        wanted = self.wanted.inverse_transform(every)
        return torch.from_numpy(wanted).to(given).reshape(len(given), *self.shape)


@dataclass(frozen=True)
class _View:
    pca: Any
    scores: Any


def _flat(view: Tensor) -> Any:
    return view.detach().flatten(1).float().cpu().numpy()


def _principal(view: Tensor, count: int) -> _View:
    pca = PCA(count, whiten=True, svd_solver="randomized", random_state=0)
    return _View(pca, pca.fit_transform(_flat(view)))


def tuned(
    given: Tensor,
    wanted: Tensor,
    validation: Tensor,
    grid: Sequence[tuple[int, int]] = GRID,
) -> CCA:
    """`CCA.learn` with the numbers that predict held-out examples best.

    Args:
        given, wanted: (N, ...) each.
        validation: bool, (N,): held out while choosing, for instance all clips of one speaker. The
            result has learned from all N.
        grid: what to try, see `GRID`; what does not fit the data is passed over.

    Raises:
        ValueError: where nothing of the grid fits, or nothing is held out.
    """
    held = validation.bool().cpu()
    if held.all() or not held.any():
        raise ValueError("validation holds all examples, or none: hold some of them out")
    most = min(int((~held).sum()) - 1, given[0].numel(), wanted[0].numel())
    fitting = [pair for pair in grid if pair[0] <= most]
    if not fitting:
        raise ValueError(f"no entry of the grid has at most {most} principal components")
    largest = max(principal for principal, _ in fitting)
    known = _principal(given[~held], largest), _principal(wanted[~held], largest)
    shape = tuple(wanted.shape[1:])
    errors = [
        (CCA._from(*known, shape, *pair).predict(given[held]) - wanted[held]).abs().mean()
        for pair in fitting
    ]
    best = fitting[int(torch.stack(errors).argmin())]
    return CCA.learn(given, wanted, *best)
