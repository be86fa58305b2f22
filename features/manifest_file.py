"""Reads a manifest's file as a stream: checks every row once, then gives single items from their place in the file."""

from __future__ import annotations

import codecs
import csv
import io
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, NoReturn, overload

import numpy as np

from drsl.features.errors import DamagedFile, MissingFile, did_you_mean
from drsl.features.items import COLUMNS, SPLITS, Columns, ColumnsBuilder, Item

if TYPE_CHECKING:
    from _csv import Reader as _Reader

__all__ = ["FileItems", "scan_manifest"]

_PIECE = 1 << 20
"""Bytes read at a time."""


class _Rows(NamedTuple):
    """Where a manifest's rows are."""

    path: Path
    stamp: tuple[int, int]
    """size and time of change of the file that was checked"""
    order: tuple[int, ...]
    """place of each of `COLUMNS` in a row"""
    offset: np.ndarray
    """(n + 1,) int64, where in the file each row starts, and where the last one ends"""


class FileItems(Sequence[Item]):
    """Items of a manifest's file, read from it when asked for; none is held.

    Made by `scan_manifest`. Going through them reads the file in order, a megabyte at a time. Any reading raises
    DamagedFile when the file is no longer the one that was checked.
    """

    def __init__(self, source: _Rows, rows: np.ndarray) -> None:
        self._source = source
        self._rows = rows

    def __len__(self) -> int:
        """Number of items."""
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Item: ...
    @overload
    def __getitem__(self, place: slice) -> FileItems: ...
    def __getitem__(self, place: int | slice) -> Item | FileItems:
        """One item, or a part of the items that is read when asked for."""
        if isinstance(place, slice):
            return self.take(np.arange(len(self))[place])
        (item,) = self._read(self._rows[[index(place)]])
        return item

    def __iter__(self) -> Iterator[Item]:
        """The items in order."""
        if (np.diff(self._rows) <= 0).any():  # not the file's order
            for place in range(len(self)):
                yield self[place]
            return
        offset, done = self._source.offset, 0
        while done < len(self):
            end = np.searchsorted(offset, offset[self._rows[done]] + _PIECE, "right") - 1  # rows before it fit
            stop = max(done + 1, int(np.searchsorted(self._rows, end)))
            yield from self._read(self._rows[done:stop])
            done = stop

    def __eq__(self, other: object) -> bool:
        """Whether the other sequence has equal items in the same order."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def take(self, places: np.ndarray) -> FileItems:
        """Some of the items, read when asked for.

        Args:
            places: positions among these items, in any order.

        Returns:
            Those items.
        """
        return FileItems(self._source, self._rows[places])

    def _read(self, rows: np.ndarray) -> list[Item]:
        """Reads rows that lie near each other, in the file's order."""
        path, stamp, order, offset = self._source
        start, end = int(offset[rows[0]]), int(offset[rows[-1] + 1])
        with _open(path) as file:
            content = b""
            if _stamp(file) == stamp:
                file.seek(start)
                content = file.read(end - start)
            if _stamp(file) != stamp:
                raise _changed(path)
        if rows[-1] - rows[0] >= len(rows):  # others lie between them
            bounds = zip((offset[rows] - start).tolist(), (offset[rows + 1] - start).tolist(), strict=True)
            content = b"".join(content[first:last] for first, last in bounds)
        reader = _reader(io.StringIO(content.decode("utf-8"), newline=""), stamp[0])
        return [Item(*(cells[place] for place in order)) for cells in reader if cells]


def scan_manifest(path: Path) -> tuple[FileItems, Columns]:
    """Reads a manifest's file from start to end and checks every row; of the rows only columns are held.

    Args:
        path: the CSV file.

    Returns:
        Its items, and their columns.

    Raises:
        MissingFile: there is no such file.
        DamagedFile: not UTF-8, a column is missing, or a row is wrong; names the file, line and cell.
    """
    with _open(path) as file:
        stamp = _stamp(file)
        _check_bytes(path, file)
        file.seek(0)
        start = len(codecs.BOM_UTF8) if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0
        file.seek(start)
        scan = _Scan(path, stamp, start)
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            scan.run(text)
        except (DamagedFile, UnicodeDecodeError):
            if _stamp(file) == stamp:
                raise
        finally:
            text.detach()
        if _stamp(file) != stamp:
            raise _changed(path)
    return scan.items(), scan.columns.columns()


