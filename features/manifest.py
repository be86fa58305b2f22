"""The manifest: the CSV that names every item of a data set, its label and its split.

It is the only authority on order and splits. Columns `id,image,text,label,split`; UTF-8. `image` is a path relative to
the manifest's folder, `text` the text itself. A row may lack its image or its text; both only when all rows do, as for
imported features.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from drsl.features.atomic import write_text
from drsl.features.errors import DamagedFile, MissingFile, did_you_mean

__all__ = ["COLUMNS", "MODALITIES", "SPLITS", "Item", "Manifest", "read_manifest", "write_manifest"]

COLUMNS = ("id", "image", "text", "label", "split")
MODALITIES = ("image", "text")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
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
class Manifest:
    """All items of a data set, in order, with the folder that image paths are relative to."""

    items: tuple[Item, ...]
    folder: Path

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the rows, cell by cell: line ends, quoting and a byte-order mark do not change it."""
        content = hashlib.sha256()
        for item in self.items:
            for cell in item.row():
                encoded = cell.encode("utf-8")
                content.update(len(encoded).to_bytes(8, "little") + encoded)
        return content.hexdigest()

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names, sorted; a label's index in it is the label number in feature files."""
        return tuple(sorted({item.label for item in self.items}))

    def of(self, modality: str, split: str | None = None) -> tuple[Item, ...]:
        """The items that have a given modality.

        Args:
            modality: `"image"` or `"text"`.
            split: only this split; None for all.

        Returns:
            Items in the manifest's order.
        """
        return tuple(item for item in self.items if getattr(item, modality) and (split is None or item.split == split))

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
        path = self.image_path(item)
        try:
            found = path.resolve()
        except (OSError, RuntimeError):  # a circle of links; RuntimeError up to Python 3.12
            found = self.folder.resolve() / item.image
        return found.is_relative_to(self.folder.resolve())


def read_manifest(path: Path) -> Manifest:
    """Reads and checks a manifest.

    Args:
        path: the CSV file; a byte-order mark and CRLF line ends are accepted.

    Returns:
        The manifest; at least one training item, unique ids, known splits, every class present in the train split.

    Raises:
        MissingFile: there is no such file.
        DamagedFile: not UTF-8, a column is missing, or a row is wrong; names the file, line and cell.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise MissingFile(
            f"{path} is not there: run `drsl data prepare -d {path.parent.name}` to make it, or put your own there"
        ) from None
    except UnicodeDecodeError as error:
        raise DamagedFile(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise MissingFile(f"{path} cannot be read: {error.strerror}") from error
    items = tuple(_rows(path, text))
    _check_classes(path, items)
    return Manifest(items=items, folder=path.parent)


def write_manifest(path: Path, items: Iterable[Item]) -> None:
    """Writes a manifest; the same items give the same bytes.

    Args:
        path: the CSV file to make or replace.
        items: rows in order.

    Raises:
        UserError: the file cannot be written.
    """
    lines = [",".join(COLUMNS)]
    lines += [",".join(_cell(each) for each in item.row()) for item in items]
    write_text(path, "\n".join(lines) + "\n")


def _cell(text: str) -> str:
    # As csv.writer, but a lone carriage return is quoted too: Python 3.11's leaves it bare, and it would end the row.
    return '"' + text.replace('"', '""') + '"' if re.search('[,"\r\n]', text) else text


def _rows(path: Path, text: str) -> Iterator[Item]:
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DamagedFile(f"{path} line {line}: holds a NUL byte; save the file as plain UTF-8 text")
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # a text may be longer than csv's 131,072 letters
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)  # else a stray quote swallows rows in silence
    try:
        head = next(reader, [])
        missing = [column for column in COLUMNS if column not in head]
        if missing:
            near = did_you_mean(missing[0], head) if head else ""
            raise DamagedFile(f"{path}: column {missing[0]!r} is missing{near}; the columns are {','.join(COLUMNS)}")
        order = [head.index(column) for column in COLUMNS]
        seen: dict[str, int] = {}
        bare: dict[bool, tuple[int, str]] = {}  # whether a row has neither image nor text -> the first such row
        for cells in reader:
            line = reader.line_num
            if not cells:
                continue
            if len(cells) != len(head):
                raise DamagedFile(f"{path} line {line}: {len(cells)} cells, but the head line has {len(head)}")
            item = Item(*(cells[place] for place in order))
            _check_row(path, line, item, seen)
            seen[item.id] = line
            bare.setdefault(not (item.image or item.text), (line, item.id))
            if len(bare) == 2:
                raise DamagedFile(f"{path} line {bare[True][0]}: {bare[True][1]!r} has neither image nor text")
            yield item
    except csv.Error as error:
        raise DamagedFile(f"{path} line {reader.line_num}: not readable as CSV: {error}") from None


def _check_row(path: Path, line: int, item: Item, seen: dict[str, int]) -> None:
    where = f"{path} line {line}"
    if not item.id:
        raise DamagedFile(f"{where}: the id is empty")
    if item.id in seen:
        raise DamagedFile(f"{where}: id {item.id!r} is already used on line {seen[item.id]}; ids must be unique")
    if item.split not in SPLITS:
        raise DamagedFile(f"{where}: split {item.split!r} is not known{did_you_mean(item.split, SPLITS)}")
    if not item.label:
        raise DamagedFile(f"{where}: the label of {item.id!r} is empty")


def _check_classes(path: Path, items: tuple[Item, ...]) -> None:
    if not items:
        raise DamagedFile(f"{path}: there is no row under the head line")
    trained = {item.label for item in items if item.split == "train"}
    if not trained:
        raise DamagedFile(f"{path}: no row has split 'train'; nothing could be learned")
    unseen = sorted({item.label for item in items} - trained)
    if unseen:
        near = did_you_mean(unseen[0], trained)
        raise DamagedFile(f"{path}: label {unseen[0]!r} occurs outside the train split only{near}")
