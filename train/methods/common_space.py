"""Methods that bring both modalities into one space and score a pair by the cosine of its two vectors there."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from drsl.train.methods.configured import ConfiguredMethod

__all__ = ["CommonSpace", "unit_rows"]

_ROWS = 4096
"""Items that are embedded at a time, at most."""

_NUMBERS = 1 << 24
"""Numbers of features that are embedded at a time."""


class CommonSpace(ConfiguredMethod):
    """A subclass embeds features of one modality; scores are cosines, or inner products with `cosine = False`."""

    cosine: bool = True

    @abstractmethod
    def _embed(self, modality: str, feature: np.ndarray) -> np.ndarray:
        """(n, d) features to (n, L) vectors of the common space, any float type; raises UserError when not fitted."""

    def represent(self, modality: str, feature: np.ndarray) -> np.ndarray:
        """Vectors of the common space.

        Args:
            modality: `image` or `text`.
            feature: (n, d) float32.

        Returns:
            (n, L) float32, rows of length 1 when the score is the cosine; a row of zeros stays.

        Raises:
            UserError: not fitted, or another width.
        """
        self._check_width(modality, feature)
        rows = max(1, min(_ROWS, _NUMBERS // feature.shape[1]))
        starts = range(0, max(1, len(feature)), rows)
        found = np.concatenate([self._embed(modality, feature[start : start + rows]) for start in starts])
        return unit_rows(found) if self.cosine else found.astype(np.float32)

    def relate(self, images: np.ndarray, texts: np.ndarray) -> np.ndarray:
        """Scores all pairs of vectors of the common space.

        Args:
            images: (n_i, L) from `represent`.
            texts: (n_t, L) from `represent`.

        Returns:
            (n_i, n_t) float32.
        """
        scores: np.ndarray = images @ texts.T
        return scores

    def score(self, image_feature: np.ndarray, text_feature: np.ndarray) -> np.ndarray:
        """Scores all pairs.

        Args:
            image_feature: (n_i, d_i) float32.
            text_feature: (n_t, d_t) float32.

        Returns:
            (n_i, n_t) float32; higher is more similar.

        Raises:
            UserError: not fitted, or other widths.
        """
        return self.relate(self.represent("image", image_feature), self.represent("text", text_feature))


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; a row of zeros stays.

    Args:
        rows: (n, L) of any float type.

    Returns:
        (n, L) float32.
    """
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(length > 0, length, 1)).astype(np.float32)
