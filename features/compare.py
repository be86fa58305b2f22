"""In what two feature files, or two parts files, differ, in words."""

from __future__ import annotations

import numpy as np

from drsl.features.digest import differences
from drsl.features.freshness import encoder_of, settings_of
from drsl.features.mapped import MappedArray
from drsl.features.parts import Parts
from drsl.features.store import Features

__all__ = ["compare_features", "compare_parts"]

_ROWS = 64
"""Rows of mapped arrays compared at a time."""


def compare_features(first: Features, second: Features) -> list[str]:
    """Compares two feature files row by row, by id.

    Args:
        first: `feature` (n, d).
        second: `feature` (m, e).

    Returns:
        One line a difference: ids, order, classes, labels, splits, widths, values, what made them; empty when equal.
    """
    lines, rows, others = _compare_columns(first, second)
    if first.feature.shape[1] != second.feature.shape[1]:
        lines.append(f"width: {first.feature.shape[1]} and {second.feature.shape[1]}")
    elif len(rows):
        gap = np.abs(first.feature[rows] - second.feature[others])
        if gap.any():
            lines.append(
                f"feature: {int((gap.max(axis=1) > 0).sum())} of {len(rows)} rows differ, by at most {gap.max():.3g}"
            )
    lines += [f"encoder: {line}" for line in differences(encoder_of(first), encoder_of(second))]
    return lines


def compare_parts(first: Parts, second: Parts) -> list[str]:
    """Compares two parts files row by row, by id; memory does not grow with their number.

    Args:
        first: an open parts file.
        second: another one.

    Returns:
        One line a difference: ids, order, classes, labels, splits, kinds, shapes, values, words, vectors, what made
        them; empty when equal.
    """
    lines, rows, others = _compare_columns(first, second)
    if first.kind != second.kind:
        return [*lines, f"kind: {first.kind} and {second.kind}"]
    if first.words != second.words:
        lines.append(f"words: {len(first.words)} and {len(second.words)}, not the same ones")
        vectors = np.arange(0)
    else:
        vectors = np.arange(len(first.words) + 1)
    for name, array in first.arrays.items():
        places = (vectors, vectors) if name == "vectors" else (rows, others)
        lines += _compare_arrays(name, array, second.arrays[name], *places)
    lines += [f"settings: {line}" for line in differences(settings_of(first), settings_of(second))]
    lines += [f"encoder: {line}" for line in differences(encoder_of(first), encoder_of(second))]
    return lines


def _compare_arrays(
    name: str, first: MappedArray, second: MappedArray, rows: np.ndarray, others: np.ndarray
) -> list[str]:
    if first.shape[1:] != second.shape[1:]:
        return [f"{name}: rows of {first.shape[1:]} and {second.shape[1:]}"]
    count, largest = 0, 0.0
    for start in range(0, len(rows), _ROWS):
        part = slice(start, start + _ROWS)
        gap = np.abs(first[rows[part]].astype(np.float64) - second[others[part]].astype(np.float64))
        differ = gap.reshape(len(gap), -1).max(axis=1, initial=0)
        count += int((differ > 0).sum())
        largest = max(largest, float(differ.max(initial=0)))
    return [f"{name}: {count} of {len(rows)} rows differ, by at most {largest:.3g}"] if count else []


def _compare_columns(first: Features | Parts, second: Features | Parts) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Differences of ids, labels and splits, and the rows of the ids that are in both."""
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
    return lines, rows, others
