"""Items whose raw content is the same, byte for byte, so that a network sees it once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from drsl.features.digest import digest_file

__all__ = ["first_alike", "spread"]


def first_alike(contents: Sequence[Any]) -> np.ndarray:
    """Finds the first item that has the same content, for each item; of contents, digests are held.

    Args:
        contents: image files, or texts. Only files that share their size are read.

    Returns:
        (n,) int64 positions, each at most its own; items that are alike have the same.

    >>> first_alike(["a cat", "a dog", "a cat"]).tolist()
    [0, 1, 0]
    """
    size = np.fromiter((each.stat().st_size if isinstance(each, Path) else 0 for each in contents), dtype=np.int64)
    _, kind, shared = np.unique(size, return_inverse=True, return_counts=True)
    asked = shared[kind] > 1
    digest = np.array([_digest(each) for each in compress(contents, asked)], dtype="S32")
    _, earliest, alike = np.unique(digest, return_index=True, return_inverse=True)
    first = np.arange(len(size))
    places = np.flatnonzero(asked)
    first[places] = places[earliest[alike]]
    return first


def _digest(content: Any) -> bytes:
    if isinstance(content, Path):
        return bytes.fromhex(digest_file(content))
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()


def spread(
    first: np.ndarray, encoded: Iterable[tuple[np.ndarray, np.ndarray]]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Gives every item the outcome of the first that is like it.

    Args:
        first: (n,) positions from `first_alike`.
        encoded: batches of outcomes (b, ...) of those items only that are the first of their kind, in order.

    Yields:
        Batches of outcomes of all n items, in order; what is no longer needed is forgotten.
    """
    waiting = np.bincount(first, minlength=1)
    kept: dict[int, tuple[np.ndarray, ...]] = {}
    place = 0
    for batch in encoded:
        rows = list(zip(*batch, strict=True))[::-1]
        block = []
        while place < len(first) and (first[place] != place or rows):
            own = int(first[place])
            outcome = rows.pop() if own == place else kept[own]
            waiting[own] -= 1
            if waiting[own]:
                kept[own] = outcome
            else:
                kept.pop(own, None)
            block.append(outcome)
            place += 1
        feature, predicted = zip(*block, strict=True)
        yield np.stack(feature), np.stack(predicted)
