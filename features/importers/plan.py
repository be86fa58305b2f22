"""Reads all files of an import and settles everything that is to be written, before anything is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from drsl.features.digest import digest_file
from drsl.features.errors import SettingError, require
from drsl.features.importers.front import read_array, read_labels
from drsl.features.importers.labels import clean, label_counts, name_labels, place_labels
from drsl.features.importers.location import Location
from drsl.features.importers.orientation import fitting, settle
from drsl.features.importers.scaling import Scaling, measure
from drsl.features.importers.val import draw_val
from drsl.features.items import first_repeated
from drsl.features.manifest import MODALITIES, SPLITS, Item

__all__ = ["ImportPlan", "ImportRequest", "Side", "plan_import"]

Places = Mapping[str, Location]


@dataclass(frozen=True)
class ImportRequest:
    """What the user named."""

    features: Mapping[str, Places]
    """modality to split to array"""
    labels: Mapping[str, Places]
    """modality to split to labels; one entry `both` when images and texts share them"""
    ids: Places
    """split to ids of couples; empty: numbered"""
    classes: tuple[str, ...] = ()
    """class names in the order of the labels' numbers; empty: unknown"""
    val_from: str | None = None
    """the split that val is drawn from"""
    val_count: int | None = None
    """how many couples are drawn (of each modality where there are no couples)"""
    seed: int = 0
    """of the draw"""
    orientation: str | None = None
    """how matrices lie that fit both ways"""
    labels_from: int | None = None
    """what labels count from when they do not say it themselves"""
    standardize: bool = False
    """each number of a feature to mean 0 and deviation 1, as measured on train"""


@dataclass(frozen=True)
class Side:
    """The rows of one modality, in the manifest's order."""

    matrices: tuple[np.ndarray, ...]
    """(n_s, d) of each given split"""
    items: tuple[Item, ...]
    """n items"""
    encoder: Mapping[str, Any]
    """what the feature file says of its origin"""
    scaling: Scaling
    """what is done to every row"""


@dataclass(frozen=True)
class ImportPlan:
    """What will be written."""

    items: tuple[Item, ...]
    """the manifest's rows"""
    sides: Mapping[str, Side]
    """modality to its rows"""
    notes: tuple[str, ...]
    """what was settled, a line each"""


def plan_import(request: ImportRequest) -> ImportPlan:
    """Reads and checks all files.

    Args:
        request: what the user named.

    Returns:
        What will be written.

    Raises:
        UserError: a file is missing or damaged, numbers or widths do not match, or something is open that an option
            must settle (names it).
    """
    splits = _splits(request)
    matrices = {each: _read_all(request.features[each], splits, read_array) for each in MODALITIES}
    raw = {side: _read_all(places, splits, read_labels) for side, places in request.labels.items()}
    notes: list[str] = []
    vectors: dict[str, np.ndarray] = {}
    hot: dict[str, int] = {}
    for side, labels in raw.items():
        served = MODALITIES if side == "both" else (side,)
        found, size, lying = _settle_side(side, labels, {each: matrices[each] for each in served}, request.orientation)
        vectors |= found
        hot |= dict.fromkeys(found, size) if size is not None else {}
        for each, way in lying.items():
            if way == "columns":
                matrices[each] = {split: array.T for split, array in matrices[each].items()}
            listing = ", ".join(f"{split} {len(array)}" for split, array in matrices[each].items())
            notes.append(f"{each}: {listing}; {matrices[each]['train'].shape[1]} wide, items in {way}")
    names, note = name_labels(vectors, hot, request.classes, request.labels_from)
    notes.append(note)
    by_side = {each: {split: names[_name(_side(raw, each), split)] for split in splits} for each in MODALITIES}
    items, sides = _items(request, by_side, splits, notes)
    if request.val_from:
        notes.append(f"val: {request.val_count} drawn from {request.val_from} with seed {request.seed}")
    _check_trained(items)
    origin = _Origin()
    labels_of = {each: request.labels[_side(request.labels, each)] for each in MODALITIES}
    return ImportPlan(
        items=items,
        sides={
            each: Side(
                matrices=tuple(matrices[each].values()),
                items=sides[each],
                encoder={
                    "imported": origin.of(request.features[each]),
                    "labels": origin.of(labels_of[each]),
                    "standardized": request.standardize,
                },
                scaling=measure(matrices[each]["train"]) if request.standardize else Scaling(),
            )
            for each in MODALITIES
        },
        notes=tuple(notes),
    )


def _read_all(
    places: Places, splits: tuple[str, ...], read: Callable[[Path, str | None], np.ndarray]
) -> dict[str, np.ndarray]:
    return {split: read(places[split].path, places[split].variable) for split in splits}


