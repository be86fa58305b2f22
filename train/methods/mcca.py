"""Multi-view canonical correlation analysis (MCCA).

Rupnik and Shawe-Taylor, Multi-view Canonical Correlation Analysis, SiKDD 2010: the sum of correlations (SUMCOR) of
Kettenring, Canonical analysis of several sets of variables, Biometrika 1971.

Directions w_1 ... w_V of largest sum over v != w of w_vT C_vw w_w, where the w_vT S_v w_v sum to V, S_v = C_vv + r_v I:
the generalised eigenvectors of A w = lambda B w, where A has the covariances between views and B the S_v. (With the
C_vv in A as well, lambda grows by 1 where there is no ridge, and nothing else changes.) For two views these are the
canonical directions and lambda is the correlation; published tables in which MCCA and CCA lie far apart compare ridges.
Here both have the same candidates, so what is learned from images and texts is that of `cca`, found in another way.

The eigenproblem is not solved at the size of all features: S_v = L_v L_vT makes it an ordinary one with blocks
T_vw = L_v^-1 C_vw L_w^-T, and a view that is wider than the others together acts through an orthonormal basis of its
blocks alone (QR). 4096 and 300 features leave 600 x 600 numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import scipy.linalg

from drsl.features.errors import UserError
from drsl.features.store import Features
from drsl.train.methods.cca import CcaConfig, ridge_factor
from drsl.train.methods.linear import LinearMethod, Solution
from drsl.train.moments import training_moments

__all__ = ["Mcca", "multiview_directions"]


class Mcca(LinearMethod):
    """MCCA of two views; ridge, number of directions and their weight are chosen on val."""

    name = "mcca"
    config_type = CcaConfig
    candidates = ("ridge",)

    def _solutions(self, image: Features, text: Features) -> Iterator[tuple[np.ndarray, np.ndarray, Solution]]:
        moments = training_moments(image, text, method=self.name)
        degrees = moments.image.count - 1
        if degrees < 1 or moments.cross is None:
            raise UserError("MCCA needs two or more couples of an image and a text in the train split")
        cross = moments.cross / degrees
        covariance = [[moments.image.scatter / degrees, cross], [cross.T, moments.text.scatter / degrees]]
        for ridge in self.config.ridge:
            count = min(degrees, max(self.config.components))
            (left, right), strength = multiview_directions(covariance, ridge, count)
            yield moments.image.mean, moments.text.mean, Solution({"ridge": ridge}, left, right, strength)


def multiview_directions(
    covariance: Sequence[Sequence[np.ndarray]], ridge: float, components: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """The directions of V views whose correlations have the largest sum.

    Args:
        covariance: V x V blocks C_vw (d_v, d_w); those below the diagonal are not read.
        ridge: c, as a multiple of each view's mean variance.
        components: the largest number of directions.

    Returns:
        V matrices W_v (d_v, k) whose W_vT S_v W_v sum to V I, and lambda / (V - 1) (k,), largest first: the correlation
        for two views, and 1 where all views agree. Those of 0 and less are left out, so k may be less than components.

    Raises:
        UserError: a covariance cannot be inverted with so small a ridge.
    """
    views = range(len(covariance))
    factor = [ridge_factor(covariance[v][v], ridge) for v in views]
    block: list[list[np.ndarray | None]] = [[None for _ in views] for _ in views]
    for v in views:
        for w in views[v + 1 :]:
            half = _solve(factor[v], covariance[v][w])
            block[v][w] = whole = _solve(factor[w], half.T).T
            block[w][v] = whole.T
    basis: list[np.ndarray | None] = [None for _ in views]
    for v in views:
        width = len(factor[v])
        others = [each for each in block[v] if each is not None]
        if width > sum(each.shape[1] for each in others):
            basis[v], inner = scipy.linalg.qr(np.hstack(others), mode="economic", check_finite=False)
            ends = np.cumsum([each.shape[1] for each in others])[:-1]
            for w, part in zip((w for w in views if w != v), np.split(inner, ends, axis=1), strict=True):
                block[v][w], block[w][v] = part, part.T
    widths = [len(factor[v]) if basis[v] is None else basis[v].shape[1] for v in views]  # type: ignore[union-attr]
    total = np.block([[_or_zeros(block[v][w], widths[v], widths[w]) for w in views] for v in views])
    first = max(0, len(total) - components)
    value, vector = scipy.linalg.eigh(total, subset_by_index=(first, len(total) - 1), check_finite=False)
    kept = np.flatnonzero(value > 1e-12)[::-1]
    parts = np.split(np.sqrt(len(views)) * vector[:, kept], np.cumsum(widths)[:-1])
    return [
        scipy.linalg.solve_triangular(
            each, part if frame is None else frame @ part, lower=True, trans="T", check_finite=False
        )
        for each, frame, part in zip(factor, basis, parts, strict=True)
    ], value[kept] / max(1, len(views) - 1)


def _solve(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
    found: np.ndarray = scipy.linalg.solve_triangular(factor, right, lower=True, check_finite=False)
    return found


def _or_zeros(block: np.ndarray | None, rows: int, columns: int) -> np.ndarray:
    return np.zeros((rows, columns)) if block is None else block
