"""Features brought to mean 0 and deviation 1, as measured on the train split alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drsl.features.importers.front import block_rows

__all__ = ["Scaling", "measure"]


@dataclass(frozen=True)
class Scaling:
    """What is done to every row; by default nothing."""

    mean: np.ndarray | None = None
    """(d,) float64; None: rows stay as they are"""
    deviation: np.ndarray | None = None
    """(d,) float64, without zeros"""

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """Scales some rows.

        Args:
            rows: (b, d).

        Returns:
            (b, d).
        """
        return rows if self.mean is None else (rows - self.mean) / self.deviation


def measure(train: np.ndarray) -> Scaling:
    """Measures mean and deviation, block by block.

    Args:
        train: (n, d) of the train split; it may be memory-mapped.

    Returns:
        The scaling; a number that is the same in all rows is only shifted.
    """
    rows = block_rows(train)
    starts = range(0, len(train), rows)
    mean = sum(train[start : start + rows].sum(axis=0, dtype=np.float64) for start in starts) / len(train)
    square = sum(np.square(train[start : start + rows] - mean).sum(axis=0) for start in starts) / len(train)
    deviation = np.sqrt(square)
    # Rounding alone gives a constant a tiny deviation.
    return Scaling(mean, np.where(deviation > 1e-6 * np.maximum(1e-6, np.abs(mean)), deviation, 1.0))
