"""What every source of word vectors offers: the rows of the words asked for, in one pass over the source."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from drsl.features.errors import DamagedFile

__all__ = ["Found", "TableVectors", "WordVectors"]


@dataclass(frozen=True)
class Found:
    """The vectors of the words asked for."""

    vectors: dict[str, np.ndarray]
    """word to vector (dim,) float32; words without one are not in it"""
    cased: frozenset[str]
    """of these, the words whose vector is of their capitalised form"""


class WordVectors(ABC):
    """A source of word vectors. Nothing but the rows asked for is kept in memory."""

    name: str
    """what people call it, for messages"""
    dim: int
    """width of a vector"""

    @abstractmethod
    def rows(self, wanted: Container[bytes]) -> Iterator[tuple[bytes, np.ndarray]]:
        """Goes through the source once.

        Args:
            wanted: words in UTF-8.

        Yields:
            Those that have a vector, with it (dim,) float32, in the source's order.

        Raises:
            DamagedFile: the source is damaged.
        """

    def find(self, words: Iterable[str], whole: bool = True) -> Found:
        """Looks words up, each as it is or else capitalised.

        Published vocabularies keep capitals (GoogleNews has `Paris` and `NASA`, and no `paris`), tokens do not. So a
        word is looked up in lower case, then as `Paris`, `O'Neill` and `NASA`; the first of these forms that has a
        vector gives it. Of equal rows for a word, the first counts.

        Args:
            words: lower-case words.
            whole: go through the whole source, and so prove it whole; else stop when every word is found.

        Returns:
            What was found.

        Raises:
            DamagedFile: the source is damaged, or a vector is not finite.
        """
        forms: dict[bytes, list[tuple[int, str]]] = {}
        missing = set(words)
        for word in missing:
            for rank, cased in enumerate(dict.fromkeys((word, word.capitalize(), word.title(), word.upper()))):
                forms.setdefault(cased.encode(), []).append((rank, word))
        best: dict[str, tuple[int, np.ndarray]] = {}
        for form, row in self.rows(forms):
            if not np.isfinite(row).all():
                raise DamagedFile(
                    f"the word vector of {form.decode()!r} in {self.name} is NaN or infinite: the word vectors' file "
                    "is damaged"
                )
            for rank, word in forms[form]:
                if word not in best or rank < best[word][0]:
                    best[word] = rank, row
                if rank == 0:
                    missing.discard(word)
            if not missing and not whole:
                break
        vectors = {word: row for word, (_, row) in best.items()}
        return Found(vectors, frozenset(word for word, (rank, _) in best.items() if rank))


class TableVectors(WordVectors):
    """Word vectors that lie in memory, or in a file mapped to it.

    Args:
        name: for messages.
        words: n words.
        vectors: (n, dim).
    """

    def __init__(self, name: str, words: Sequence[str], vectors: np.ndarray) -> None:
        self.name = name
        self.dim = vectors.shape[1]
        self._words = words
        self._vectors = vectors

    def rows(self, wanted: Container[bytes]) -> Iterator[tuple[bytes, np.ndarray]]:
        """As `WordVectors.rows`.

        Args:
            wanted: words in UTF-8.

        Yields:
            Words with their vectors.
        """
        for place, word in enumerate(self._words):
            form = word.encode()
            if form in wanted:
                yield form, np.array(self._vectors[place], dtype=np.float32)
