"""Means and scatter matrices of training items, summed in blocks: what the linear methods learn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from drsl.features.errors import UserError
from drsl.features.store import Features
from drsl.train.side import couples, rows_of

__all__ = ["Moments", "View", "training_moments"]

_ROWS = 2048
"""Rows that are held in float64 at a time."""


@dataclass(frozen=True)
class View:
    """One modality's training items: sums in float64, centred on their mean."""

    count: int
    """n_v"""
    mean: np.ndarray
    """(d,)"""
    basis: np.ndarray | None
    """(d, r) orthonormal columns that all sums are in, from a principal component analysis; None for the d features"""
    scatter: np.ndarray
    """(r, r) sum of x xT"""
    class_count: np.ndarray
    """(K,) items a class"""
    class_sum: np.ndarray
    """(K, r) sum of x over the items of a class"""

    def lift(self, projection: np.ndarray) -> np.ndarray:
        """Brings directions back to the features.

        Args:
            projection: (r, k) directions in the coordinates of the sums.

        Returns:
            (d, k).
        """
        return projection if self.basis is None else self.basis @ projection


@dataclass(frozen=True)
class Moments:
    """Both modalities' sums."""

    image: View
    text: View
    cross: np.ndarray | None
    """(r_i, r_t) sum of x_i x_tT over couples; None when the items were not taken as couples"""


def training_moments(image: Features, text: Features, *, method: str = "", energy: float = 1.0) -> Moments:
    """Sums over the train split. Memory is that of the sums and one block of rows.

    Args:
        image: features (n, d_i) of all splits.
        text: features (n', d_t) of all splits.
        method: who needs couples, for the message; then only couples are summed. Empty takes every item of each side.
        energy: share of a view's variance that its principal components keep, where it has more features than items;
            1 leaves the features as they are.

    Returns:
        The sums.

    Raises:
        UserError: couples are needed, and there is none; or a side has no items.
    """
    rows = couples(image, text, "train", method) if method else (rows_of(image, "train"), rows_of(text, "train"))
    for side, each in zip(("image", "text"), rows, strict=True):
        if not len(each):
            raise UserError(f"the train split has no {side}: give some in the manifest")
    views = _view(image, rows[0], energy), _view(text, rows[1], energy)
    return Moments(*views, _cross(image, text, *rows, *views) if method else None)


def _view(features: Features, rows: np.ndarray, energy: float) -> View:
    mean = np.zeros(features.feature.shape[1])
    for block in _blocks(features, rows):
        mean += block.sum(axis=0)
    mean /= max(1, len(rows))
    basis = _components(features, rows, mean, energy) if energy < 1 and 0 < len(rows) < len(mean) else None
    width = len(mean) if basis is None else basis.shape[1]
    scatter, class_sum = np.zeros((width, width)), np.zeros((len(features.classes), width))
    label = features.label[rows]
    for start, block in enumerate(_blocks(features, rows)):
        centred = block - mean if basis is None else (block - mean) @ basis
        scatter += centred.T @ centred
        np.add.at(class_sum, label[start * _ROWS : start * _ROWS + len(centred)], centred)
    class_count = np.bincount(label, minlength=len(features.classes)).astype(np.float64)
    return View(len(rows), mean, basis, scatter, class_count, class_sum)


def _components(features: Features, rows: np.ndarray, mean: np.ndarray, energy: float) -> np.ndarray:
    """The first principal components, by the Gram matrix: fewer items than features."""
    centred = features.feature[rows].astype(np.float64) - mean
    value, vector = np.linalg.eigh(centred @ centred.T)
    value, vector = np.maximum(value[::-1], 0), vector[:, ::-1]
    share = np.cumsum(value) / max(value.sum(), np.finfo(float).tiny)
    count = min(int(np.searchsorted(share, energy)) + 1, int((value > 1e-10 * value[0]).sum()) or 1)
    basis: np.ndarray = centred.T @ (vector[:, :count] / np.sqrt(np.maximum(value[:count], np.finfo(float).tiny)))
    return basis


def _cross(
    image: Features, text: Features, images: np.ndarray, texts: np.ndarray, image_view: View, text_view: View
) -> np.ndarray:
    views = image_view, text_view
    total = np.zeros((len(image_view.scatter), len(text_view.scatter)))
    for left, right in zip(_blocks(image, images), _blocks(text, texts), strict=True):
        sides = [
            block - view.mean if view.basis is None else (block - view.mean) @ view.basis
            for block, view in zip((left, right), views, strict=True)
        ]
        total += sides[0].T @ sides[1]
    return total


def _blocks(features: Features, rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), _ROWS):
        yield features.feature[rows[start : start + _ROWS]].astype(np.float64)
