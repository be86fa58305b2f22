"""Splits of a fixed size, stratified and drawn by a seed, as benchmarks define them: 231 of 693 for validation.

What is drawn depends on the seed and on the items' own ids alone, not on the order of files or on a library's random
numbers: two people with the same items get the same split, and an item that one of them lacks moves few others.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from drsl.features.atomic import write_bytes
from drsl.features.csv_text import csv_text
from drsl.features.digest import digest_bytes
from drsl.features.manifest import Item

__all__ = ["exact_split", "seeded_order", "split_digest", "write_split"]


def seeded_order(ids: Iterable[str], seed: int) -> list[str]:
    """Shuffles ids by a seed: they are sorted by the SHA-256 of seed and id.

    Args:
        ids: ids, each once.
        seed: equal seeds give equal orders.

    Returns:
        The ids; leaving one out does not change the order of the others.

    >>> seeded_order(["a", "b", "c"], 0) == seeded_order(["c", "a", "b"], 0)
    True
    """
    return sorted(
        ids, key=lambda each: (hashlib.sha256(f"{seed} {each}".encode("utf-8", "surrogatepass")).digest(), each)
    )


def exact_split(ids: Sequence[str], label: Sequence[str], sizes: Mapping[str, int], seed: int) -> list[str]:
    """Gives each item a split, so many in all as `sizes` says, and class by class in these proportions.

    With fewer or more items than the sizes sum to, the splits have these proportions. Where a class has an item for
    each split, each split gets one; the first split always gets one of a class.

    Args:
        ids: unique ids, n of them.
        label: class name of each, n of them.
        sizes: the size of each split, the one that gets what is left over first, e.g. `{"test": 462, "val": 231}`.
        seed: equal seeds give equal splits.

    Returns:
        n split names.

    >>> exact_split(["a", "b", "c"], ["x", "x", "x"], {"train": 1, "val": 1, "test": 1}, 0)
    ['test', 'val', 'train']
    """
    members: dict[str, list[str]] = defaultdict(list)
    for name, one in zip(ids, label, strict=True):
        members[one].append(name)
    waiting = {one: seeded_order(members[one], seed) for one in sorted(members)}
    first, *others = sizes
    total = sum(sizes.values())
    result: dict[str, str] = {}
    for position, split in enumerate(others):
        left = {one: len(names) for one, names in waiting.items()}
        for one, count in _seats(left, sizes[split], total, len(others) - position).items():
            result |= dict.fromkeys(waiting[one][:count], split)
            waiting[one] = waiting[one][count:]
        total -= sizes[split]
    return [result.get(name, first) for name in ids]


def split_digest(items: Iterable[Item]) -> str:
    """Digest of who is in which split, for two people to compare: of ids and splits, not of pictures or texts.

    Args:
        items: the items of a manifest, in any order.

    Returns:
        SHA-256 of the file that `write_split` makes, 64 hexadecimal digits.
    """
    return digest_bytes(_content(items))


def write_split(path: Path, items: Iterable[Item]) -> str:
    """Writes the split as a CSV file, lines `id,split` sorted by id; its SHA-256 is the split's digest.

    Args:
        path: the file to make or replace.
        items: the items of a manifest, in any order.

    Returns:
        The digest.

    Raises:
        UserError: the file cannot be written.
    """
    content = _content(items)
    write_bytes(path, content)
    return digest_bytes(content)


def _content(items: Iterable[Item]) -> bytes:
    return csv_text(("id", "split"), sorted((item.id, item.split) for item in items)).encode("utf-8")


def _seats(left: Mapping[str, int], size: int, total: int, later: int) -> dict[str, int]:
    """How many items of each class go to a split of `size` when `total` are still to be given to it and `later` others.

    Each class gets the whole part of its share; what remains goes to the largest fractions (Hare and Niemeyer).
    """
    count = sum(left.values())
    wanted = (2 * count * size + total) // (2 * total) if total else 0  # rounded; `size` itself at full count
    # `later` splits are served after this one, counting the first; each of them shall find an item where there is one.
    least = {one: 1 if n > later and size else 0 for one, n in left.items()}
    most = {one: n - later if n > later else max(0, n - 1) for one, n in left.items()}
    seats = {one: min(most[one], max(least[one], n * size // total)) for one, n in left.items()}
    by_fraction = sorted(left, key=lambda one: (-(left[one] * size % total), one))
    for one in [*by_fraction, *by_fraction]:
        if sum(seats.values()) >= wanted:
            break
        if seats[one] < most[one]:
            seats[one] += 1
    return seats
