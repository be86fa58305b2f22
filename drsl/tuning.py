"""Choosing a method's settings on the val split: each point of a grid is fitted once, and none sees a test item."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from drsl.features.atomic import write_text
from drsl.features.csv_text import csv_text
from drsl.features.errors import SettingError, UserError
from drsl.features.manifest import SPLITS
from drsl.features.store import Features
from drsl.train.methods import get_method
from drsl.train.stage import recipe

__all__ = ["Point", "Tuned", "points_of", "tune_method", "without_test"]

_OWN = ("seed", "val_map", "seconds", "chosen", "note", "recipe")
_DIGITS = 6


@dataclass(frozen=True)
class Point:
    """One choice of settings, and how it went."""

    settings: dict[str, Any]
    """the values of the grid's settings"""
    val_map: float
    """mAP@ALL on val, mean of both directions; NaN when the fit failed"""
    seconds: float
    """of the fit"""
    note: str
    """why the fit failed"""
    recipe: str
    """digest of all settings, the seed, both feature files and the method's code"""
    chosen: dict[str, Any]
    """what the method itself chose on val among several values"""
    kept: bool = False
    """whether it was in the record already"""


@dataclass(frozen=True)
class Tuned:
    """The outcome of a search."""

    points: tuple[Point, ...]
    """in the grid's order"""
    best: Point
    """the point with the highest val mAP, the first of equals"""
    chosen: dict[str, Any]
    """its settings, with those that the method itself chose on val among several values"""


def points_of(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """All choices of a grid, the last setting changing fastest.

    Args:
        grid: setting to its values; empty gives one choice of nothing.

    Returns:
        The choices.

    >>> points_of({"a": [1, 2], "b": [3]})
    [{'a': 1, 'b': 3}, {'a': 2, 'b': 3}]
    """
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def without_test(features: Features) -> Features:
    """Train and val items only: what is not there cannot be looked at.

    Args:
        features: (n, d) of all splits.

    Returns:
        The rows of the two other splits, in order.
    """
    rows = np.flatnonzero(features.split != SPLITS.index("test"))
    return features.take(rows)


def tune_method(
    name: str,
    settings: Mapping[str, Any],
    grid: Mapping[str, Sequence[Any]],
    image: Features,
    text: Features,
    record: Path,
    *,
    seed: int = 0,
    device: str = "cpu",
    memory: Path | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    said: Callable[[Point], None] | None = None,
) -> Tuned:
    """Fits a method with each choice of a grid, and takes the best on val.

    Args:
        name: the method's name.
        settings: the method's settings on this data set; the grid's values override them.
        grid: setting to the values to try; empty for a method that chooses on val among several values by itself.
        image: features (n, d_i); test rows are taken out before anything else.
        text: features (n', d_t), likewise.
        record: CSV file with a row a point; points that stand in it with the same recipe are not fitted again.
        seed: of each fit.
        device: `cpu` or `cuda`.
        memory: JSON file of measurements on this machine, as `Method.tune` takes it.
        progress: called with (points done, points in all, a word on the best).
        said: called after each point.

    Returns:
        All points and the best.

    Raises:
        SettingError: a setting of the grid is unknown or out of range, there is nothing to choose, or no val items.
        UserError: every fit failed, or the record cannot be written.
    """
    image, text = without_test(image), without_test(text)
    chosen = points_of(grid)
    methods: list[Any] = [_make(name, {**settings, **point}, point) for point in chosen]
    # Lists such as layers' widths are no candidates, so it is the kind of method that tells.
    if not grid and methods[0].stochastic and not hasattr(methods[0], "candidates"):
        raise SettingError(
            f"{name} has nothing to choose on val: give values to try in params.yaml, such as "
            f"`grids: {{{name}: {{learning_rate: [0.0001, 0.001]}}}}`"
        )
    if not all((features.split == SPLITS.index("val")).any() for features in (image, text)):
        raise SettingError("there are no val items to choose by: see the manifest's split column")
    known = _read(record)
    points: list[Point] = []
    digests = [_digest(recipe(method, image, text, seed)) for method in methods]
    for number, (point, method, digest) in enumerate(zip(chosen, methods, digests, strict=True)):
        found = known.get(digest)
        if found is None:
            start, value, note, own = time.perf_counter(), math.nan, "", {}
            asked = dict(method.settings)
            try:
                method.tune(image, text, device=device, memory=memory)
                method.fit(image, text, seed=seed, device=device)
                value = round(method.best_val_map, _DIGITS)
                own = {key: each for key, each in method.settings.items() if _narrowed(asked[key], each)}
            except UserError as error:  # training that diverges at one rate says nothing of the next
                note = " ".join(str(error).split())
            found = Point(point, value, round(time.perf_counter() - start, 2), note, digest, own)
        else:
            found = replace(found, settings=point, kept=True)
        points.append(found)
        methods[number] = None  # its networks are not needed any more
        _write(record, list(grid), seed, [*points, *(known[each] for each in digests[number + 1 :] if each in known)])
        if said:
            said(found)
        if progress:
            highest = max((each.val_map for each in points if not math.isnan(each.val_map)), default=math.nan)
            progress(len(points), len(chosen), f"best val mAP {highest:.3f}")
    good = [number for number, each in enumerate(points) if not math.isnan(each.val_map)]
    if not good:
        raise UserError(f"no fit of {name} gave a mAP on val: {points[0].note or 'no val query has a relevant item'}")
    best = points[max(good, key=lambda number: points[number].val_map)]
    return Tuned(tuple(points), best, {**best.settings, **best.chosen})


def _make(name: str, settings: dict[str, Any], point: Mapping[str, Any]) -> Any:
    try:
        return get_method(name, **settings)
    except SettingError as error:
        where = f"grids.{name}" if point else f"methods.{name}"
        raise SettingError(f"{where}: {error}") from None


def _narrowed(asked: Any, fitted: Any) -> bool:
    """Whether fitting has kept one of several values."""
    return isinstance(asked, list) and isinstance(fitted, list) and len(asked) > 1 and len(fitted) == 1


def _digest(made_by: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(made_by, sort_keys=True).encode("utf-8")).hexdigest()[:16]


def _read(record: Path) -> dict[str, Point]:
    """Recipe to the point of a record; a file that is none counts as empty, for it can be made again."""
    try:
        with record.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        found = {}
        for row in rows:
            settings = {key: _value(value) for key, value in row.items() if key not in _OWN and value}
            value, own = float(row["val_map"] or "nan"), json.loads(row["chosen"] or "{}")
            found[row["recipe"]] = Point(settings, value, float(row["seconds"]), row["note"], row["recipe"], own)
        return found
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return {}


def _write(record: Path, keys: Sequence[str], seed: int, points: Sequence[Point]) -> None:
    rows = []
    for each in points:
        values = [_word(each.settings[key]) if key in each.settings else "" for key in keys]
        value = "" if math.isnan(each.val_map) else f"{each.val_map:.{_DIGITS}f}"
        own = json.dumps(each.chosen) if each.chosen else ""
        rows.append([*values, seed, value, each.seconds, own, each.note, each.recipe])
    write_text(record, csv_text([*keys, *_OWN], rows))


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _value(word: str) -> Any:
    try:
        return json.loads(word)
    except ValueError:
        return word
