"""In what two feature files differ, in words."""

from __future__ import annotations

import numpy as np

from drsl.features.digest import differences
from drsl.features.freshness import encoder_of
from drsl.features.store import Features

__all__ = ["compare_features"]


def compare_features(first: Features, second: Features) -> list[str]:
    """Compares two feature files row by row, by id.

    Args:
        first: `feature` (n, d).
        second: `feature` (m, e).

    Returns:
        One line a difference: ids, order, classes, labels, splits, widths, values, what made them; empty when equal.
    """
    lines = []
    if first.classes != second.classes:
        lines.append(f"classes: {list(first.classes)} and {list(second.classes)}")
    only_first, only_second = set(first.id) - set(second.id), set(second.id) - set(first.id)
    for where, only in (("first", only_first), ("second", only_second)):
        if only:
            lines.append(f"{len(only)} ids are only in the {where} file, e.g. {min(only)!r}")
    place = {each: row for row, each in enumerate(second.id)}
    shared = [(row, place[each]) for row, each in enumerate(first.id) if each in place]
    rows, others = np.array(shared, dtype=np.int64).reshape(-1, 2).T
    if len(shared) > 1 and (np.diff(others) < 0).any():
        lines.append("the rows are in another order")
    for name in ("label", "split"):
        count = int((getattr(first, name)[rows] != getattr(second, name)[others]).sum()) if shared else 0
        if count:
            lines.append(f"{name}: {count} of {len(shared)} shared ids differ")
    if first.feature.shape[1] != second.feature.shape[1]:
        lines.append(f"width: {first.feature.shape[1]} and {second.feature.shape[1]}")
    elif shared:
        gap = np.abs(first.feature[rows] - second.feature[others])
        if gap.any():
            lines.append(
                f"feature: {int((gap.max(axis=1) > 0).sum())} of {len(shared)} rows differ, by at most {gap.max():.3g}"
            )
    lines += [f"encoder: {line}" for line in differences(encoder_of(first), encoder_of(second))]
    return lines
