"""Items on their way to a manifest, kept in a file: there may be millions, and their texts need not fit in memory."""

from __future__ import annotations

import json
import tempfile
import weakref
from abc import abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

from drsl.features.errors import UserError
from drsl.features.manifest import Item

__all__ = ["ItemSpool", "ItemsWithSplits"]


class _Items(Sequence[Item]):
    """Items that are made when they are asked for."""

    @overload
    def __getitem__(self, place: int) -> Item: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, place: int | slice) -> Item | tuple[Item, ...]:
        """One item, or a few."""
        if isinstance(place, slice):
            return tuple(self[each] for each in range(*place.indices(len(self))))
        return self._item(place)

    @abstractmethod
    def _item(self, place: int) -> Item:
        """One item; IndexError where there is none."""


class ItemSpool(_Items):
    """Items in order, read from a nameless file when asked for; it goes when the spool goes, or the process.

    Args:
        folder: on whose disk the file lies; made when missing. None for the system's folder for such files.

    Raises:
        UserError: the file cannot be made.
    """

    def __init__(self, folder: Path | None = None) -> None:
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (lives as long as the spool)
        except OSError as error:
            raise UserError(f"cannot write in {folder or 'the folder of temporary files'}: {error.strerror}") from error
        weakref.finalize(self, self._file.close)
        self._start = array("Q")
        self._end = 0

    def append(self, item: Item) -> None:
        """Adds an item.

        Args:
            item: the item.

        Raises:
            UserError: the disk is full.
        """
        line = json.dumps(item.row()).encode("ascii") + b"\n"
        try:
            self._file.seek(self._end)
            self._file.write(line)
        except OSError as error:
            raise UserError(f"cannot keep the items found so far: {error.strerror}") from error
        self._start.append(self._end)
        self._end += len(line)

    def __len__(self) -> int:
        """Number of items."""
        return len(self._start)

    def _item(self, place: int) -> Item:
        return self._read(self._start[place])

    def __iter__(self) -> Iterator[Item]:
        """All items in order."""
        for start in self._start:
            yield self._read(start)

    def _read(self, start: int) -> Item:
        self._file.seek(start)
        return Item(*json.loads(self._file.readline()))


class ItemsWithSplits(_Items):
    """Items with other splits than they came with.

    Args:
        items: the items.
        splits: a split for each.
    """

    def __init__(self, items: Sequence[Item], splits: Iterable[str]) -> None:
        self._items, self._splits = items, list(splits)
        if len(self._splits) != len(items):
            raise ValueError(f"{len(self._splits)} splits for {len(items)} items")

    def __len__(self) -> int:
        """Number of items."""
        return len(self._items)

    def _item(self, place: int) -> Item:
        return replace(self._items[place], split=self._splits[place])

    def __iter__(self) -> Iterator[Item]:
        """All items in order."""
        for item, split in zip(self._items, self._splits, strict=True):
            yield replace(item, split=split)
