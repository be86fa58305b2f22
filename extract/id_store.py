"""Texts as word ids by position, made when they are asked for and kept while they fit in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drsl.extract.captions import lines_of
from drsl.extract.words import Vocabulary

__all__ = ["IdStore"]

_OVERHEAD = 200
"""Bytes of an array and its place in a table."""


class IdStore:
    """The lines of texts as word ids; of the texts only the ids of some are kept.

    Args:
        texts: n texts; may be made when indexed.
        vocabulary: words and their ids.
        length: ids of a line, at most.
        captions: `join` or `mean`; what a line is.
        keep_megabytes: ids are kept up to this much memory; those of further texts are made at each use.
    """

    def __init__(
        self, texts: Sequence[str], vocabulary: Vocabulary, length: int, captions: str, keep_megabytes: float = 256
    ) -> None:
        self._texts = texts
        self._vocabulary = vocabulary
        self._length = length
        self._captions = captions
        self._kept: dict[int, np.ndarray] = {}
        self._room = keep_megabytes * 2**20

    def lines(self, position: int) -> np.ndarray:
        """The lines of one text.

        Args:
            position: which text.

        Returns:
            (lines, length) int32, zero-padded; one line with `join`.
        """
        kept = self._kept.get(position)
        if kept is None:
            lines = lines_of(self._texts[position], self._captions)
            kept = np.array([self._vocabulary.ids(line, self._length) for line in lines], dtype=np.int32)
            size = kept.nbytes + _OVERHEAD
            if size <= self._room:
                self._kept[position] = kept
                self._room -= size
        return kept
