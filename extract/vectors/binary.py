"""word2vec's binary format, as GoogleNews-vectors-negative300.bin.gz has it, read as a stream."""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from drsl.extract.vectors.base import WordVectors
from drsl.extract.vectors.stream import CHUNK, HEAD, damaged, read_stream

__all__ = ["BinaryVectors"]

_WIDEST = 1 << 16
"""A head line that promises wider vectors is not one."""
_LONGEST_WORD = 1 << 16


class BinaryVectors(WordVectors):
    """A file of a head line `words dim`, then for each word its UTF-8, a blank, and `dim` little-endian float32.

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
            self._count, self.dim = self._head(file)

    def rows(self, wanted: Container[bytes]) -> Iterator[tuple[bytes, np.ndarray]]:
        """As `WordVectors.rows`; words that are not wanted are passed over without being decoded.

        Args:
            wanted: words in UTF-8.

        Yields:
            Words with their vectors.

        Raises:
            DamagedFile: the file ends early, or goes on after its last word.
        """
        width = 4 * self.dim
        with read_stream(self._path) as file:
            self._head(file)
            buffer, start = b"", 0
            for number in range(1, self._count + 1):
                blank = buffer.find(b" ", start)
                while blank < 0 or blank + 1 + width > len(buffer):
                    if len(buffer) - start > width + _LONGEST_WORD:
                        raise damaged(self._path, f"word {number} of {self._count} has no end")
                    more = file.read(CHUNK)
                    if not more:
                        raise damaged(self._path, f"the file ends at word {number} of {self._count}; is it cut short?")
                    buffer, start = buffer[start:] + more, 0
                    blank = buffer.find(b" ")
                word = buffer[start:blank].lstrip(b"\n")  # the C program ends a vector with a newline, gensim does not
                start = blank + 1 + width
                if word in wanted:
                    yield word, np.frombuffer(buffer, "<f4", self.dim, blank + 1).astype(np.float32)
            rest = buffer[start:]
            while not rest.strip() and (rest := file.read(CHUNK)):
                pass
            if rest.strip():
                raise damaged(
                    self._path,
                    f"the file goes on after the {self._count} words of {self.dim} numbers of its first line",
                )

    def _head(self, file: BinaryIO) -> tuple[int, int]:
        line = file.readline(64)
        found = HEAD.fullmatch(line)
        if found is None or not int(found[1]) or not 1 <= int(found[2]) <= _WIDEST:
            raise damaged(self._path, f"the first line must be two numbers, words and dimension, not {line[:40]!r}")
        return int(found[1]), int(found[2])
