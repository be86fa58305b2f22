"""The manifest: the CSV that names every item of a data set, its label and its split.

It is the only authority on order and splits. Columns `id,image,text,label,split`; UTF-8. `image` is a path relative to
the manifest's folder, `text` the text itself. A row may lack its image or its text; a data set of imported features
has rows that all lack both. A manifest may have millions of rows: items are read from the file when asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from drsl.features.atomic import publish
from drsl.features.items import COLUMNS, MODALITIES, SPLITS, Columns, Item, ItemsById, columns_of
from drsl.features.manifest_file import FileItems, scan_manifest

__all__ = ["COLUMNS", "MODALITIES", "SPLITS", "Item", "Manifest", "read_manifest", "take", "write_manifest"]


@dataclass(frozen=True)
class Manifest:
    """All items of a data set, in order, with the folder that image paths are relative to."""

    items: Sequence[Item]
    """read from the file at each use, or held in memory when a manifest is made from a tuple"""
    folder: Path
    scanned: Columns | None = field(default=None, repr=False, compare=False)
    """the items' columns where they are known already"""

    @cached_property
    def columns(self) -> Columns:
        """What is held of every item: label, split, and whether it has an image and a text."""
        return self.scanned or columns_of(self.items)

    @property
    def digest(self) -> str:
        """SHA-256 of the rows, cell by cell: line ends, quoting and a byte-order mark do not change it."""
        return self.columns.digest

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, sorted; a label's index in it is the label number in feature files."""
        return self.columns.classes

    @cached_property
    def by_id(self) -> Mapping[str, Item]:
        """The items by their ids."""
        return ItemsById(self.items, self.columns.key)

    def of(self, modality: str, *splits: str | None) -> Sequence[Item]:
        """The items that have a given modality.

        Args:
            modality: `"image"` or `"text"`.
            splits: only these splits; none, or None, means all.

        Returns:
            Items in the manifest's order, read when asked for as `items` are.
        """
        return take(self.items, self.columns.rows(modality, *(each for each in splits if each is not None)))

    def labels(self, modality: str, *splits: str) -> np.ndarray:
        """Class numbers of the items that `of` gives.

        Args:
            modality: `"image"` or `"text"`.
            splits: only these splits; none means all.

        Returns:
            (n,) int64, index into `classes`.
        """
        return self.columns.label[self.columns.rows(modality, *splits)].astype(np.int64)

    def image_path(self, item: Item) -> Path:
        """Where an item's image file is.

        Args:
            item: an item that has an image.

        Returns:
            Its path, the folder included.
        """
        return self.folder / item.image

    def holds(self, item: Item) -> bool:
        """Whether an item's image path, links followed, stays in the manifest's folder.

        Args:
            item: an item that has an image.

        Returns:
            True for a file that is missing but would lie inside, and for links that go in a circle.
        """
        try:
            found = self.image_path(item).resolve()
        except (OSError, RuntimeError):  # a circle of links; RuntimeError up to Python 3.12
            found = self._home / item.image
        return found.is_relative_to(self._home)

    @cached_property
    def _home(self) -> Path:
        return self.folder.resolve()


def take(items: Sequence[Item], places: np.ndarray) -> Sequence[Item]:
    """Some of the items.

    Args:
        items: of a manifest.
        places: positions among them, in any order.

    Returns:
        Those items, in memory or read when asked for as `items` are.
    """
    return items.take(places) if isinstance(items, FileItems) else tuple(items[place] for place in places.tolist())


def read_manifest(path: Path) -> Manifest:
    """Reads and checks a manifest as a stream; afterwards, items are read from the file when asked for.

    Args:
        path: the CSV file; a byte-order mark and CRLF line ends are accepted. It must stay as it is while the manifest
            is in use: an item read from a changed file is a DamagedFile.

    Returns:
        The manifest; at least one training item, unique ids, known splits, every class present in the train split.

    Raises:
        MissingFile: there is no such file.
        DamagedFile: not UTF-8, a column is missing, or a row is wrong; names the file, line and cell.
    """
    path = Path(path)
    items, columns = scan_manifest(path)
    return Manifest(items, path.parent, columns)


def write_manifest(path: Path, items: Iterable[Item]) -> int:
    """Writes a manifest as a stream; the same items give the same bytes.

    Args:
        path: the CSV file to make or replace.
        items: rows in order.

    Returns:
        How many rows were written.

    Raises:
        UserError: the file cannot be written.
    """
    count = 0
    with publish(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(COLUMNS) + "\n")
        for item in items:
            file.write(",".join(_cell(each) for each in item.row()) + "\n")
            count += 1
    return count


def _cell(text: str) -> str:
    # As csv.writer, but a lone carriage return is quoted too: Python 3.11's leaves it bare, and it would end the row.
    return '"' + text.replace('"', '""') + '"' if re.search('[,"\r\n]', text) else text
