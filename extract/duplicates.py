"""Items whose raw content is the same, byte for byte, so that a network sees it once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from drsl.features.digest import digest_file

__all__ = ["first_alike", "spread"]


def first_alike(contents: Sequence[Any]) -> list[int]:
    """Finds the first item that has the same content, for each item.

    Args:
        contents: image files, or texts. Only files that share their size are read.

    Returns:
        n positions, each at most its own; items that are alike have the same.

    >>> first_alike(["a cat", "a dog", "a cat"])
    [0, 1, 0]
    """
    size = {each: each.stat().st_size for each in contents if isinstance(each, Path)}
    shared = Counter(size.values())
    first: dict[Any, int] = {}
    found = []
    for place, each in enumerate(contents):
        key: Any = each
        if isinstance(each, Path) and shared[size[each]] > 1:
            key = size[each], digest_file(each)
        found.append(first.setdefault(key, place))
    return found


def spread(
    first: Sequence[int], encoded: Iterable[tuple[np.ndarray, np.ndarray]]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Gives every item the outcome of the first that is like it.

    Args:
        first: n positions from `first_alike`.
        encoded: batches of outcomes (b, ...) of those items only that are the first of their kind, in order.

    Yields:
        Batches of outcomes of all n items, in order; what is no longer needed is forgotten.
    """
    waiting = Counter(first)
    kept: dict[int, tuple[np.ndarray, ...]] = {}
    place = 0
    for batch in encoded:
        rows = list(zip(*batch, strict=True))[::-1]
        block = []
        while place < len(first) and (first[place] != place or rows):
            own = first[place]
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
