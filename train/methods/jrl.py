"""Joint representation learning: Zhai, Peng, Xiao, IEEE Transactions on CSVT 24 (2014).

Sparse, smooth linear regression of both modalities to the K labels, over P_i (d_i, K) and P_t (d_t, K):

    lambda |X_i P_i - X_t P_t|^2 + mu sum |X_v P_v - Y|^2 + sigma sum tr(P_vT X_vT L_v X_v P_v) + gamma sum |P_v|_2,1

|P|_2,1 is the sum of the rows' lengths, L_v the normalised Laplacian of a graph of items. With D_v the diagonal of
1 / (2 |row of P_v|), each side is solved in turn, which never raises the loss:

    P_v = (gamma D_v + sigma X_vT L_v X_v + (lambda + mu) X_vT X_v)^-1 (lambda X_vT X_w P_w + mu X_vT Y).

An item is scored by its class posterior: a vote of the training items of both modalities nearest to it in the space of
the labels, weighted by 1 / (1 + exp(distance)); the score of a pair is the inner product of its two posteriors.

Differs from the original: the terms over items are divided by their number, so that gamma is of the same size on all
data, and gamma and sigma are judged on val; sides are solved in turn (Gauss-Seidel), starting from a ridge regression
each, not from random numbers. `graph: ridge` is what the released code does in effect: the affinities of standardised
features underflow there, so L_v is the identity but for rounding; `graph: knn` is the graph that is meant. The released
code also puts the test items' features into the graph, which ours never sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg

from drsl.features.errors import UserError, choose, require
from drsl.features.store import Features
from drsl.train.graph import adjacency_scatter, nearest, neighbour_graph, normalised_adjacency
from drsl.train.methods.linear import LinearMethod, Solution, require_candidates
from drsl.train.moments import Moments, View, training_moments
from drsl.train.side import couples, rows_of

__all__ = ["Jrl", "JrlConfig", "Regression", "quadratic_terms", "regress", "standardised"]

_ROWS = 512
"""Items whose nearest training items are looked for at a time."""

_SHORTEST = 1e-8
"""Rows count as at least this long, as 1 / length would not be finite."""


@dataclass(frozen=True)
class JrlConfig:
    """Joint representation learning. Several values of a setting are candidates for val."""

    gamma: tuple[float, ...] = (0.001, 0.01, 0.1, 1.0)
    """weight of the rows' lengths, beside means over items: large values leave few features"""
    sigma: tuple[float, ...] = (1.0,)
    """weight of the graph"""
    agreement: float = 1.0
    """lambda, weight of the distance of a couple's two predictions"""
    fidelity: float = 1.0
    """mu, weight of the distance to the labels"""
    graph: str = "ridge"
    """`ridge` as the released code has it in effect; `knn` joins nearest neighbours"""
    neighbours: int = 100
    """neighbours of an item in the graph `knn`"""
    ranking: str = "posterior"
    """`posterior`, or `cosine` of the predictions"""
    nearest: int = 100
    """training items that vote for a posterior"""
    sweeps: int = 5
    """how often both sides are solved, at most"""
    tolerance: float = 0.02
    """sweeps end when the loss falls by less than this fraction"""

    def __post_init__(self) -> None:
        require_candidates(self.gamma, "gamma", 0)
        require_candidates(self.sigma, "sigma", 0)
        choose("graph", self.graph, ("ridge", "knn"))
        choose("ranking", self.ranking, ("posterior", "cosine"))
        for key in ("agreement", "tolerance"):
            require(getattr(self, key) >= 0, f"{key}: {getattr(self, key)} must be at least 0")
        require(self.fidelity > 0, f"fidelity: {self.fidelity} must be above 0")
        for key in ("neighbours", "nearest", "sweeps"):
            require(getattr(self, key) >= 1, f"{key}: {getattr(self, key)} must be at least 1")


