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
    Afterwards, a class whose shares were too small to give every split a family gets one moved to each, where it has
    as many families as there are splits; a class with fewer families has at least one in the train split.

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
    home: dict[str, str] = {}
    needs: dict[str, Counter[str]] = {}
    for name in sorted(shuffled, key=lambda each: -len(members[each])):
        need = needs[name] = Counter(label[place] for place in members[name])
        split = max(fractions, key=lambda each: sum(n * lacking[each][one] / total[one] for one, n in need.items()))
        for one, n in need.items():
            lacking[split][one] -= n
        home[name] = split
    _fill_empty(home, needs, [split for split in SPLITS if fractions.get(split, 0) > 0], lacking)
    return [home[name] for name in family]


def _fill_empty(
    home: dict[str, str],
    needs: Mapping[str, Counter[str]],
    splits: Sequence[str],
    lacking: Mapping[str, dict[str, float]],
) -> None:
    """Moves families so that each class is in each split (train comes first), where its families suffice.

    Args:
        home: split of each family, in the order they were dealt; changed in place.
        needs: number of items of each class in a family.
        splits: the splits that have a share.
        lacking: by split and class, how many items are missing to the wanted share; changed in place.
    """
    families: dict[str, list[str]] = defaultdict(list)
    held: Counter[tuple[str, str]] = Counter()
    for name, split in home.items():
        for one in needs[name]:
            families[one].append(name)
            held[one, split] += 1

    def must_hold(one: str, split: str) -> bool:
        return split == "train" or len(families[one]) >= len(splits)

    def spare(name: str) -> bool:
        return all(held[one, home[name]] > 1 or not must_hold(one, home[name]) for one in needs[name])

    for split in splits:
        for one in sorted(families):
            if held[one, split] or not must_hold(one, split):
                continue
            movable = [name for name in families[one] if spare(name)]
            if not movable and split == "train":
                movable = families[one]  # a class that was never learned would be of no use in the other splits
            if not movable:
                continue  # its families hold other classes too, which need them where they are
            # From the split with the largest surplus the smallest family, of these the one dealt last.
            chosen = min(reversed(movable), key=lambda name: (lacking[home[name]][one], needs[name].total()))
            for other, n in needs[chosen].items():
                held[other, home[chosen]] -= 1
                held[other, split] += 1
                lacking[home[chosen]][other] += n
                lacking[split][other] -= n
            home[chosen] = split
