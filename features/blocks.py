"""Rows of work in progress, kept in sealed files: a run that was stopped goes on from those that are whole."""

from __future__ import annotations

import re
import shutil
from bisect import bisect
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from drsl.features.atomic import write_bytes
from drsl.features.digest import digest_bytes, digest_file
from drsl.features.errors import MissingFile

__all__ = ["Blocks"]

_NAME = re.compile(r"(\d{12})-(\d{12})-([0-9a-f]{64})\.rows")
"""A block's first row, its number of rows, and the digest of its bytes."""


class Blocks:
    """Rows 0 to n - 1 of one output, of which some are here already.

    Opening removes blocks of every other fingerprint, and those that are damaged.

    Args:
        folder: holds one folder a fingerprint, and nothing else.
        fingerprint: of everything that determines the rows.
        dtype: of a row; little-endian.
        total: the number of rows n.
        step: blocks begin at multiples of it: rows that are made together stay together.

    Raises:
        OSError: the folder cannot be read.
    """

    def __init__(self, folder: Path, fingerprint: str, dtype: np.dtype, total: int, step: int) -> None:
        self._folder = folder / fingerprint
        self.dtype = dtype
        self._total = total
        self._start: list[int] = []  # ascending, and the blocks' other facts beside
        self._count: list[int] = []
        self._path: list[Path] = []
        for path in folder.iterdir() if folder.is_dir() else ():
            if path != self._folder:
                _remove(path)
        for path in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            start, count = self._whole(path, step)
            if count and start >= self._end(len(self._start)):
                self._insert(start, count, path)
            else:
                _remove(path)

    def __len__(self) -> int:
        """Number of rows that are here."""
        return sum(self._count)

    def missing(self) -> Iterator[tuple[int, int]]:
        """The gaps, from the first to the last; it may be filled on the way.

        Yields:
            First row, and the row after the last.
        """
        ends = [0, *(start + count for start, count in zip(self._start, self._count, strict=True))]
        for end, start in zip(ends, [*self._start, self._total], strict=True):
            if end < start:
                yield end, start

    def add(self, start: int, rows: np.ndarray) -> None:
        """Seals rows; after that they survive the process.

        Args:
            start: the first row's number; none of these rows is here yet.
            rows: of the blocks' dtype.

        Raises:
            UserError: the block cannot be written.
        """
        content = np.ascontiguousarray(rows, dtype=self.dtype).tobytes()
        path = self._folder / f"{start:012d}-{len(rows):012d}-{digest_bytes(content)}.rows"
        write_bytes(path, content)
        self._insert(start, len(rows), path)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Reads rows.

        Args:
            rows: row numbers in any order, all of them here.

        Returns:
            Those rows.

        Raises:
            MissingFile: a block was removed meanwhile.
        """
        found = np.empty(len(rows), self.dtype)
        block = np.searchsorted(self._start, rows, side="right") - 1
        for number in np.unique(block).tolist():
            chosen = block == number
            try:
                content = np.memmap(self._path[number], self.dtype, mode="r", shape=self._count[number])
            except (OSError, ValueError):  # gone, or shorter
                raise MissingFile(f"{self._path[number]} was removed: run the command again") from None
            found[chosen] = content[rows[chosen] - self._start[number]]
        return found

    def remove(self) -> None:
        """Removes all blocks: what they were for is there."""
        _remove(self._folder.parent)

    def _whole(self, path: Path, step: int) -> tuple[int, int]:
        """First row and number of rows of a block that is as it was sealed; no rows otherwise."""
        name = _NAME.fullmatch(path.name)
        if name is None:
            return 0, 0
        start, count = int(name[1]), int(name[2])
        aligned = start % step == 0 and ((start + count) % step == 0 or start + count == self._total)
        fits = aligned and start + count <= self._total and path.stat().st_size == count * self.dtype.itemsize
        return (start, count) if fits and digest_file(path) == name[3] else (0, 0)

    def _insert(self, start: int, count: int, path: Path) -> None:
        place = bisect(self._start, start)
        self._start.insert(place, start)
        self._count.insert(place, count)
        self._path.insert(place, path)

    def _end(self, blocks: int) -> int:
        return self._start[blocks - 1] + self._count[blocks - 1] if blocks else 0


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
