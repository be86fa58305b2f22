"""The two curves of the paper: interpolated precision over recall, and precision over scope (the top R)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drsl.evaluate.average_precision import check_cutoff, mean_over_queries
from drsl.evaluate.ranking import Hits, ranked_hits
from drsl.features.errors import SettingError

__all__ = ["RECALL_LEVELS", "interpolated_precision", "precision_recall", "precision_scope", "precision_within"]

RECALL_LEVELS = tuple(level / 10 for level in range(11))
"""Recall 0.0, 0.1, ..., 1.0."""


def precision_recall(
    score: np.ndarray, query_label: np.ndarray, gallery_label: np.ndarray, *, name: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Eleven-point precision-recall curve, mean over the queries that have a relevant item.

    The interpolated precision at a level of recall is the best precision at any rank that reaches that recall.

    Args:
        score: (n_q, n_g) real numbers of any type, higher is more similar; ties are ranked by gallery position.
        query_label: (n_q,) labels; a gallery item is relevant when it has the query's label.
        gallery_label: (n_g,) labels.
        name: the method that gave the scores, for messages.

    Returns:
        Recall (11,) float64: 0.0, 0.1, ..., 1.0; and precision (11,) float64, NaN when no query has a relevant item.

    Raises:
        ValueError: shapes or types do not fit together.
        UserError: a score is NaN or infinite.

    Source: Manning, Raghavan, Schuetze, "Introduction to Information Retrieval" (2008), section 8.4.

    >>> recall, precision = precision_recall(np.array([[0.9, 0.1, 0.5]]), np.array([0]), np.array([0, 0, 1]))
    >>> precision[[0, 5, 6, 10]].round(4).tolist()
    [1.0, 1.0, 0.6667, 0.6667]
    """
    blocks = ranked_hits(score, query_label, gallery_label, name=name)
    precision, has_relevant = zip(*((interpolated_precision(hits), hits.count > 0) for hits in blocks), strict=True)
    return np.array(RECALL_LEVELS), mean_over_queries(np.concatenate(precision), np.concatenate(has_relevant))


def precision_scope(
    score: np.ndarray,
    query_label: np.ndarray,
    gallery_label: np.ndarray,
    scope: Sequence[int],
    *,
    name: str | None = None,
) -> np.ndarray:
    """Precision within the top R for each scope R, mean over the queries that have a relevant item.

    Args:
        score: (n_q, n_g) real numbers of any type, higher is more similar; ties are ranked by gallery position.
        query_label: (n_q,) labels; a gallery item is relevant when it has the query's label.
        gallery_label: (n_g,) labels.
        scope: the values of R, each from 1 to n_g, in any order.
        name: the method that gave the scores, for messages.

    Returns:
        (len(scope),) float64 from 0 to 1, in the order of `scope`; NaN when no query has a relevant item.

    Raises:
        ValueError: shapes or types do not fit together.
        UserError: a score is NaN or infinite.
        SettingError: a scope is not a whole number from 1 to n_g.

    >>> precision_scope(np.array([[0.9, 0.1, 0.5]]), np.array([0]), np.array([0, 0, 1]), [1, 2, 3]).round(4).tolist()
    [1.0, 0.5, 0.6667]
    """
    blocks = ranked_hits(score, query_label, gallery_label, name=name)  # checks the shapes
    scope = _check_scope(scope, len(gallery_label))
    precision, has_relevant = zip(*((precision_within(hits, scope), hits.count > 0) for hits in blocks), strict=True)
    return mean_over_queries(np.concatenate(precision), np.concatenate(has_relevant))


def interpolated_precision(hits: Hits) -> np.ndarray:
    """Interpolated precision of the queries of one block at the eleven levels of recall.

    Args:
        hits: the ranks of their relevant items.

    Returns:
        (b, 11) float64; rows of zeros for queries without a relevant item.
    """
    count = hits.count[hits.count > 0]
    result = np.zeros((len(hits.count), len(RECALL_LEVELS)))
    if not len(count):
        return result
    # Between two hits precision only falls, so the best is always at a hit. Level l is reached at the hit number
    # ceil(l / 10 * count), in whole numbers so that rounding cannot move it; level 0 at the first hit.
    reached = np.maximum((count[:, np.newaxis] * np.arange(11) + 9) // 10, 1)
    start = (np.cumsum(count) - count)[:, np.newaxis] + reached - 1
    # Best precision from each level's hit up to the next level's; the last one's reaches to the next query's first hit.
    # Where two levels share a hit, reduceat gives that hit's precision, which the later level holds anyway.
    best = np.maximum.reduceat(hits.ordinal / hits.rank, start.ravel()).reshape(start.shape)
    result[hits.count > 0] = np.maximum.accumulate(best[:, ::-1], axis=1)[:, ::-1]
    return result


def precision_within(hits: Hits, scope: Sequence[int]) -> np.ndarray:
    """Share of relevant items in the top R of the queries of one block.

    Args:
        hits: the ranks of their relevant items.
        scope: the values of R.

    Returns:
        (b, len(scope)) float64.
    """
    queries = len(hits.count)
    found = [np.bincount(hits.query[hits.rank <= each], minlength=queries) / each for each in scope]
    return np.stack(found, axis=1) if found else np.zeros((queries, 0))


def _check_scope(scope: Sequence[int], gallery: int) -> list[int]:
    checked = [check_cutoff(each, "scope") for each in scope]
    for each in checked:
        if each > gallery:
            raise SettingError(f"scope: {each} is larger than the gallery of {gallery} items: leave it out")
    return checked