def _settle_side(
    side: str, labels: Mapping[str, np.ndarray], matrices: Mapping[str, Mapping[str, np.ndarray]], asked: str | None
) -> tuple[dict[str, np.ndarray], int | None, dict[str, str]]:
    """Labels as vectors, the number of classes of one-hot ones, and how each modality's matrices lie."""
    shapes = {each: {split: array.shape for split, array in found.items()} for each, found in matrices.items()}
    possible = label_counts(labels)
    good = [way for way in possible if all(fitting(each, possible[way]) for each in shapes.values())]
    named = {_name(side, split): each for split, each in labels.items()}
    vectors, size = place_labels(named, good or list(possible), asked)
    counts = {split: len(vectors[_name(side, split)]) for split in labels}
    return vectors, size, {each: settle(each, shapes[each], counts, asked) for each in shapes}


def _splits(request: ImportRequest) -> tuple[str, ...]:
    """The splits that are given, the same for all; in their order."""
    splits = tuple(split for split in SPLITS if split in request.features["image"])
    groups = {f"--{each}": request.features[each] for each in MODALITIES}
    groups |= {"--label" if side == "both" else f"--{side}-label": each for side, each in request.labels.items()}
    if request.ids:
        groups["--ids"] = request.ids
    for split in ("train", "test"):
        for option, places in groups.items():
            require(split in places, f"{option}: {split}=FILE is missing; train and test are needed")
    for option, places in groups.items():
        odd = set(places) ^ set(splits)
        require(not odd, f"{option}: {min(odd, default='')} is given for some options only; name it for all")
    if request.val_from is None:
        require(request.val_count is None, "--val-count: say where val comes from: `--val-from test` or `train`")
    else:
        require(request.val_from in ("train", "test"), f"--val-from: {request.val_from!r} must be train or test")
        require(request.val_count is not None, "--val-from: say how many: `--val-count N`")
        require("val" not in splits, "--val-from: val is given as files already")
    return splits


def _items(
    request: ImportRequest, labels: Mapping[str, Mapping[str, list[str]]], splits: tuple[str, ...], notes: list[str]
) -> tuple[tuple[Item, ...], dict[str, tuple[Item, ...]]]:
    """The manifest's rows, and those of each modality: couples where both sides correspond, else one-sided rows."""
    if labels["image"] == labels["text"]:
        couples = tuple(_rows(request, "", labels["image"], splits))
        notes.append(f"{len(couples)} couples of an image and a text: the same row of both")
        return couples, dict.fromkeys(MODALITIES, couples)
    if request.ids:
        raise SettingError("--ids: images and texts are not couples (their labels differ), so ids cannot serve both")
    sides = {each: tuple(_rows(request, f"{each}-", labels[each], splits)) for each in MODALITIES}
    notes.append("images and texts are no couples: their numbers or labels differ")
    return sides["image"] + sides["text"], sides


def _rows(request: ImportRequest, prefix: str, labels: Mapping[str, list[str]], splits: tuple[str, ...]) -> list[Item]:
    rows: list[Item] = []
    for split in splits:
        count = len(labels[split])
        digits = max(4, len(str(count)))
        ids = [f"{prefix}{split}-{number:0{digits}}" for number in range(1, count + 1)]
        if request.ids:
            place = request.ids[split]
            ids = clean(f"ids of {split}", read_labels(place.path, place.variable))
            require(len(ids) == count, f"--ids: {split} has {len(ids)} ids but {count} items")
        drawn: set[int] = set()
        if split == request.val_from and request.val_count is not None:
            drawn = draw_val(labels[split], request.val_count, request.seed)
        rows += [
            Item(each, "", "", label, "val" if number in drawn else split)
            for number, (each, label) in enumerate(zip(ids, labels[split], strict=True))
        ]
    twice = first_repeated(row.id for row in rows)
    require(twice is None, f"--ids: {[twice]} occurs twice; ids must be unique in all splits together")
    return rows


def _check_trained(items: tuple[Item, ...]) -> None:
    trained = {item.label for item in items if item.split == "train"}
    unseen = sorted({item.label for item in items} - trained)
    require(not unseen, f"labels: {unseen[:1]} occurs outside the train split only; is its file of the same numbering?")


def _name(side: str, split: str) -> str:
    return split if side == "both" else f"{side} {split}"


def _side(labels: Mapping[str, Any], modality: str) -> str:
    return "both" if "both" in labels else modality


class _Origin:
    """What is recorded of files; each is read once for its digest."""

    def __init__(self) -> None:
        self._digests: dict[Path, str] = {}

    def of(self, places: Places) -> list[dict[str, str]]:
        return [
            {
                "split": split,
                "file": place.path.name,
                "variable": place.variable or "",
                "sha256": self._digest(place.path),
            }
            for split, place in places.items()
        ]

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = digest_file(path)
        return self._digests[path]
