"""How far apart the scores of related and unrelated pairs lie."""

from __future__ import annotations

import numpy as np

from drsl.evaluate.report.content import Histogram
from drsl.evaluate.scores import Scores

__all__ = ["score_histogram"]

_TAIL = 0.001
"""Share of the pairs that may lie beyond either end of the bins, so that one far score does not flatten all others."""


def score_histogram(scores: Scores, bins: int = 40) -> Histogram:
    """Counts the scores of related and of unrelated pairs in bins of equal width.

    Args:
        scores: of all test images against all test texts.
        bins: how many.

    Returns:
        Shares of each kind of pair by bin, and the overlap of the two: 0 when every related pair is above every
        unrelated one, one half when the scores tell nothing.
    """
    related = scores.image_label[:, np.newaxis] == scores.text_label
    near, far = (np.sort(scores.score[chosen].astype(np.float64)) for chosen in (related, ~related))
    every = np.sort(np.concatenate([near, far]))
    if not len(every):
        return Histogram((0.0, 1.0), (0.0,), (0.0,), 0.0, 0, 0, float("nan"))
    cut = int(_TAIL * len(every))
    low, high = float(every[cut]), float(every[len(every) - 1 - cut])
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, bins + 1)
    counts = [np.histogram(kind, edges)[0] for kind in (near, far)]
    inside = sum(int(count.sum()) for count in counts)
    return Histogram(
        edges=tuple(edges.tolist()),
        related=tuple((counts[0] / max(len(near), 1)).tolist()),
        unrelated=tuple((counts[1] / max(len(far), 1)).tolist()),
        outside=1 - inside / len(every),
        related_pairs=len(near),
        unrelated_pairs=len(far),
        overlap=_overlap(near, far),
    )


def _overlap(near: np.ndarray, far: np.ndarray) -> float:
    """Probability that a number of `far` is above one of `near`, both sorted; equal ones count half."""
    if not len(near) or not len(far):
        return float("nan")
    below, upto = (np.searchsorted(near, far, side).astype(np.float64) for side in ("left", "right"))
    return float(((below + upto) / 2).mean() / len(near))
