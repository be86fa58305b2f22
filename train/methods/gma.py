"""Generalized multiview linear discriminant analysis (GMLDA).

Sharma, Kumar, Daume III and Jacobs, Generalized Multiview Analysis: A Discriminative Latent Space, CVPR 2012.

Directions of the largest w_iT A_i w_i + mu w_tT A_t w_t + 2 alpha w_iT Z_iT Z_t w_t where w_iT B_i w_i + gamma w_tT B_t
w_t = 1: A_v is a side's scatter of class means, B_v that within classes, and Z_v are what must come together. They are
the generalised eigenvectors of

    [[A_i, alpha Z_iT Z_t], [alpha Z_tT Z_i, mu A_t]] w = lambda [[B_i, 0], [0, gamma B_t]] w.

As in the authors' code: features on principal components of 95 % of the energy first, where there are more features
than items (theirs always), gamma = tr(B_i) / tr(B_t), mu = 1, a ridge on B, K - 1 directions, Z_v the K class means, so
that no couples are needed. alpha depends on the scale of Z; theirs is 10 with the advice to tune it, so it is chosen
on val. The ridge is a multiple of B's mean diagonal, not a number added whatever the features' scale.

A_v and Z_iT Z_t have few directions (ranks of K or less), so that the problem is solved in an orthonormal basis of what
they reach: 2 K numbers a side, not all features.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import scipy.linalg

from drsl.features.errors import choose, require
from drsl.features.store import Features
from drsl.train.methods.cca import ridge_factor
from drsl.train.methods.linear import LinearConfig, LinearMethod, Solution, require_candidates
from drsl.train.moments import View, training_moments

__all__ = ["Gma", "GmaConfig", "aligned_directions"]


@dataclass(frozen=True)
class GmaConfig(LinearConfig):
    """Generalized multiview linear discriminant analysis."""

    components: tuple[int, ...] = (10, 20, 50, 100, 200)
    """numbers of directions that are kept; K - 1 at most"""
    alpha: tuple[float, ...] = (1.0, 10.0, 100.0, 1000.0)
    """weight of what brings the sides together"""
    mu: tuple[float, ...] = (1.0,)
    """weight of the texts' scatter of class means"""
    ridge: tuple[float, ...] = (1e-6, 1e-2, 1.0)
    """on the scatter within classes, in units of its mean diagonal"""
    energy: float = 0.95
    """share of a side's variance that its principal components keep, where it has more features than items"""
    alignment: str = "class"
    """what must come together: the two means of each `class`, or the two items of each of the `couples`"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("alpha", "mu", "ridge"):
            require_candidates(getattr(self, key), key, 0)
        require(0 < self.energy <= 1, f"energy: {self.energy} must be above 0 and at most 1")
        choose("alignment", self.alignment, ("class", "couples"))


class Gma(LinearMethod):
    """GMLDA; alpha, mu, the ridge and the number of directions are chosen on val."""

    name = "gma"
    config_type = GmaConfig
    candidates = ("alpha", "mu", "ridge")

    def _solutions(self, image: Features, text: Features) -> Iterator[tuple[np.ndarray, np.ndarray, Solution]]:
        config = self.config
        method = self.name if config.alignment == "couples" else ""
        moments = training_moments(image, text, method=method, energy=config.energy)
        sides = moments.image, moments.text
        means = [_class_means(view) for view in sides]
        between = [np.sqrt(view.class_count)[:, None] * mean for view, mean in zip(sides, means, strict=True)]
        within = [view.scatter - each.T @ each for view, each in zip(sides, between, strict=True)]
        aligned = means[0].T @ means[1] if moments.cross is None else moments.cross
        traces = [max(float(np.trace(each)), 1e-30) for each in within]
        count = min(max(config.components), max(1, len(image.classes) - 1))
        for alpha, mu, ridge in product(config.alpha, config.mu, config.ridge):
            left, right, value = aligned_directions(
                (within[0], within[1]),
                (between[0], between[1]),
                aligned,
                weights=(alpha, mu, traces[0] / traces[1]),
                ridge=ridge,
                components=count,
            )
            chosen = {"alpha": alpha, "mu": mu, "ridge": ridge}
            lifted = moments.image.lift(left), moments.text.lift(right)
            if len(value):
                strength = np.sqrt(value / value[0])
                yield moments.image.mean, moments.text.mean, Solution(chosen, *lifted, strength)


def aligned_directions(
    within: tuple[np.ndarray, np.ndarray],
    between: tuple[np.ndarray, np.ndarray],
    aligned: np.ndarray,
    *,
    weights: tuple[float, float, float],
    ridge: float,
    components: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solves the generalised eigenproblem of GMA for any A_v = P_vT P_v.

    Args:
        within: B_i (r_i, r_i) and B_t (r_t, r_t).
        between: P_i (m, r_i) and P_t (m', r_t).
        aligned: Z_iT Z_t, (r_i, r_t).
        weights: alpha, mu and gamma.
        ridge: on B_v, as a multiple of its mean diagonal.
        components: the largest number of directions.

    Returns:
        W_i (r_i, k), W_t (r_t, k) with W_iT B_i W_i + gamma W_tT B_t W_t = I, and lambda (k,), largest first, those
        above 0 alone.

    Raises:
        UserError: a B_v cannot be inverted with so small a ridge.
    """
    alpha, mu, gamma = weights
    left, right = (ridge_factor(each, ridge) for each in within)
    image, text = (_solve(factor, each.T) for factor, each in zip((left, right), between, strict=True))
    cross = _solve(right, _solve(left, aligned).T).T
    frames = [
        scipy.linalg.qr(np.hstack(each), mode="economic", check_finite=False)[0]
        for each in ((image, cross), (text, cross.T))
    ]
    image, text = frames[0].T @ image, frames[1].T @ text
    cross = alpha / np.sqrt(gamma) * (frames[0].T @ cross @ frames[1])
    whole = np.block([[image @ image.T, cross], [cross.T, mu / gamma * (text @ text.T)]])
    first = max(0, len(whole) - components)
    value, vector = scipy.linalg.eigh(whole, subset_by_index=(first, len(whole) - 1), check_finite=False)
    kept = np.flatnonzero(value > 1e-12 * max(value[-1], 0))[::-1]
    upper, lower = frames[0] @ vector[: len(image), kept], frames[1] @ vector[len(image) :, kept] / np.sqrt(gamma)
    found = [
        scipy.linalg.solve_triangular(factor, each, lower=True, trans="T", check_finite=False)
        for factor, each in ((left, upper), (right, lower))
    ]
    return found[0], found[1], value[kept]


def _class_means(view: View) -> np.ndarray:
    """(K, r); zeros for a class that the side has no items of."""
    means: np.ndarray = view.class_sum / np.maximum(view.class_count, 1)[:, None]
    return means


def _solve(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
    found: np.ndarray = scipy.linalg.solve_triangular(factor, right, lower=True, check_finite=False)
    return found
