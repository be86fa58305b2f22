"""One's own data as a CSV file: a row an item, with the path of its image, its text and its class."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from drsl.extract.sources.captions import expand_captions
from drsl.extract.sources.own_data import ATTRIBUTION, OwnDataConfig, write_own_data
from drsl.extract.sources.placing import IMAGES, Found, Reject
from drsl.features.digest import digest_bytes
from drsl.features.errors import DamagedFile, MissingFile, did_you_mean
from drsl.features.manifest import COLUMNS, SPLITS, Item

__all__ = ["ATTRIBUTION", "read_manifest_file", "write_manifest_file"]

_NEEDED = ("image", "text", "label")
_DELIMITERS = (",", ";", "\t")


def write_manifest_file(
    folder: Path, config: OwnDataConfig, on_progress: Callable[[int, int], None] | None = None
) -> Sequence[Item]:
    """Lists the items of a CSV file and places their pictures.

    Args:
        folder: the data set's folder.
        config: where the CSV file is, and how its rows become items.
        on_progress: called with (items done, 0).

    Returns:
        The items in the order of the rows.

    Raises:
        UserError: the file cannot be read, too many rows are unusable, or classes or splits lack what they need.
    """
    return write_own_data(read_manifest_file, folder, config, on_progress)


def read_manifest_file(config: OwnDataConfig, family: dict[str, str]) -> Iterator[Found]:
    """Reads a CSV file row by row. Columns `image`, `text` and `label`, if wanted `id` and `split`; others are ignored.

    Args:
        config: where the file is.
        family: is given the image of each id, so that the rows of one image get the same split.

    Yields:
        An item a row; its split is empty if the file has none.

    Raises:
        MissingFile: there is no such file.
        DamagedFile: a column is missing, or a row has an id that is taken, an unknown split or too many cells; names
            the line.
    """
    path = Path(config.path)
    try:
        # Bytes that are not UTF-8 are carried along, so that their row alone is rejected.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            rows = _Rows.open(path, file)
            empty = True
            for cells in rows:
                empty = False
                yield from _found(rows, cells, config, family)
            if empty:
                raise DamagedFile(f"{path}: there is no row under the head line")
    except OSError as error:
        raise MissingFile(f"{path} cannot be read: {error.strerror or error}") from None


@dataclass
class _Rows:
    """The rows of a CSV file as cells by column name."""

    path: Path
    reader: Iterator[list[str]]
    head: list[str]
    ids: dict[str, int] = field(default_factory=dict)
    """line of each id"""
    splits: dict[bool, int] = field(default_factory=dict)
    """first line with a split, and first line without"""

    @classmethod
    def open(cls, path: Path, file: TextIO) -> _Rows:
        csv.field_size_limit(max(csv.field_size_limit(), path.stat().st_size))  # a text may be long
        first = file.readline()
        file.seek(0)
        if first.startswith(("\udcff\udcfe", "\udcfe\udcff")) or "\0" in first:
            raise DamagedFile(f"{path} is not UTF-8 (it may be UTF-16): save it as CSV in UTF-8")
        delimiter = max(_DELIMITERS, key=lambda each: len({*_names(first, each)} & {*COLUMNS}))
        rows = cls(path, csv.reader(file, delimiter=delimiter, strict=True), [])
        rows.head = [name.strip().lower() for name in next(rows._lines(), [])]
        rows._check_head()
        return rows

    def __iter__(self) -> Iterator[dict[str, str]]:
        for cells in self._lines():
            if not any(cells):
                continue
            if len(cells) < len(self.head) or any(cells[len(self.head) :]):
                raise DamagedFile(f"{self.where}: {len(cells)} cells, but the head line has {len(self.head)}")
            yield dict(zip(self.head, cells, strict=False))

    @property
    def where(self) -> str:
        """File and line."""
        return f"{self.path} line {self.line}"

    @property
    def line(self) -> int:
        return int(self.reader.line_num)  # type: ignore[attr-defined]

    def _lines(self) -> Iterator[list[str]]:
        try:
            yield from self.reader
        except csv.Error as error:
            raise DamagedFile(f"{self.where}: not readable as CSV: {error}") from None

    def _check_head(self) -> None:
        unknown = [name for name in self.head if name not in COLUMNS]
        for name in COLUMNS:
            if name in self.head:
                if self.head.count(name) > 1:
                    raise DamagedFile(f"{self.path}: column {name!r} is there twice")
                continue
            near = did_you_mean(name, unknown) if unknown else ""
            if name in _NEEDED or "did you mean" in near:  # else a misspelt split column would be ignored in silence
                raise DamagedFile(f"{self.path}: column {name!r} is missing{near}; the columns are {','.join(COLUMNS)}")

    def name(self, cells: dict[str, str], image: str) -> str:
        """The row's id: its own, else the image's stem, else the row's number."""
        own = cells.get("id", "").strip()
        if "id" in cells:
            if not own:
                raise DamagedFile(f"{self.where}: the id is empty; fill all ids, or leave the column out")
            if own in self.ids:
                raise DamagedFile(
                    f"{self.where}: id {own!r} is already used on line {self.ids[own]}; ids must be unique"
                )
        else:
            stem = Path(image).stem if image else ""
            own = stem or f"row-{len(self.ids) + 1}"
            number = len(self.ids) + 1
            while own in self.ids:
                own = f"{stem or 'row'}-{number}"
                number += 1
        self.ids[own] = self.line
        return own

    def split(self, cells: dict[str, str]) -> str:
        """The row's split, checked."""
        split = cells.get("split", "").strip()
        self.splits.setdefault(bool(split), self.line)
        if split and split not in SPLITS:
            raise DamagedFile(f"{self.where}: split {split!r} is not known{did_you_mean(split, SPLITS)}")
        if len(self.splits) == 2:
            raise DamagedFile(
                f"{self.path}: line {self.splits[True]} has a split, line {self.splits[False]} has none: "
                "fill the column, or leave it out and splits are made"
            )
        return split


def _found(rows: _Rows, cells: dict[str, str], config: OwnDataConfig, family: dict[str, str]) -> Iterator[Found]:
    image, label = cells["image"].strip(), cells["label"].strip()
    name, split = rows.name(cells, image), rows.split(cells)
    if not label:
        yield Reject(name, image, f"line {rows.line}: the label is empty")
    elif not image and not cells["text"].strip():
        yield Reject(name, "", f"line {rows.line}: there is neither image nor text")
    else:
        path = Path(os.path.normpath(rows.path.parent / image)) if image else None
        item = Item(name, _wanted_name(image) if image else "", cells["text"], label, split)
        for each, original in expand_captions(item, path, config.captions):
            if path is not None:
                family[each.id] = str(path)
            elif each.id != name:
                family[each.id] = name
            yield each, original


def _wanted_name(image: str) -> str:
    """The image's place in the data set's folder: as in the CSV, or by a digest if it lies outside the CSV's folder."""
    name = os.path.normpath(image).replace(os.sep, "/")
    if name.startswith(("/", "../")) or re.match("[A-Za-z]:", name):
        digest = digest_bytes(name.encode("utf-8", "surrogateescape"))[:12]
        return f"{IMAGES}/outside/{digest}/{name.rpartition('/')[2]}"
    return f"{IMAGES}/{name}"


def _names(head: str, delimiter: str) -> Sequence[str]:
    try:
        return [name.strip().lower() for name in next(csv.reader([head], delimiter=delimiter), [])]
    except csv.Error:
        return []