class _Scan:
    """A walk through a manifest's rows: where they are, their columns, and the first thing that is wrong."""

    def __init__(self, path: Path, stamp: tuple[int, int], start: int) -> None:
        self.path, self.stamp = path, stamp
        self.position = self.start = start  # of what comes next, and of the row at hand
        self.order: tuple[int, ...] = ()
        self.offset, self.line = array("q"), array("q")
        self.columns = ColumnsBuilder()

    def items(self) -> FileItems:
        """The items that were walked over."""
        source = _Rows(self.path, self.stamp, self.order, np.append(np.array(self.offset, dtype=np.int64), self.start))
        return FileItems(source, np.arange(len(self.columns)))

    def run(self, text: Iterable[str]) -> None:
        """Walks through all lines, line ends included."""
        reader = _reader(self._counted(text), self.stamp[0])
        try:
            head = next(reader, [])
            missing = [column for column in COLUMNS if column not in head]
            if missing:
                near = did_you_mean(missing[0], head) if head else ""
                self._refuse(f": column {missing[0]!r} is missing{near}; the columns are {','.join(COLUMNS)}")
            self.order = tuple(head.index(column) for column in COLUMNS)
            self.start = self.position
            for cells in reader:
                if cells:
                    self._take(cells, len(head), reader.line_num)
                self.start = self.position
        except csv.Error as error:
            self._refuse(f" line {reader.line_num}: not readable as CSV: {error}")
        self._check_whole()

    def _counted(self, text: Iterable[str]) -> Iterator[str]:
        for line in text:
            self.position += len(line) if line.isascii() else len(line.encode("utf-8"))
            yield line

    def _take(self, cells: list[str], width: int, line: int) -> None:
        """Checks one row and takes its columns."""
        if len(cells) != width:
            self._refuse(f" line {line}: {len(cells)} cells, but the head line has {width}")
        id, image, text, label, split = (cells[place] for place in self.order)
        if not id:
            self._refuse(f" line {line}: the id is empty")
        if split not in SPLITS:
            self._refuse(f" line {line}: split {split!r} is not known{did_you_mean(split, SPLITS)}")
        if not label:
            self._refuse(f" line {line}: the label of {id!r} is empty")
        self.columns.add(id, image, text, label, split)
        self.offset.append(self.start)
        self.line.append(line)

    def _refuse(self, message: str) -> NoReturn:
        """Raises the error, or that of an id used twice before it: ids are compared when the walk ends."""
        self._check_ids()
        raise DamagedFile(f"{self.path}{message}")

    def _check_ids(self) -> None:
        rows = self.columns.alike()
        seen: dict[str, int] = {}
        for row, item in zip(rows.tolist(), self.items().take(rows), strict=True):
            if item.id in seen:
                raise DamagedFile(
                    f"{self.path} line {self.line[row]}: id {item.id!r} is already used on line "
                    f"{self.line[seen[item.id]]}; ids must be unique"
                )
            seen[item.id] = row

    def _check_whole(self) -> None:
        """What only all rows together show."""
        self._check_ids()
        if not self.line:
            raise DamagedFile(f"{self.path}: there is no row under the head line")
        found = self.columns.columns()
        bare = ~(found.image | found.text)
        if bare.any() and not bare.all():  # all of them: a data set of imported features
            row = int(bare.argmax())
            name = self.items()[row].id
            raise DamagedFile(f"{self.path} line {self.line[row]}: {name!r} has neither image nor text")
        trained = set(found.label[found.split == SPLITS.index("train")].tolist())
        if not trained:
            raise DamagedFile(f"{self.path}: no row has split 'train'; nothing could be learned")
        unseen = [name for number, name in enumerate(found.classes) if number not in trained]
        if unseen:
            near = did_you_mean(unseen[0], (found.classes[number] for number in trained))
            raise DamagedFile(f"{self.path}: label {unseen[0]!r} occurs outside the train split only{near}")


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise MissingFile(
            f"{path} is not there: run `drsl data prepare -d {path.parent.name}` to make it, or put your own there"
        ) from None
    except OSError as error:
        raise MissingFile(f"{path} cannot be read: {error.strerror}") from error


def _stamp(file: BinaryIO) -> tuple[int, int]:
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns


def _changed(path: Path) -> DamagedFile:
    return DamagedFile(f"{path} was changed while it was in use: run the command again")


def _check_bytes(path: Path, file: BinaryIO) -> None:
    """Refuses what is not UTF-8 or holds a NUL byte, before any cell is read."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    done, lines, nul = 0, 1, 0
    while True:
        piece = file.read(_PIECE)
        waiting = len(decoder.getstate()[0])  # bytes of a letter that the last piece began
        try:
            decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            place = done - waiting + error.start
            raise DamagedFile(f"{path}: byte {place} is not UTF-8; save the file as UTF-8") from None
        if not nul and b"\0" in piece:
            nul = lines + piece.count(b"\n", 0, piece.index(b"\0"))
        done, lines = done + len(piece), lines + piece.count(b"\n")
        if not piece:
            break
    if nul:
        raise DamagedFile(f"{path} line {nul}: holds a NUL byte; save the file as plain UTF-8 text")


def _reader(lines: Iterable[str], size: int) -> _Reader:
    csv.field_size_limit(max(csv.field_size_limit(), size))  # a text may be longer than csv's 131,072 letters
    return csv.reader(lines, strict=True)  # else a stray quote swallows rows in silence
