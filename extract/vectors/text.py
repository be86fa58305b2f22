"""Word vectors as lines of text: word2vec's and fastText's with a head line, GloVe's without; read as a stream."""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from drsl.extract.vectors.base import WordVectors
from drsl.extract.vectors.stream import HEAD, damaged, read_stream

__all__ = ["TextVectors"]

_LONGEST_LINE = 1 << 22


class TextVectors(WordVectors):
    """A file of lines of a word and its numbers, parted by blanks. A first line of two whole numbers is its head.

    The last line must end with a newline, as all known programs write it: else a file that is cut short within its last
    number would pass.

    Args:
        path: the file; gzipped or not.

    Raises:
        MissingFile: it is not there.
        DamagedFile: it is of another format.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        with read_stream(path) as file:
            line = self._line(file, 1)
        head = HEAD.fullmatch(line)
        self._count = int(head[1]) if head else None
        self.dim = int(head[2]) if head else line.rstrip().count(b" ")
        if not self.dim or self._count == 0:
            raise damaged(path, f"line 1 holds neither a word and its numbers, nor a head: {line[:40]!r}")
        if not head:
            self._numbers(line, 1)

    def rows(self, wanted: Container[bytes]) -> Iterator[tuple[bytes, np.ndarray]]:
        """As `WordVectors.rows`; lines of words that are not wanted are counted, not read as numbers.

        Args:
            wanted: words in UTF-8.

        Yields:
            Words with their vectors.

        Raises:
            DamagedFile: a line has too few or too many numbers or something else in their place, or there are fewer or
                more lines than the head line promises.
        """
        with read_stream(self._path) as file:
            number = 0
            if self._count is not None:
                self._line(file, 1)
                number = 1
            first = number
            while line := self._line(file, number + 1):
                number += 1
                if line.rstrip().count(b" ") != self.dim:
                    self._numbers(line, number)  # a word with blanks in it, which no token has, or a damaged line
                elif (word := line[: line.find(b" ")]) in wanted:
                    yield word, self._numbers(line, number)
            if self._count not in (None, number - first):
                raise damaged(
                    self._path, f"it has {number - first} words, but its first line promises {self._count}; cut short?"
                )

    def _line(self, file: BinaryIO, number: int) -> bytes:
        line = file.readline(_LONGEST_LINE)
        if line and not line.endswith(b"\n"):
            reason = (
                "is too long" if len(line) == _LONGEST_LINE else "has no newline at its end; is the file cut short?"
            )
            raise damaged(self._path, f"line {number} {reason}")
        return line

    def _numbers(self, line: bytes, number: int) -> np.ndarray:
        """The numbers of a line; GloVe has words with blanks in them, so they are counted from the right."""
        parts = line.rstrip().rsplit(b" ", self.dim)
        try:
            values = [float(each) for each in parts[1:]]
        except ValueError as error:
            raise damaged(self._path, f"line {number}: {error}") from None
        word = parts[0].rpartition(b" ")[2]
        if len(values) != self.dim or (b" " in parts[0] and _is_number(word)):
            found = line.rstrip().count(b" ")
            raise damaged(self._path, f"line {number} has {found} numbers, not {self.dim}")
        with np.errstate(over="ignore"):  # too large for float32 is infinite, and infinite is refused with its word
            return np.array(values).astype(np.float32)


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
