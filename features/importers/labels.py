"""Labels in the forms they are published in: whole numbers from 0 or 1, one-hot matrices, class names.

What all splits of both modalities say together decides; what it leaves open is an error that names the option.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from drsl.features.errors import SettingError, require
from drsl.features.importers.orientation import ORIENTATIONS

__all__ = ["clean", "is_one_hot", "label_counts", "name_labels", "place_labels"]


def clean(where: str, values: np.ndarray) -> list[str]:
    """Texts as they go into a manifest.

    Args:
        where: which file, for messages.
        values: texts, or numbers that must be whole.

    Returns:
        One text each, without blanks at both ends.

    Raises:
        SettingError: one is empty, or holds what is no text.
    """
    found = [str(each).strip() for each in _whole(where, values.ravel()).tolist()]
    for number, each in enumerate(found, start=1):
        right = bool(each) and "\0" not in each and not any("\ud800" <= letter <= "\udfff" for letter in each)
        require(right, f"{where}: entry {number} is {'empty' if not each else 'no text'}")
    return found


def is_one_hot(lists: Mapping[str, np.ndarray]) -> bool:
    """Whether the labels are matrices; a single item's row looks like a vector, so all lists decide together.

    Args:
        lists: name to labels as read.

    Returns:
        True when one of them has more than one row and more than one column.
    """
    return any(each.ndim == 2 and min(each.shape) > 1 for each in lists.values())


def label_counts(labels: Mapping[str, np.ndarray]) -> dict[str, dict[str, int]]:
    """How many items there are, for each way in which one-hot matrices can lie.

    Args:
        labels: split to labels as read, of one modality.

    Returns:
        One of `ORIENTATIONS` to the counts; vectors have `rows` only.

    Raises:
        SettingError: an array has no label's shape, or widths differ both ways.
    """
    for split, each in labels.items():
        if each.ndim not in (1, 2) or not each.size:
            raise SettingError(f"labels of {split} have the shape {each.shape}, which is no list and no matrix")
    if not is_one_hot(labels):
        return {"rows": {split: each.size for split, each in labels.items()}}
    if {each.ndim for each in labels.values()} != {2}:
        raise SettingError("labels are one-hot in one split and a list in another: convert one of them")
    found = {}
    for axis, way in enumerate(ORIENTATIONS):
        if len({each.shape[1 - axis] for each in labels.values()}) == 1:
            found[way] = {split: each.shape[axis] for split, each in labels.items()}
    if not found:
        raise SettingError(
            f"one-hot labels have different numbers of classes: {', '.join(str(x.shape) for x in labels.values())}"
        )
    return found


def place_labels(
    lists: Mapping[str, np.ndarray], ways: Sequence[str], asked: str | None
) -> tuple[dict[str, np.ndarray], int | None]:
    """Turns one-hot matrices into class numbers, and everything into vectors.

    Args:
        lists: name to labels as read.
        ways: the ways in which one-hot matrices can lie, by their counts.
        asked: the way the user said; it decides where both are possible.

    Returns:
        Name to a vector of texts or whole numbers; and the number of classes of one-hot matrices (counted from 0).

    Raises:
        SettingError: several ways are possible, rows with more or less than one 1, or numbers that are not whole.
    """
    if not is_one_hot(lists):
        return {name: _whole(f"labels of {name}", each.ravel()) for name, each in lists.items()}, None
    for name, each in lists.items():
        if each.dtype.kind not in "fiub" or not np.isin(each, (0, 1)).all():
            raise SettingError(f"labels of {name} are a matrix of other numbers than 0 and 1: give one number an item")
    good = [way for way in ways if all((_ones(each, way) == 1).all() for each in lists.values())]
    if not good:
        way = asked if asked is not None and asked in ways else ways[0]
        counts = {name: _ones(each, way) for name, each in lists.items()}
        several = sum(int((each > 1).sum()) for each in counts.values())
        none = sum(int((each == 0).sum()) for each in counts.values())
        if several:
            raise SettingError(
                f"{several} items have more than one label; each item must have one: choose one for each"
            )
        raise SettingError(f"{none} items have no label: leave them out, or label them")
    if len(good) > 1 and asked is None:
        raise SettingError("one-hot labels can be read both ways: say `--orientation rows` or `--orientation columns`")
    way = good[0] if len(good) == 1 else str(asked)
    turned = {name: each if way == "rows" else each.T for name, each in lists.items()}
    return {name: each.argmax(axis=1) for name, each in turned.items()}, next(iter(turned.values())).shape[1]


def name_labels(
    lists: Mapping[str, np.ndarray], hot: Mapping[str, int], names: Sequence[str], asked: int | None
) -> tuple[dict[str, list[str]], str]:
    """Gives each item its class name.

    Args:
        lists: name to a vector of texts or whole numbers, of all splits and modalities.
        hot: those that were one-hot, to their number of classes; their numbers count from 0.
        names: the class names in order; empty when unknown: then classes are named by their numbers.
        asked: 0 or 1 when the user said what labels count from.

    Returns:
        Name to class names; and a line on what was found.

    Raises:
        SettingError: texts and numbers are mixed, or what the numbers count from is open.
    """
    texts = [name for name, each in lists.items() if each.dtype.kind not in "iu"]
    if texts:
        if len(texts) < len(lists):
            raise SettingError(f"labels are class names in {texts[0]}, but numbers elsewhere: convert one of them")
        found = {name: clean(f"labels of {name}", each) for name, each in lists.items()}
        unknown = sorted({each for one in found.values() for each in one} - set(names)) if names else []
        require(not unknown, f"--classes: {unknown[:1]} is a label, but not among the names")
        return found, f"labels are {len({each for one in found.values() for each in one})} class names"
    numbers = {name: each for name, each in lists.items() if name not in hot}
    base = _base(numbers, max([len(names), *hot.values()], default=0), asked) if numbers else 1
    shift = {name: 0 if name in hot else base for name in lists}
    top = max(int(each.max()) - shift[name] for name, each in lists.items())
    size = len(names) or max([top + 1, *hot.values()])
    require(top < size, f"--classes: there are {size} names, but a label is class {top + 1} (counted from 1)")
    digits = len(str(size - 1 + base))  # all of equal length, so that they sort as they count

    def shown(number: int) -> str:
        return names[number] if names else f"class-{number + base:0{digits}}"

    found = {name: [shown(number - shift[name]) for number in each.tolist()] for name, each in lists.items()}
    used = len({each for one in found.values() for each in one})
    what = "one-hot" if not numbers else f"whole numbers from {base}"
    return found, f"labels are {what}: {used} classes occur" + (f" of {size}" if used < size else "")


def _base(lists: Mapping[str, np.ndarray], classes: int, asked: int | None) -> int:
    """What whole numbers count from; `classes` is their number where names or one-hot labels tell it, else 0."""
    lows = {name: int(each.min()) for name, each in lists.items()}
    highs = {name: int(each.max()) for name, each in lists.items()}
    low, high = min(lows.values()), max(highs.values())
    distinct = len({number for each in lists.values() for number in np.unique(each).tolist()})
    if low < 0:
        raise SettingError(f"labels of {min(lows, key=lows.__getitem__)} go down to {low}: they must count from 0 or 1")
    if asked is not None:
        require(asked in (0, 1), f"--labels-from: {asked} must be 0 or 1")
        require(low >= asked, f"--labels-from: {asked} was said, but labels go down to {low}")
        return asked
    require(
        not 0 < classes < distinct, f"--classes: there are {classes} names or one-hot columns, but {distinct} labels"
    )
    for zero, bottom in lows.items():
        for one, top in highs.items():
            if bottom == 0 and lows[one] >= 1 and top == highs[zero] + 1:
                raise SettingError(
                    f"labels seem to count from 0 in {zero} ({bottom} to {highs[zero]}) but from 1 in {one} "
                    f"({lows[one]} to {top}): convert one of them; when it is one numbering, say `--labels-from 0`"
                )
    if low == 0:
        return 0
    if high == classes or (low == 1 and high == distinct and not classes):
        return 1
    raise SettingError(
        f"labels go from {low} to {high} with {distinct} different ones: say `--labels-from 0` or `--labels-from 1`"
    )


def _ones(matrix: np.ndarray, way: str) -> np.ndarray:
    ones: np.ndarray = np.count_nonzero(matrix, axis=1 - ORIENTATIONS.index(way))
    return ones


def _whole(name: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind in "OU":
        return values
    if values.dtype.kind == "f":
        bad = np.flatnonzero(~np.isfinite(values) | (values != np.floor(values)) | (np.abs(values) > 2**53))
        require(not len(bad), f"{name}: entry {int(bad[0]) + 1 if len(bad) else 0} is no whole number")
    elif values.dtype.kind == "u":
        require(int(values.max()) < 2**63, f"{name}: {values.max()} is too large")
    return values.astype(np.int64)