class Jrl(LinearMethod):
    """JRL; it learns from couples, and all training items vote."""

    name = "jrl"
    config_type = JrlConfig
    candidates = ("gamma", "sigma")
    weighting = ()

    def _solutions(self, image: Features, text: Features) -> Iterator[tuple[np.ndarray, np.ndarray, Solution]]:
        rows = couples(image, text, "train", self.name)
        moments = training_moments(image, text, method=self.name)
        problem = standardised(moments)
        if self.config.graph == "ridge":
            problem = replace(problem, items=_few_items((image, text), rows, moments, problem.scale))
        else:
            sides = zip((image, text), rows, (moments.image, moments.text), problem.scale, strict=True)
            left, right = (_smoothness(*side, self.config.neighbours) for side in sides)
            problem = replace(problem, graph=(left, right))
        for sigma in self.config.sigma:
            quadratic = quadratic_terms(problem, sigma, self.config)
            for gamma in self.config.gamma:
                (left, right), _ = regress(problem, quadratic, gamma, self.config)
                found = Solution(
                    {"gamma": gamma, "sigma": sigma},
                    problem.scale[0][:, None] * left,
                    problem.scale[1][:, None] * right,
                    np.ones(left.shape[1]),
                )
                yield moments.image.mean, moments.text.mean, found

    def _found(self, image: Features, text: Features, *rest: Any) -> dict[str, np.ndarray]:
        self.arrays = super()._found(image, text, *rest)
        if self.config.ranking == "posterior":
            bank, label = [], []
            for modality, features in (("image", image), ("text", text)):
                rows = rows_of(features, "train")
                label.append(features.label[rows])
                for start in range(0, len(rows), _ROWS):
                    bank.append(self._embed(modality, features.feature[rows[start : start + _ROWS]]))
            self.arrays |= {"bank": np.concatenate(bank), "bank_label": np.concatenate(label)}
        return self.arrays

    def _judge(self, image: Features, text: Features) -> Callable[[int, np.ndarray], float]:
        return lambda count, weight: self._val_map(image, text)

    def represent(self, modality: str, feature: np.ndarray) -> np.ndarray:
        """Class posteriors, or unit vectors when the ranking is `cosine`.

        Args:
            modality: `image` or `text`.
            feature: (n, d) float32.

        Returns:
            (n, K) float32.

        Raises:
            UserError: not fitted, or another width.
        """
        if self.config.ranking == "cosine":
            return super().represent(modality, feature)
        self._check_width(modality, feature)
        starts = range(0, max(1, len(feature)), _ROWS)
        return np.concatenate(
            [self._posterior(self._embed(modality, feature[start : start + _ROWS])) for start in starts]
        )

    def _posterior(self, vectors: np.ndarray) -> np.ndarray:
        """(b, K) votes, which sum to 1, of the training items nearest to (b, K) predictions."""
        bank, label = self.arrays["bank"], self.arrays["bank_label"]
        distance, place = nearest(vectors, bank, min(self.config.nearest, len(bank)))
        affinity = -np.logaddexp(0, distance.astype(np.float64))  # its logarithm, which does not underflow
        weight = np.exp(affinity - affinity.max(axis=1, keepdims=True, initial=-np.inf))
        weight /= weight.sum(axis=1, keepdims=True)
        cell = np.arange(len(vectors))[:, None] * self.classes + label[place]
        votes = np.bincount(cell.ravel(), weight.ravel(), minlength=len(vectors) * self.classes)
        return votes.reshape(len(vectors), self.classes).astype(np.float32)

    def _restore(self, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
        rest = dict(arrays)
        if self.settings["ranking"] == "posterior":
            bank, label = rest.pop("bank"), rest.pop("bank_label")
            fits = bank.shape == (len(label), arrays["image_projection"].shape[1]) and len(label) > 0
            if not fits or not 0 <= label.min() <= label.max() < self.classes:
                raise ValueError("training items and their labels do not fit together")
        super()._restore(rest, about)
        self.arrays = arrays


@dataclass(frozen=True)
class Regression:
    """What the loss needs to know of standardised items; means over couples, the image's part first."""

    scale: tuple[np.ndarray, np.ndarray]
    """(d,) factors that give the features deviation 1; 0 where they are constant"""
    covariance: tuple[np.ndarray, np.ndarray]
    """(d, d) X_vT X_v / n"""
    cross: np.ndarray
    """(d_i, d_t) X_iT X_t / n"""
    target: tuple[np.ndarray, np.ndarray]
    """(d, K) X_vT Y / n"""
    graph: tuple[np.ndarray, np.ndarray]
    """(d, d) X_vT L_v X_v / n"""
    items: tuple[np.ndarray | None, np.ndarray | None] = (None, None)
    """(n, d) F with FT F the covariance, where the graph is `ridge` and there are fewer couples than features"""


def standardised(moments: Moments) -> Regression:
    """The regression of standardised features, with the graph `ridge`.

    Args:
        moments: sums over couples.

    Returns:
        The means over couples.

    Raises:
        UserError: there is no couple.
    """
    if moments.cross is None or not moments.image.count:
        raise UserError("jrl needs couples of an image and a text in the train split")
    scales, covariances, targets = [], [], []
    for view in (moments.image, moments.text):
        deviation = np.sqrt(np.diag(view.scatter) / view.count)
        fine = deviation > 1e-6 * np.maximum(np.abs(view.mean), 1e-30)  # rounding leaves constants a tiny deviation
        scale = np.where(fine, 1 / np.where(fine, deviation, 1), 0)
        scales.append(scale)
        covariances.append(view.scatter * (scale[:, None] * (scale / view.count)))
        targets.append(view.class_sum.T * (scale / view.count)[:, None])
    cross = moments.cross * (scales[0][:, None] * (scales[1] / moments.image.count))
    covariance = covariances[0], covariances[1]
    return Regression((scales[0], scales[1]), covariance, cross, (targets[0], targets[1]), covariance)


def _few_items(
    sides: tuple[Features, Features],
    rows: tuple[np.ndarray, np.ndarray],
    moments: Moments,
    scales: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Standardised couples over the root of their number, of a side that has fewer of them than features."""
    image, text = (
        (features.feature[each] - view.mean) * (scale / np.sqrt(view.count)) if view.count < len(scale) else None
        for features, each, view, scale in zip(sides, rows, (moments.image, moments.text), scales, strict=True)
    )
    return image, text


def _smoothness(features: Features, rows: np.ndarray, view: View, scale: np.ndarray, neighbours: int) -> np.ndarray:
    """(d, d) XT L X / n of the graph of nearest neighbours."""
    adjacency = normalised_adjacency(neighbour_graph(features, rows, view.mean, scale, neighbours))
    found = view.scatter * (scale[:, None] * scale)
    found -= adjacency_scatter(features, rows, view.mean, scale, adjacency)
    found /= len(rows)
    return found


def quadratic_terms(problem: Regression, sigma: float, config: JrlConfig) -> tuple[np.ndarray, np.ndarray]:
    """What stands beside gamma D_v in the equation of each side.

    Args:
        problem: means over couples.
        sigma: weight of the graph.
        config: the other weights.

    Returns:
        Q = sigma G_v + (lambda + mu) C_v of the image and of the text, (d, d); or (n, d) F with FT F = Q, n < d.
    """
    weight = config.agreement + config.fidelity
    image, text = (
        weight * covariance + sigma * graph if items is None else np.sqrt(weight + sigma) * items
        for covariance, graph, items in zip(problem.covariance, problem.graph, problem.items, strict=True)
    )
    return image, text


def regress(
    problem: Regression,
    quadratic: tuple[np.ndarray, np.ndarray],
    gamma: float,
    config: JrlConfig,
    start: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[tuple[np.ndarray, np.ndarray], list[float]]:
    """Solves the sides in turn until the loss hardly falls.

    Args:
        problem: means over couples.
        quadratic: from `quadratic_terms`.
        gamma: weight of the rows' lengths.
        config: the other settings.
        start: P_i and P_t to start from; None for a ridge regression of each side, which takes all rows as of length 1
            (rows of zeros would stay so).

    Returns:
        P_i (d_i, K) and P_t (d_t, K); the loss after each sweep.

    Raises:
        UserError: gamma is 0, and features depend on each other.
    """
    found = [np.zeros_like(each) for each in problem.target] if start is None else list(start)
    crosses = problem.cross, problem.cross.T
    losses: list[float] = []
    for sweep in range(config.sweeps):
        for side in (0, 1):
            known = sweep or start is not None
            length = np.linalg.norm(found[side], axis=1) if known else np.ones(len(found[side]))
            right = config.fidelity * problem.target[side] + config.agreement * (crosses[side] @ found[1 - side])
            found[side] = _solve(quadratic[side], gamma, np.maximum(length, _SHORTEST), right)
        losses.append(_loss(problem, quadratic, gamma, config, found))
        if len(losses) > 1 and losses[-2] - losses[-1] < config.tolerance * losses[-2]:
            break
    return (found[0], found[1]), losses


def _solve(quadratic: np.ndarray, gamma: float, length: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The solution of (gamma D + Q) P = R, scaled by D^-1/2 so that short rows do not spoil the condition."""
    root = np.sqrt(2 * length)[:, None] if gamma else np.ones((len(length), 1))
    right = root * right
    few = len(quadratic) < len(length)
    # The matrix of the equation, or with few items that of Woodbury's formula; LAPACK works in place in this order.
    scaled = (quadratic * root.T if few else quadratic * root * root.T).T
    matrix = (scaled.T @ scaled).T if few else scaled
    matrix[np.diag_indices_from(matrix)] += gamma
    try:
        factor = scipy.linalg.cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    except scipy.linalg.LinAlgError:
        raise UserError(f"gamma: {gamma} is too small for features that depend on each other: raise it") from None
    if few:
        solved = (right - scaled @ scipy.linalg.cho_solve(factor, scaled.T @ right, check_finite=False)) / gamma
    else:
        solved = scipy.linalg.cho_solve(factor, right, overwrite_b=True, check_finite=False)
    return root * solved


def _loss(
    problem: Regression,
    quadratic: tuple[np.ndarray, np.ndarray],
    gamma: float,
    config: JrlConfig,
    found: list[np.ndarray],
) -> float:
    """The loss over the number of couples; each item's label has length 1."""
    value = 2 * config.fidelity - 2 * config.agreement * np.sum(found[0] * (problem.cross @ found[1]))
    for each, square, target in zip(found, quadratic, problem.target, strict=True):
        image = square @ each
        value += np.sum(image * (each if len(square) == len(each) else image)) - 2 * config.fidelity * np.sum(
            each * target
        )
        value += gamma * np.linalg.norm(each, axis=1).sum()
    return float(value)
