"""The best k gallery items of each query, kept while scores stream by in blocks; the score matrix is never held."""

from __future__ import annotations

import numpy as np
from numba import njit

from drsl.evaluate.ranking import require_finite
from drsl.features.threads import run_parts

__all__ = ["TopK"]

_ROWS = 16
"""Queries a thread takes at a time."""


class TopK:
    """Takes blocks of scores in any order; memory is O(queries k).

    Args:
        queries: number of queries.
        k: how many items to keep of each.
        name: the method that gives the scores, for messages.

    >>> best = TopK(1, 2)
    >>> best.update(0, 0, np.array([[0.2, 0.9, 0.2]]))
    >>> best.update(0, 3, np.array([[0.5]]))
    >>> best.position.tolist()
    [[1, 3]]
    """

    def __init__(self, queries: int, k: int, name: str = "the method") -> None:
        self._name = name
        self.score = np.full((queries, k), -np.inf, np.float32)
        """(n_q, k) float32, best first; -inf where there are fewer than k items"""
        self.position = np.full((queries, k), -1, np.int64)
        """(n_q, k) int64, places in the gallery; of equal scores the earlier item first; -1 where there is none"""

    def update(self, first_query: int, first_item: int, block: np.ndarray) -> None:
        """Takes the scores of some queries and some gallery items.

        Args:
            first_query: position of the block's first query.
            first_item: position of the block's first gallery item.
            block: (b, m) finite scores, taken as float32; each pair must come once.

        Raises:
            UserError: a score is NaN or infinite.
        """
        scores = np.require(block, np.float32, ["C", "W"])
        require_finite(scores, first_query, first_item, self._name)
        own = slice(first_query, first_query + len(scores))
        best, position = self.score[own], self.position[own]

        def work(rows: slice) -> None:
            _keep_best(scores[rows], first_item, best[rows], position[rows])

        if self.score.shape[1]:
            run_parts(work, len(scores), _ROWS, scores.size)


@njit(nogil=True, cache=True)
def _keep_best(scores, first_item, best, position):
    """Puts each score that is better than the last one kept into its place."""
    k = best.shape[1]
    for row in range(len(scores)):
        for item in range(scores.shape[1]):
            mine = scores[row, item]
            if mine < best[row, k - 1]:
                continue
            number = first_item + item
            place = k
            while place > 0 and (
                position[row, place - 1] < 0
                or mine > best[row, place - 1]
                or (mine == best[row, place - 1] and number < position[row, place - 1])
            ):
                place -= 1
            for behind in range(k - 1, place, -1):
                best[row, behind] = best[row, behind - 1]
                position[row, behind] = position[row, behind - 1]
            if place < k:
                best[row, place] = mine
                position[row, place] = number
