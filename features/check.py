"""A look at a whole data set: how many items each class and split has, and which image files are missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drsl.features.manifest import SPLITS, Manifest, read_manifest

__all__ = ["DatasetCheck", "check_dataset"]


@dataclass(frozen=True)
class DatasetCheck:
    """What a data set holds."""

    rows: tuple[tuple[str | int, ...], ...]
    """class name, then the number of items in train, val and test; the last row is the total"""
    images: int
    """items with an image"""
    texts: int
    """items with a text"""
    digest: str
    """the manifest's digest"""
    manifest: Manifest
    """the manifest itself"""
    problems: tuple[str, ...]
    """one line each; empty when all is well"""


def check_dataset(manifest_path: Path) -> DatasetCheck:
    """Reads a manifest and looks for its image files.

    Args:
        manifest_path: the manifest CSV.

    Returns:
        Counts and problems.

    Raises:
        MissingFile: there is no manifest.
        DamagedFile: it cannot be read, or a row is wrong.
    """
    manifest = read_manifest(manifest_path)
    columns = manifest.columns
    places = columns.label.astype(np.int64) * len(SPLITS) + columns.split
    count = np.bincount(places, minlength=len(manifest.classes) * len(SPLITS)).reshape(-1, len(SPLITS))
    rows: list[tuple[str | int, ...]] = [
        (name, *counts) for name, counts in zip(manifest.classes, count.tolist(), strict=True)
    ]
    total = count.sum(axis=0).tolist()
    images = manifest.of("image")
    problems = [f"there is no item in the {split} split" for split, n in zip(SPLITS, total, strict=True) if not n]
    for item in images:
        path = manifest.image_path(item)
        if not manifest.holds(item):
            problems.append(f"image of {item.id!r} lies outside the data set's folder: {item.image}")
        elif not path.is_file():
            problems.append(f"image of {item.id!r} is missing: {path}")
    return DatasetCheck(
        rows=(*rows, ("all", *total)),
        images=len(images),
        texts=len(manifest.of("text")),
        digest=manifest.digest,
        manifest=manifest,
        problems=tuple(problems),
    )
