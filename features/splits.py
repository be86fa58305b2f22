"""Seeded, stratified splits that keep the members of a family together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from drsl.features.errors import SettingError
from drsl.features.manifest import SPLITS

__all__ = ["stratified_split"]


def stratified_split(
    label: Sequence[str], family: Sequence[str], fractions: Mapping[str, float], seed: int
) -> list[str]:
    """Gives each item a split, class by class in the wanted proportions, never dividing a family.

    Families are dealt in a seeded random order, large ones first, each to the split that lacks most of its classes.

    Args:
        label: class name of each item, n of them.
        family: family name of each item, n of them; items of one family get the same split.
        fractions: share of each split, e.g. `{"train": 0.7, "val": 0.1, "test": 0.2}`; they sum to 1.
        seed: equal seeds give equal splits.

    Returns:
        n split names.

    Raises:
        SettingError: the fractions name an unknown split, are negative, or do not sum to 1.
    """
    unknown = set(fractions) - set(SPLITS)
    if unknown or any(share < 0 for share in fractions.values()) or not abs(sum(fractions.values()) - 1) <= 1e-9:
        raise SettingError(f"split: shares of {', '.join(SPLITS)} must be positive and sum to 1, not {dict(fractions)}")
    members: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(family):
        members[name].append(place)
    total = Counter(label)
    lacking = {split: {name: share * total[name] for name in total} for split, share in fractions.items()}
    names = sorted(members)
    shuffled = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    result = [""] * len(label)
    for name in sorted(shuffled, key=lambda each: -len(members[each])):
        need = Counter(label[place] for place in members[name])
        split = max(fractions, key=lambda each: sum(n * lacking[each][one] / total[one] for one, n in need.items()))
        for one, n in need.items():
            lacking[split][one] -= n
        for place in members[name]:
            result[place] = split
    return result
