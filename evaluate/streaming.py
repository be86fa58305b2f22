"""Average precision in both directions from blocks of scores as they come; the score matrix is never held.

A block has all texts of some images, so an image's ranking is complete with it. A text's is not: the first pass keeps
the scores of its relevant images only, the second counts block by block how many images stand above each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numba import njit

from drsl.evaluate.average_precision import average_precision_of
from drsl.evaluate.counting import Relevant
from drsl.evaluate.ranking import Hits, ranked_hits
from drsl.features.threads import run_parts

__all__ = ["average_precision_of_blocks"]

_TEXTS = 64
"""Texts a thread takes at a time."""


def average_precision_of_blocks(
    blocks: Callable[[], Iterable[tuple[int, np.ndarray]]],
    image_label: np.ndarray,
    text_label: np.ndarray,
    at: int | None = None,
    *,
    name: str | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Average precision of each image query and of each text query, as `average_precision` gives of the whole matrix.

    Args:
        blocks: called twice; gives first image and scores (b, n_t) of blocks of images, each image once.
        image_label: (n_i,) labels.
        text_label: (n_t,) labels.
        at: the cut-off R; None ranks the whole gallery.
        name: the method that gives the scores, for messages.

    Returns:
        (n_i,) and (n_t,) float64; NaN where a query has no relevant item. Memory is a block's, and 20 bytes a pair of
        one class.

    Raises:
        ValueError: shapes or types do not fit together.
        UserError: a score is NaN or infinite.

    >>> score, label = np.array([[0.9, 0.1], [0.5, 0.2]]), np.array([0, 1])
    >>> average_precision_of_blocks(lambda: [(0, score[:1]), (1, score[1:])], label, label)
    (array([1. , 0.5]), array([1., 1.]))
    """
    image_label, text_label = np.asarray(image_label), np.asarray(text_label)
    relevant = Relevant(text_label, image_label)
    end = np.cumsum(relevant.count)
    start = end - relevant.count
    total = int(end[-1]) if len(end) else 0
    own = np.repeat(np.arange(len(text_label)), relevant.count)  # the text of each relevant pair
    place = np.arange(total) - start[own]
    image = relevant.member[relevant.first[own] + place]
    value = np.empty(total, np.float32)
    by_image = np.argsort(image, kind="stable")
    sorted_image = image[by_image]
    found = np.full(len(image_label), np.nan)
    for first, block in blocks():
        hits = ranked_hits(block, image_label[first : first + len(block)], text_label, name=name)
        found[first : first + len(block)] = np.concatenate([average_precision_of(each, at) for each in hits])
        low, high = np.searchsorted(sorted_image, [first, first + len(block)])
        here = by_image[low:high]
        value[here] = block[image[here] - first, own[here]]
    rank = np.ones(total, np.int64)
    for first, block in blocks():
        scores = np.require(block.T, np.float32, ["C", "W"])

        def work(texts: slice, scores: np.ndarray = scores, first: int = first) -> None:
            _add_better(scores[texts], first, value, image, start[texts], relevant.count[texts], rank)

        run_parts(work, len(scores), _TEXTS, scores.size)
    order = np.lexsort((rank, own))
    return found, average_precision_of(Hits(relevant.count, own, rank[order], place + 1), at)


@njit(nogil=True, cache=True)
def _add_better(scores, first, value, image, start, count, rank):
    """Adds to each relevant pair's rank how many of the block's images stand above it."""
    images = scores.shape[1]
    for text in range(len(scores)):
        score = scores[text]
        for pair in range(start[text], start[text] + count[text]):
            mine = value[pair]
            own = min(max(image[pair] - first, 0), images)
            better = np.int32(0)
            for other in range(own):  # of equal scores the earlier image stands above
                better += np.int32(score[other] >= mine)
            if own < images and image[pair] >= first:
                own += 1
            for other in range(own, images):
                better += np.int32(score[other] > mine)
            rank[pair] += better
