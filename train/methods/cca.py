"""Canonical correlation analysis: Hotelling, Relations between two sets of variates, Biometrika 28 (1936).

Directions w_i, w_t of largest correlation of X_i w_i and X_t w_t, each side's scores uncorrelated and of variance 1.
With a ridge r_v on each covariance, S_v = C_vv + r_v I = L_v L_vT, the directions are the singular vectors of
L_i^-1 C_it L_t^-T, brought back: W_i = L_i^-T U, W_t = L_t^-T V; the singular values are the correlations. The ridge is
a multiple c of the mean variance of a side's features, so that one number serves both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from drsl.features.errors import UserError
from drsl.features.store import Features
from drsl.train.methods.linear import LinearConfig, LinearMethod, Solution, require_candidates
from drsl.train.moments import Moments, training_moments

__all__ = ["Cca", "CcaConfig", "CcaPaper", "canonical_directions", "ridge_factor"]


@dataclass(frozen=True)
class CcaConfig(LinearConfig):
    """Canonical correlation analysis."""

    components: tuple[int, ...] = (10, 20, 50, 100, 300)
    power: tuple[float, ...] = (0.0, 2.0, 4.0)
    ridge: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0)
    """c: the ridge on a side's covariance, in units of its mean variance"""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_candidates(self.ridge, "ridge", 0)


@dataclass(frozen=True)
class CcaPaperConfig(CcaConfig):
    """As near to no ridge as the arithmetic bears, all directions, equal weights: what published tables call CCA."""

    components: tuple[int, ...] = (300,)
    power: tuple[float, ...] = (0.0,)
    ridge: tuple[float, ...] = (1e-6,)


class Cca(LinearMethod):
    """Ridge CCA; ridge, number of directions and their weight are chosen on val."""

    name = "cca"
    config_type = CcaConfig
    candidates = ("ridge",)

    def _solutions(self, image: Features, text: Features) -> Iterator[tuple[np.ndarray, np.ndarray, Solution]]:
        moments = training_moments(image, text, method=self.name)
        for ridge in self.config.ridge:
            left, right, correlation = canonical_directions(moments, ridge, max(self.config.components))
            yield moments.image.mean, moments.text.mean, Solution({"ridge": ridge}, left, right, correlation)


class CcaPaper(Cca):
    """CCA that is nearly unregularised, as the paper's numbers suggest: weak with more features than items."""

    name = "cca-paper"
    config_type = CcaPaperConfig


def canonical_directions(moments: Moments, ridge: float, components: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The canonical directions of two sides, in the coordinates of their sums.

    Args:
        moments: sums over couples.
        ridge: c, as a multiple of each side's mean variance.
        components: the largest number of directions.

    Returns:
        W_i (r_i, k), W_t (r_t, k) with W_vT S_v W_v = I, and the correlations (k,), largest first;
        k = min(components, r_i, r_t, couples - 1).

    Raises:
        UserError: there are too few couples, or the covariance cannot be inverted with so small a ridge.
    """
    degrees = moments.image.count - 1
    if degrees < 1 or moments.cross is None:
        raise UserError("CCA needs two or more couples of an image and a text in the train split")
    left, right = (ridge_factor(view.scatter / degrees, ridge) for view in (moments.image, moments.text))
    half = scipy.linalg.solve_triangular(left, moments.cross / degrees, lower=True, check_finite=False)
    inner = scipy.linalg.solve_triangular(right, half.T, lower=True, check_finite=False).T
    u, correlation, v = scipy.linalg.svd(inner, full_matrices=False, overwrite_a=True, check_finite=False)
    count = min(components, len(correlation), degrees)
    image = scipy.linalg.solve_triangular(left, u[:, :count], lower=True, trans="T", check_finite=False)
    text = scipy.linalg.solve_triangular(right, v[:count].T, lower=True, trans="T", check_finite=False)
    return image, text, correlation[:count]


def ridge_factor(covariance: np.ndarray, ridge: float) -> np.ndarray:
    """The Cholesky factor of a covariance with a ridge.

    Args:
        covariance: (d, d) symmetric, of any scale.
        ridge: c, as a multiple of the mean of its diagonal.

    Returns:
        (d, d) lower triangular L with L LT = covariance + r I.

    Raises:
        UserError: the covariance cannot be inverted with so small a ridge.
    """
    whole = covariance.copy()
    whole[np.diag_indices_from(whole)] += ridge * max(np.trace(covariance) / len(covariance), 1e-30)
    try:
        factor: np.ndarray = scipy.linalg.cholesky(whole, lower=True, overwrite_a=True, check_finite=False)
    except scipy.linalg.LinAlgError:
        raise UserError(f"ridge: {ridge} is too small for features that depend on each other: raise it") from None
    return factor
