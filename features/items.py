"""A manifest's rows: the item, and the compact columns that are held of all items."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "COLUMNS",
    "MODALITIES",
    "SPLITS",
    "Columns",
    "ColumnsBuilder",
    "Item",
    "ItemsById",
    "columns_of",
    "first_repeated",
]

COLUMNS = ("id", "image", "text", "label", "split")
MODALITIES = ("image", "text")
SPLITS = ("train", "val", "test")
_CODE = {name: code for code, name in enumerate(SPLITS)}


@dataclass(frozen=True, slots=True)
class Item:
    """One row: a couple of an image and a text published together, or one of the two alone."""

    id: str
    image: str
    text: str
    label: str
    split: str

    def row(self) -> tuple[str, str, str, str, str]:
        """The item's cells in the order of `COLUMNS`."""
        return self.id, self.image, self.text, self.label, self.split


@dataclass(frozen=True)
class Columns:
    """What is held of n items, about 23 bytes each, whatever the length of their texts."""

    label: np.ndarray
    """(n,) int32, index into `classes`"""
    split: np.ndarray
    """(n,) uint8, index into `SPLITS`"""
    image: np.ndarray
    """(n,) bool, whether the item has an image"""
    text: np.ndarray
    """(n,) bool, whether the item has a text"""
    key: np.ndarray
    """(n,) int64, hashes of the ids, of this process only; equal ids have equal ones"""
    classes: tuple[str, ...]
    """class names, sorted"""
    digest: str
    """SHA-256 of the rows, cell by cell: line ends, quoting and a byte-order mark do not change it"""

    def rows(self, modality: str, *splits: str) -> np.ndarray:
        """Positions of the items that have a given modality.

        Args:
            modality: `image` or `text`.
            splits: only these splits; none means all.

        Returns:
            int64 positions, ascending.
        """
        chosen = self.image if modality == "image" else self.text
        if splits:
            chosen = chosen & np.isin(self.split, [SPLITS.index(each) for each in splits])
        return np.flatnonzero(chosen)


class ColumnsBuilder:
    """Gathers the columns from items as they stream by."""

    def __init__(self) -> None:
        self._content = hashlib.sha256()
        self._number: dict[str, int] = {}  # in the order of appearance
        self._label, self._split, self._key = array("i"), array("B"), array("q")
        self._image, self._text = array("B"), array("B")

    def __len__(self) -> int:
        """Number of items so far."""
        return len(self._key)

    def add(self, id: str, image: str, text: str, label: str, split: str) -> None:
        """Takes the next item, given as its cells.

        Args:
            id: the item's id.
            image: its image path, or nothing.
            text: its text, or nothing.
            label: its class.
            split: its split; an unknown one, in items that nobody checked, counts as none.
        """
        pieces: list[bytes] = []
        for cell in (id, image, text, label, split):
            encoded = cell.encode("utf-8")
            pieces += (len(encoded).to_bytes(8, "little"), encoded)
        self._content.update(b"".join(pieces))
        self._split.append(_CODE.get(split, len(SPLITS)))
        self._label.append(self._number.setdefault(label, len(self._number)))
        self._image.append(bool(image))
        self._text.append(bool(text))
        self._key.append(hash(id))

    def alike(self) -> np.ndarray:
        """Positions of the items whose id may be another's too, ascending: their hashes are equal."""
        key = np.array(self._key, dtype=np.int64)
        order = np.argsort(key, kind="stable")
        same = np.flatnonzero(np.diff(key[order]) == 0)
        return np.unique(np.concatenate([order[same], order[same + 1]]))

    def columns(self) -> Columns:
        """The columns of all items so far."""
        classes = tuple(sorted(self._number))
        place = np.zeros(len(classes), dtype=np.int32)
        place[[self._number[name] for name in classes]] = np.arange(len(classes))
        return Columns(
            label=place[np.array(self._label, dtype=np.int32)],
            split=np.array(self._split, dtype=np.uint8),
            image=np.array(self._image, dtype=bool),
            text=np.array(self._text, dtype=bool),
            key=np.array(self._key, dtype=np.int64),
            classes=classes,
            digest=self._content.hexdigest(),
        )


def columns_of(items: Iterable[Item]) -> Columns:
    """Gathers the columns of items in one pass.

    Args:
        items: in order.

    Returns:
        Their columns.
    """
    builder = ColumnsBuilder()
    for item in items:
        builder.add(*item.row())
    return builder.columns()


class ItemsById(Mapping[str, Item]):
    """Items found by their ids; only hashes are held.

    Args:
        items: all items.
        key: (n,) int64, as in `Columns`.
    """

    def __init__(self, items: Sequence[Item], key: np.ndarray) -> None:
        self._items = items
        self._order = np.argsort(key, kind="stable")
        self._key = key[self._order]

    def __len__(self) -> int:
        """Number of items."""
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        """The ids in the items' order."""
        return (item.id for item in self._items)

    def __getitem__(self, id: str) -> Item:
        """The item of an id.

        Args:
            id: any id.

        Returns:
            The item.

        Raises:
            KeyError: no item has this id.
        """
        first, end = (int(np.searchsorted(self._key, hash(id), side)) for side in ("left", "right"))
        for row in self._order[first:end].tolist():
            item = self._items[row]
            if item.id == id:
                return item
        raise KeyError(id)


def first_repeated(ids: Iterable[str]) -> str | None:
    """Looks for an id that occurs twice.

    Args:
        ids: ids in order.

    Returns:
        The first that was there before; None when all differ.

    >>> first_repeated(["a", "b", "a", "b"])
    'a'
    """
    seen: set[str] = set()
    for each in ids:
        if each in seen:
            return each
        seen.add(each)
    return None
