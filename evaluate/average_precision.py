"""Average precision of each query, and its mean over queries (mAP@ALL and mAP@R of the paper)."""

from __future__ import annotations

import operator

import numpy as np

from drsl.evaluate.ranking import Hits, ranked_hits
from drsl.features.errors import SettingError

__all__ = ["average_precision", "average_precision_of", "check_cutoff", "mean_average_precision", "mean_over_queries"]


def average_precision(
    score: np.ndarray,
    query_label: np.ndarray,
    gallery_label: np.ndarray,
    at: int | None = None,
    *,
    name: str | None = None,
) -> np.ndarray:
    """Average precision (AP) of each query: the mean of the precision at the rank of each relevant item.

    With a cut-off R only the relevant items ranked within R count, and the mean is over those.

    Args:
        score: (n_q, n_g) real numbers of any type, higher is more similar; ties are ranked by gallery position.
        query_label: (n_q,) labels; a gallery item is relevant when it has the query's label.
        gallery_label: (n_g,) labels.
        at: the cut-off R; None ranks the whole gallery.
        name: the method that gave the scores, for messages.

    Returns:
        (n_q,) float64 from 0 to 1. NaN where the gallery has no relevant item; 0 where it has, but none within R.

    Raises:
        ValueError: shapes or types do not fit together.
        UserError: a score is NaN or infinite.
        SettingError: the cut-off is not a positive integer.

    Source: section 4.2 of the paper; the divisor of mAP@R is the number of relevant items found within R.

    >>> average_precision(np.array([[0.9, 0.1, 0.5]]), np.array([0]), np.array([0, 0, 1])).round(4).tolist()
    [0.8333]
    """
    at = None if at is None else check_cutoff(at)
    blocks = ranked_hits(score, query_label, gallery_label, name=name)
    return np.concatenate([average_precision_of(hits, at) for hits in blocks])


def mean_average_precision(
    score: np.ndarray,
    query_label: np.ndarray,
    gallery_label: np.ndarray,
    at: int | None = None,
    *,
    name: str | None = None,
) -> float:
    """Mean average precision (mAP): the mean of `average_precision` over the queries that have a relevant item.

    Args:
        score: (n_q, n_g) real numbers of any type, higher is more similar; ties are ranked by gallery position.
        query_label: (n_q,) labels; a gallery item is relevant when it has the query's label.
        gallery_label: (n_g,) labels.
        at: the cut-off R; None ranks the whole gallery (mAP@ALL).
        name: the method that gave the scores, for messages.

    Returns:
        A number from 0 to 1; NaN when no query has a relevant item.

    Raises:
        ValueError: shapes or types do not fit together.
        UserError: a score is NaN or infinite.
        SettingError: the cut-off is not a positive integer.

    >>> score = np.array([[0.9, 0.1, 0.5], [0.2, 0.7, 0.1]])
    >>> round(mean_average_precision(score, np.array([0, 1]), np.array([0, 0, 1])), 4)
    0.5833
    """
    each = average_precision(score, query_label, gallery_label, at, name=name)
    return float(mean_over_queries(each, ~np.isnan(each)))


def average_precision_of(hits: Hits, at: int | None = None) -> np.ndarray:
    """Average precision of the queries of one block.

    Args:
        hits: the ranks of their relevant items.
        at: the cut-off R, at least 1, or None.

    Returns:
        (b,) float64, as `average_precision`.
    """
    queries = len(hits.count)
    query, rank, ordinal, found = hits.query, hits.rank, hits.ordinal, hits.count
    if at is not None:
        within = rank <= at
        query, rank, ordinal = query[within], rank[within], ordinal[within]
        found = np.bincount(query, minlength=queries)
    total = np.bincount(query, weights=ordinal / rank, minlength=queries)
    return np.where(hits.count > 0, total / np.maximum(found, 1), np.nan)


def mean_over_queries(value: np.ndarray, has_relevant: np.ndarray) -> np.ndarray:
    """Mean over the queries that have a relevant item; the others are left out.

    Args:
        value: (n_q, ...) numbers.
        has_relevant: (n_q,) bool.

    Returns:
        (...) float64; NaN when no query has a relevant item.
    """
    kept = value[has_relevant]
    return kept.mean(axis=0) if len(kept) else np.full(value.shape[1:], np.nan)


def check_cutoff(value: object, key: str = "at") -> int:
    """Checks a cut-off R.

    Args:
        value: what was given.
        key: the setting's name, for the message.

    Returns:
        The value as an int.

    Raises:
        SettingError: it is not a whole number of at least 1.
    """
    try:
        cutoff = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        cutoff = 0
    if cutoff < 1:
        raise SettingError(f"{key}: {value!r} is not a whole number of at least 1")
    return cutoff
