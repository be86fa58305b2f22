"""Partial least squares, Wold's method.

Sharma and Jacobs took it to retrieval across modalities: Bypassing Synthesis: PLS for Face Recognition with Pose,
Low-Resolution and Sketch, CVPR 2011.

Directions w_i, w_t of largest covariance w_iT C_it w_t, each of length 1. Two forms:

- `svd`: the singular vectors of C_it (sklearn: PLSSVD).
- `canonical`: one pair at a time. Scores t = X_i u, s = X_t v of the first singular vectors; loadings p = X_iT t / tT t
  and q; then X_i <- X_i - t pT and X_t <- X_t - s qT, and again. W_i = U (PT U)^-1 (sklearn: PLSCanonical), the bases
  of NIPALS, which Sharma and Jacobs used.

scikit-learn's classes hold all features in float64 (1 GB at 32,000 x 4096), and PLSCanonical goes through them for each
direction. Both forms need but the sums C_it, X_iT X_i and X_tT X_t: taking t pT away changes C_it by
matrices of rank one and X_iT X_i by -(tT t) p pT. So they are worked out on the sums, and scikit-learn is the tests'
oracle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from drsl.features.errors import choose
from drsl.features.store import Features
from drsl.train.methods.linear import LinearConfig, LinearMethod, Solution
from drsl.train.moments import Moments, View, training_moments

__all__ = ["Pls", "PlsConfig", "covariance_directions"]

_TINY = 1e-10
"""Covariances below this part of the largest are rounding, and their directions arbitrary."""


@dataclass(frozen=True)
class PlsConfig(LinearConfig):
    """Partial least squares."""

    form: str = "svd"
    """`svd`, or `canonical` with deflation"""
    scale: bool = False
    """features of deviation 1: otherwise those that vary most count most"""

    def __post_init__(self) -> None:
        super().__post_init__()
        choose("form", self.form, ("svd", "canonical"))


class Pls(LinearMethod):
    """Partial least squares; the number of directions is chosen on val."""

    name = "pls"
    config_type = PlsConfig

    def _solutions(self, image: Features, text: Features) -> Iterator[tuple[np.ndarray, np.ndarray, Solution]]:
        moments = training_moments(image, text, method=self.name)
        count = max(self.config.components)
        left, right, covariance = covariance_directions(moments, count, self.config.form, self.config.scale)
        if len(covariance):
            yield moments.image.mean, moments.text.mean, Solution({}, left, right, covariance / covariance[0])


def covariance_directions(
    moments: Moments, components: int, form: str = "svd", scale: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The directions of largest covariance of two sides.

    Args:
        moments: sums over couples.
        components: the largest number of directions.
        form: `svd` or `canonical`.
        scale: divide each feature by its deviation first; constant ones stay.

    Returns:
        W_i (d_i, k), W_t (d_t, k), and the covariances (k,), largest first; k is 0 where nothing varies together.

    Raises:
        UserError: never, with sums over couples.
    """
    assert moments.cross is not None, "sums over couples"
    degrees = max(1, moments.image.count - 1)
    spread = [_deviation(view, degrees) if scale else np.ones(len(view.scatter)) for view in _views(moments)]
    cross = moments.cross / degrees / spread[0][:, None] / spread[1]
    if form == "svd":
        u, covariance, v = scipy.linalg.svd(cross, full_matrices=False, overwrite_a=True, check_finite=False)
        count = min(components, int((covariance > _TINY * covariance[0]).sum()))
        left, right = u[:, :count], v[:count].T
    else:
        covariances = [
            view.scatter / degrees / each[:, None] / each for view, each in zip(_views(moments), spread, strict=True)
        ]
        left, right, covariance = _deflated(cross, covariances[0], covariances[1], components)
        count = len(covariance)
    return left / spread[0][:, None], right / spread[1][:, None], covariance[:count]


def _deflated(
    cross: np.ndarray, image: np.ndarray, text: np.ndarray, components: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The canonical form; `cross` is used up."""
    sides = _Side(image), _Side(text)
    found: list[float] = []
    for _ in range(min(components, *cross.shape)):
        u, covariance, v = _leading(cross)
        if covariance <= _TINY * (found[0] if found else 0):
            break
        p, q = sides[0].deflate(u), sides[1].deflate(v)
        # (I - p uT) C (I - v qT), where C v = covariance u and uT C = covariance vT
        cross -= covariance * (np.outer(p, v) + np.outer(u - p, q))
        found.append(covariance)
    return sides[0].rotations(), sides[1].rotations(), np.array(found)


class _Side:
    """One side's directions u and loadings p so far; X^T X after j steps is S - sum tT t p pT, never written down."""

    def __init__(self, covariance: np.ndarray) -> None:
        self.covariance = covariance
        self.direction = self.loading = np.zeros((len(covariance), 0))
        self.power = np.zeros(0)

    def deflate(self, u: np.ndarray) -> np.ndarray:
        """Takes the part along X u away; gives its loading."""
        through = self.covariance @ u - self.loading @ (self.power * (self.loading.T @ u))
        power = float(u @ through)
        p: np.ndarray = through / power
        self.direction, self.loading = np.column_stack([self.direction, u]), np.column_stack([self.loading, p])
        self.power = np.append(self.power, power)
        return p

    def rotations(self) -> np.ndarray:
        """(d, k) directions for features that nothing was taken from."""
        found: np.ndarray = np.linalg.solve((self.loading.T @ self.direction).T, self.direction.T).T
        return found


def _leading(matrix: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """The largest singular value and its vectors, by the smaller Gram matrix."""
    if len(matrix) < matrix.shape[1]:
        v, value, u = _leading(matrix.T)
        return u, value, v
    last = matrix.shape[1] - 1
    v = scipy.linalg.eigh(matrix.T @ matrix, subset_by_index=(last, last), check_finite=False)[1][:, 0]
    u = matrix @ v
    value = float(np.linalg.norm(u))
    return u / max(value, np.finfo(float).tiny), value, v


def _deviation(view: View, degrees: int) -> np.ndarray:
    deviation: np.ndarray = np.sqrt(np.diag(view.scatter) / degrees)
    return np.where(deviation > 0, deviation, 1.0)


def _views(moments: Moments) -> tuple[View, View]:
    return moments.image, moments.text
