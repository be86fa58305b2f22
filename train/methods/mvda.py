"""Multi-view discriminant analysis: Kan, Shan, Zhang, Lao, Chen, ECCV 2012, and IEEE TPAMI 38 (2016).

One projection a modality into a space where the classes, each with one mean mu_c over the items of both modalities, lie
far apart and narrow: the largest Tr(WT S_B W) / Tr(WT S_W W), as a ratio trace. With M (K, d_i + d_t) the class sums of
both sides next to each other and n_c the items of a class, P = MT diag(1/n_c) M,

    S_B = P - (MT 1)(MT 1)T / sum n_c,    S_W = blkdiag(X_iT X_i, X_tT X_t) - P,

so no matrix of items by items is needed, nor couples. S_B = G GT with G (d, K); with S_W + r I = L LT and the singular
vectors U of L^-1 G, W = L^-T U, and the eigenvalues are the squared singular values. K - 1 directions exist at most.

Differs from the original: each side is centred by its own training mean (else S_W would hold the offset of the sides),
a ridge, as a multiple of the mean within-class variance, is judged on val, and principal components are taken only
where there are more features than items.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from drsl.features.errors import UserError, require
from drsl.features.store import Features
from drsl.train.methods.linear import LinearConfig, LinearMethod, Solution, require_candidates
from drsl.train.moments import Moments, training_moments

__all__ = ["Mvda", "MvdaConfig", "both_sides", "class_scatter", "discriminant_directions"]


@dataclass(frozen=True)
class MvdaConfig(LinearConfig):
    """Multi-view discriminant analysis."""

    components: tuple[int, ...] = (1000,)
    """numbers of directions that are kept; there are at most as many as classes, less one"""
    power: tuple[float, ...] = (0.0, 1.0)
    """a direction is weighted by the root of its eigenvalue to this power"""
    ridge: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    """added to the within-class scatter, in units of its mean variance"""
    energy: float = 0.99
    """share of a side's variance that its principal components keep, where it has more features than items"""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_candidates(self.ridge, "ridge", 0)
        require(0 < self.energy <= 1, f"energy: {self.energy} must be above 0 and at most 1")


class Mvda(LinearMethod):
    """MvDA; the ridge and the weight of the directions are chosen on val."""

    name = "mvda"
    config_type = MvdaConfig
    candidates = ("ridge",)

    def _solutions(self, image: Features, text: Features) -> Iterator[tuple[np.ndarray, np.ndarray, Solution]]:
        moments = training_moments(image, text, energy=self.config.energy)
        within, between = class_scatter(moments, self.name)
        mean = np.trace(within) / len(within)
        for ridge in self.config.ridge:
            found, strength = discriminant_directions(within, between, ridge * mean, max(self.config.components))
            yield moments.image.mean, moments.text.mean, both_sides(moments, {"ridge": ridge}, found, strength)


def class_scatter(moments: Moments, name: str = "mvda") -> tuple[np.ndarray, np.ndarray]:
    """Scatter of both sides' items next to each other, with one mean a class.

    Args:
        moments: sums over the items of each side, r features in all.
        name: the method, for the message.

    Returns:
        S_W (r, r), and G (r, classes that have items) with G GT = S_B.

    Raises:
        UserError: there are not two classes.
    """
    views = moments.image, moments.text
    count = views[0].class_count + views[1].class_count
    seen = count > 0
    if seen.sum() < 2:
        raise UserError(f"{name} needs two or more classes in the train split")
    total, count = np.concatenate([view.class_sum for view in views], axis=1)[seen], count[seen]
    scaled = total / np.sqrt(count)[:, None]
    within = np.zeros((total.shape[1], total.shape[1]))
    split = len(views[0].scatter)
    within[:split, :split], within[split:, split:] = views[0].scatter, views[1].scatter
    within -= scaled.T @ scaled
    # 0 on centred sides but for rounding; kept so that the formula holds for sums about any origin.
    between = scaled.T - np.outer(total.sum(axis=0) / count.sum(), np.sqrt(count))
    return within, between


def discriminant_directions(
    within: np.ndarray, between: np.ndarray, ridge: float, components: int
) -> tuple[np.ndarray, np.ndarray]:
    """The directions w of largest S_B w = lambda (S_W + ridge I) w.

    Args:
        within: S_W (r, r), symmetric.
        between: G (r, c) with G GT = S_B, which loses one rank to the mean.
        ridge: what is added to the diagonal.
        components: the largest number of directions.

    Returns:
        W (r, k) with WT (S_W + ridge I) W = I, and the roots of the eigenvalues (k,), largest first;
        k = min(components, r, c - 1).

    Raises:
        UserError: S_W cannot be inverted with so small a ridge.
    """
    ridged = within.copy().T  # symmetric; LAPACK works in place in this order
    ridged[np.diag_indices_from(ridged)] += max(ridge, 1e-30)
    try:
        lower = scipy.linalg.cholesky(ridged, lower=True, overwrite_a=True, check_finite=False)
    except scipy.linalg.LinAlgError:
        raise UserError(f"ridge: {ridge:.3g} is too small for features that depend on each other: raise it") from None
    inner = scipy.linalg.solve_triangular(lower, between, lower=True, check_finite=False)
    u, strength, _ = scipy.linalg.svd(inner, full_matrices=False, overwrite_a=True, check_finite=False)
    count = min(components, len(within), between.shape[1] - 1)
    found = scipy.linalg.solve_triangular(lower, u[:, :count], lower=True, trans="T", check_finite=False)
    return found, strength[:count]


def both_sides(moments: Moments, chosen: dict[str, float], found: np.ndarray, strength: np.ndarray) -> Solution:
    """Cuts directions of both sides next to each other in two.

    Args:
        moments: what they were found from.
        chosen: the candidates they were found with.
        found: (r, k).
        strength: (k,).

    Returns:
        The solution in the features' coordinates.
    """
    split = len(moments.image.scatter)
    return Solution(chosen, moments.image.lift(found[:split]), moments.text.lift(found[split:]), strength)
