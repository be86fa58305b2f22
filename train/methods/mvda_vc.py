"""MvDA with view consistency: Kan, Shan, Zhang, Lao, Chen, IEEE TPAMI 38 (2016).

A direction of either modality is a combination of its n training items, w_v = X_vT beta_v; as item p of both sides is
one couple, the two combinations should be alike. The penalty sum over v, w of |beta_v - beta_w|^2 joins the scatter
within classes of `mvda.py`: S_B w = lambda (S_W + alpha M + r I) w. With beta_v = P_v w_v and
P_v = (X_v X_vT + e I)^-1 X_v = X_v R_v, R_v = (X_vT X_v + e I)^-1, only matrices of features by features are needed:

    M_vv = 2 R_v X_vT X_v R_v,    M_it = -2 R_i X_iT X_t R_t.

Differs from the original as `mvda.py` does, and M is scaled to the trace of S_W (its own scale is that of an inverse
covariance), so that one grid of alpha serves all features.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from drsl.features.errors import UserError, require
from drsl.features.store import Features
from drsl.train.methods.linear import LinearMethod, Solution, require_candidates
from drsl.train.methods.mvda import MvdaConfig, both_sides, class_scatter, discriminant_directions
from drsl.train.moments import Moments, training_moments

__all__ = ["MvdaVc", "MvdaVcConfig", "consistency_penalty"]


@dataclass(frozen=True)
class MvdaVcConfig(MvdaConfig):
    """MvDA with view consistency."""

    ridge: tuple[float, ...] = (1e-3, 1e-2, 1e-1)
    alpha: tuple[float, ...] = (1e-2, 1e-1, 1.0, 10.0)
    """weight of the penalty, which is scaled to the trace of the within-class scatter"""
    span: float = 1e-4
    """e, the ridge that makes the combinations of items unique, in units of a side's total scatter"""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_candidates(self.alpha, "alpha", 0)
        require(self.span > 0, f"span: {self.span} must be above 0")


class MvdaVc(LinearMethod):
    """MvDA-VC; it learns from couples alone. Ridge, alpha and the weight of the directions are chosen on val."""

    name = "mvda-vc"
    config_type = MvdaVcConfig
    candidates = ("ridge", "alpha")

    def _solutions(self, image: Features, text: Features) -> Iterator[tuple[np.ndarray, np.ndarray, Solution]]:
        moments = training_moments(image, text, method=self.name, energy=self.config.energy)
        within, between = class_scatter(moments, self.name)
        trace, penalty = np.trace(within), consistency_penalty(moments, self.config.span)
        penalty *= trace / np.trace(penalty)
        before = 0.0
        for alpha in self.config.alpha:
            within += (alpha - before) * penalty  # in place: each of these is large
            before = alpha
            for ridge in self.config.ridge:
                ridged = ridge * trace / len(within)
                found, strength = discriminant_directions(within, between, ridged, max(self.config.components))
                chosen = {"ridge": ridge, "alpha": alpha}
                yield moments.image.mean, moments.text.mean, both_sides(moments, chosen, found, strength)


def consistency_penalty(moments: Moments, span: float) -> np.ndarray:
    """M of the penalty wT M w = sum over v, w of |beta_v - beta_w|^2.

    Args:
        moments: sums over couples, r features in all.
        span: e, in units of each side's total scatter.

    Returns:
        (r, r), symmetric and positive semidefinite.

    Raises:
        UserError: the items are not couples, or a side is constant.
    """
    if moments.cross is None:
        raise UserError("view consistency needs couples of an image and a text")
    inverses, split = [], len(moments.image.scatter)
    found = np.empty((split + len(moments.text.scatter),) * 2)
    for view, part in ((moments.image, slice(None, split)), (moments.text, slice(split, None))):
        ridge = span * np.trace(view.scatter)
        ridged = view.scatter.copy().T
        ridged[np.diag_indices_from(ridged)] += ridge
        try:
            factor = scipy.linalg.cholesky(ridged, lower=True, overwrite_a=True, check_finite=False)
        except scipy.linalg.LinAlgError:
            raise UserError("mvda-vc cannot learn from features that are constant on the train split") from None
        inverse, _ = scipy.linalg.lapack.dpotri(factor, lower=True, overwrite_c=True)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        # R C R = R - e R^2, as C = R^-1 - e I.
        found[part, part] = 2 * (inverse - ridge * (inverse @ inverse.T))
        inverses.append(inverse)
    found[:split, split:] = -2 * (inverses[0] @ (moments.cross @ inverses[1]))
    found[split:, :split] = found[:split, split:].T
    return found
