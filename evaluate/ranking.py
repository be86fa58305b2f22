"""The ranking rule, stated once: best score first, equal scores in the gallery's order.

Every metric of this room starts from `ranked_hits`: the ranks of the relevant items, a block of queries at a time, so
memory stays bounded whatever the size of the score matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from drsl.evaluate.counting import Relevant, relevant_ranks
from drsl.features.errors import UserError
from drsl.features.threads import run_parts

__all__ = ["BLOCK_ITEMS", "Hits", "check_scores", "rank", "ranked_hits", "require_finite", "tied_pairs", "tied_share"]

BLOCK_ITEMS = 1 << 20
"""Gallery items looked at at a time, over all queries of a block; it bounds the memory of every metric."""


@dataclass(frozen=True)
class Hits:
    """Where a block of b queries finds its relevant items; h is their number over the whole block."""

    count: np.ndarray
    """(b,) int64: number of relevant gallery items of each query"""
    query: np.ndarray
    """(h,) int64: row of the query within the block, ascending"""
    rank: np.ndarray
    """(h,) int64: rank of the relevant item, 1 is best; ascending within a query"""
    ordinal: np.ndarray
    """(h,) int64: 1 for the query's first relevant item, 2 for its second, ..."""


def check_scores(
    score: np.ndarray, query_label: np.ndarray, gallery_label: np.ndarray, *, name: str | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Checks what every metric takes.

    Args:
        score: (n_q, n_g) real numbers of any type, higher is more similar.
        query_label: (n_q,) labels, integers or strings.
        gallery_label: (n_g,) labels of the same kind.
        name: the method that gave the scores, for the message.

    Returns:
        The three as arrays; nothing is copied that is an array already.

    Raises:
        ValueError: shapes or types do not fit together.
        UserError: a score is NaN or infinite; names the method, the query and the gallery item.
    """
    score, query_label, gallery_label = np.asarray(score), np.asarray(query_label), np.asarray(gallery_label)
    if score.ndim != 2 or query_label.shape != score.shape[:1] or gallery_label.shape != score.shape[1:]:
        raise ValueError(
            f"score {score.shape}, query_label {query_label.shape} and gallery_label {gallery_label.shape} must have "
            "the shapes (n_q, n_g), (n_q,) and (n_g,)"
        )
    if score.dtype.kind not in "biuf":
        raise ValueError(f"score must hold real numbers, not {score.dtype}")
    kinds = {label.dtype.kind in "biuf" for label in (query_label, gallery_label) if label.size}
    if len(kinds) == 2:
        raise ValueError(f"query_label is {query_label.dtype} and gallery_label is {gallery_label.dtype}")
    for first, block in _blocks(score):
        require_finite(block, first, 0, name)
    return score, query_label, gallery_label


def require_finite(block: np.ndarray, first_query: int, first_item: int, name: str | None = None) -> None:
    """Refuses scores that are not finite.

    Args:
        block: (b, m) real numbers.
        first_query: position of the block's first query.
        first_item: position of the block's first gallery item.
        name: the method that gave the scores, for the message.

    Raises:
        UserError: a score is NaN or infinite; names the method, the query and the gallery item.
    """
    finite = np.isfinite(block)
    if not finite.all():
        query, item = np.argwhere(~finite)[0].tolist()
        raise UserError(
            f"{name or 'the method'} gives scores that are NaN or infinite (first: query {first_query + query}, "
            f"gallery item {first_item + item}): its training diverged or its features are broken; fit it again with "
            "other settings"
        )


def rank(score: np.ndarray) -> np.ndarray:
    """Ranks the gallery for each query: descending score, ties by gallery position.

    Args:
        score: (n_q, n_g) finite real numbers, higher is more similar.

    Returns:
        (n_q, n_g) int64: positions in the gallery, best first.

    >>> rank(np.array([[0.2, 0.9, 0.2]])).tolist()
    [[1, 0, 2]]
    """
    # Sorting `-score` would overflow for unsigned and for the smallest signed integers. A stable ascending sort of the
    # reversed row, read backwards, is the same order for every type.
    backwards = np.argsort(score[:, ::-1], axis=1, kind="stable")
    order: np.ndarray = score.shape[1] - 1 - backwards[:, ::-1]
    return order


def ranked_hits(
    score: np.ndarray,
    query_label: np.ndarray,
    gallery_label: np.ndarray,
    *,
    name: str | None = None,
    block_items: int | None = None,
) -> Iterator[Hits]:
    """Finds the ranks of the relevant gallery items (those with the query's label), a block of queries at a time.

    Args:
        score: (n_q, n_g) real numbers, higher is more similar.
        query_label: (n_q,) labels.
        gallery_label: (n_g,) labels.
        name: the method that gave the scores, for messages.
        block_items: gallery items to rank at a time, over all queries of a block; default `BLOCK_ITEMS`. It bounds
            memory and never changes a result.

    Returns:
        An iterator over blocks, in the queries' order; at least one, which may have no query.

    Raises:
        ValueError: as `check_scores`.
        UserError: as `check_scores`.

    >>> next(ranked_hits(np.array([[0.2, 0.9, 0.5]]), np.array([7]), np.array([7, 3, 7]))).rank.tolist()
    [2, 3]
    """
    score, query_label, gallery_label = check_scores(score, query_label, gallery_label, name=name)
    return _hits(score, query_label, gallery_label, block_items)


def _hits(
    score: np.ndarray, query_label: np.ndarray, gallery_label: np.ndarray, block_items: int | None
) -> Iterator[Hits]:
    relevant = Relevant(query_label, gallery_label)
    for first, block in _blocks(score, block_items):
        count = relevant.count[first : first + len(block)]
        query = np.repeat(np.arange(len(block)), count)
        before = np.cumsum(count) - count
        ordinal = np.arange(1, len(query) + 1) - before[query]
        yield Hits(count, query, rank=relevant_ranks(block, relevant, first), ordinal=ordinal)


def _blocks(score: np.ndarray, block_items: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """First row and rows of each block; one empty block when there is no query."""
    rows = _block_rows(score, block_items)
    for first in range(0, max(1, len(score)), rows):
        yield first, score[first : first + rows]


def _block_rows(score: np.ndarray, block_items: int | None = None) -> int:
    return max(1, (block_items or BLOCK_ITEMS) // max(1, score.shape[1]))


def tied_pairs(score: np.ndarray) -> np.ndarray:
    """Counts the pairs of gallery items that a query gives equal scores, so that only their position orders them.

    Args:
        score: (n_q, n_g) finite real numbers.

    Returns:
        (n_q,) int64.

    Raises:
        ValueError: the score is not a matrix.

    >>> tied_pairs(np.array([[1.0, 1.0, 1.0, 0.5], [1.0, 2.0, 3.0, 4.0]])).tolist()
    [3, 0]
    """
    score = np.asarray(score)
    if score.ndim != 2:
        raise ValueError(f"score must be a matrix (n_q, n_g), not {score.shape}")
    tied = np.zeros(len(score), dtype=np.int64)

    def work(rows: slice) -> None:
        block = score[rows]
        ordered = np.sort(block, axis=1)
        is_start = np.ones(block.shape, dtype=bool)
        is_start[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        start = np.flatnonzero(is_start)
        length = np.diff(start, append=block.size)
        np.add.at(tied, rows.start + start // block.shape[1], length * (length - 1) // 2)

    if score.size:
        run_parts(work, len(score), _block_rows(score), score.size)
    return tied


def tied_share(score: np.ndarray) -> float:
    """The share of tied pairs among all pairs of gallery items, over all queries.

    Args:
        score: (n_q, n_g) finite real numbers.

    Returns:
        0.0 without a tie, 1.0 when each query's scores are all equal; 0.0 when there is no pair.

    Raises:
        ValueError: the score is not a matrix.

    >>> tied_share(np.array([[1.0, 1.0, 1.0, 0.5], [1.0, 2.0, 3.0, 4.0]]))
    0.25
    """
    tied = int(tied_pairs(score).sum())
    queries, gallery = np.shape(score)
    pairs = queries * (gallery * (gallery - 1) // 2)
    return tied / pairs if pairs else 0.0
