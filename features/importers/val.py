"""Draws a val split of an exact size, class by class in proportion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from drsl.features.errors import require

__all__ = ["draw_val"]


def draw_val(label: Sequence[str], count: int, seed: int) -> set[int]:
    """Chooses items by chance, as many of each class as its share, and leaves one of each class at least.

    Args:
        label: class name of each item that can be chosen.
        count: how many to choose.
        seed: equal seeds give equal choices.

    Returns:
        Places of the chosen items; exactly `count`.

    Raises:
        SettingError: the count is not positive, or would take the last item of a class.
    """
    total = Counter(label)
    names = sorted(total)
    most = len(label) - len(names)
    require(1 <= count <= most, f"--val-count: {count} must be 1 to {most}, so that one of each class is left")
    share = {name: count * total[name] / len(label) for name in names}
    quota = {name: min(int(share[name]), total[name] - 1) for name in names}
    while (lacking := count - sum(quota.values())) > 0:
        open_names = [name for name in names if quota[name] < total[name] - 1]
        for name in sorted(open_names, key=lambda each: quota[each] - share[each])[:lacking]:
            quota[name] += 1
    rng = np.random.default_rng(seed)
    places = np.array(label, dtype=object)
    chosen: set[int] = set()
    for name in names:
        chosen |= set(rng.permutation(np.flatnonzero(places == name))[: quota[name]].tolist())
    return chosen
