"""From texts to word ids: counts of tokens, and the vocabulary of those that have a vector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from drsl.extract.tokens import Tokenizer
from drsl.extract.vectors.base import WordVectors
from drsl.features.digest import digest_array
from drsl.features.errors import UserError

__all__ = ["Coverage", "TokenCount", "Vocabulary", "build_vocabulary", "count_tokens"]

PAD = 0
"""Word id of the zero rows that fill short texts, and of words without a vector."""


@dataclass(frozen=True)
class TokenCount:
    """What one pass over texts finds."""

    words: Counter[str]
    """how often each different token occurs"""
    longest: int
    """tokens of the longest text; 0 without texts"""


def count_tokens(texts: Iterable[str], tokenizer: Tokenizer) -> TokenCount:
    """Counts the tokens of texts, which are taken one by one and not kept.

    Args:
        texts: any number of texts.
        tokenizer: splits a text.

    Returns:
        The counts.
    """
    words: Counter[str] = Counter()
    longest = 0
    for text in texts:
        tokens = list(tokenizer(text))
        words.update(tokens)
        longest = max(longest, len(tokens))
    return TokenCount(words, longest)


@dataclass(frozen=True)
class Coverage:
    """How many words have a vector."""

    words: int
    """different words in the texts"""
    found: int
    """of these, with a vector"""
    tokens: int
    """running words in the texts"""
    tokens_found: int
    """of these, with a vector"""
    cased: int = 0
    """different words whose vector is of their capitalised form only"""

    @property
    def is_poor(self) -> bool:
        """Whether more than half of the running words have no vector."""
        return 2 * self.tokens_found < self.tokens

    def __str__(self) -> str:
        """One line for people."""
        missing = self.words - self.found
        cased = f"; {self.cased} words have one in capitals only" if self.cased else ""
        return (
            f"{missing} of {self.words} different words have no vector ({missing / max(1, self.words):.1%}; "
            f"{1 - self.tokens_found / max(1, self.tokens):.1%} of the running words){cased}"
        )


@dataclass(frozen=True)
class Vocabulary:
    """Words with their vectors; row 0 is the zero vector for padding and unknown words."""

    words: tuple[str, ...]
    """words with a vector; word k has id k + 1"""
    vectors: np.ndarray
    """(1 + words, k) float32, row 0 zeros"""
    tokenizer: Tokenizer = field(default_factory=Tokenizer)
    """how a text becomes words"""

    def ids(self, text: str, length: int) -> np.ndarray:
        """A text as word ids, zero-padded or cut.

        Args:
            text: the text.
            length: number of ids.

        Returns:
            (length,) int64; 0 for padding and for words without a vector, which keep their place.
        """
        found = [self.index.get(word, PAD) for word in islice(self.tokenizer(text), length)]
        return np.array(found + [PAD] * (length - len(found)), dtype=np.int64)

    def unknown(self, text: str) -> tuple[str, ...]:
        """The words of a text that have no vector here.

        Args:
            text: the text.

        Returns:
            Each once, in order.
        """
        return tuple(dict.fromkeys(word for word in self.tokenizer(text) if word not in self.index))

    @property
    def index(self) -> dict[str, int]:
        """Word to id."""
        cached = self.__dict__.get("_index")
        if cached is None:
            cached = {word: place for place, word in enumerate(self.words, start=1)}
            object.__setattr__(self, "_index", cached)
        return cached

    @property
    def digest(self) -> str:
        """Digest of the vectors, in the order of the words."""
        return digest_array(self.vectors)

    def extended(self, found: Mapping[str, np.ndarray]) -> Vocabulary:
        """The same vocabulary with further words added, for queries made of new words.

        Args:
            found: words and their vectors; words that are here already change nothing.

        Returns:
            A vocabulary whose first rows are this one's.
        """
        new = sorted(set(found) - set(self.index))
        if not new:
            return self
        rows = np.stack([np.asarray(found[word], dtype=np.float32) for word in new])
        return Vocabulary(self.words + tuple(new), np.concatenate([self.vectors, rows]), self.tokenizer)


def build_vocabulary(words: Counter[str], vectors: WordVectors, tokenizer: Tokenizer) -> tuple[Vocabulary, Coverage]:
    """Looks up every word of a data set's texts.

    Args:
        words: how often each occurs; looking a word up learns nothing from it, so all splits may be counted.
        vectors: the word vectors.
        tokenizer: what made the words.

    Returns:
        The words that have a vector, sorted, with their vectors; and the coverage.

    Raises:
        UserError: no word of the texts has a vector, or the vectors are damaged.
    """
    found = vectors.find(words)
    known = sorted(found.vectors)
    if not known:
        raise UserError(
            f"no word of the texts has a word vector in {vectors.name}: are the vectors of another language, or the "
            "texts without spaces between words (then set text.tokens: characters and text.vectors: train)?"
        )
    rows = np.zeros((len(known) + 1, vectors.dim), dtype=np.float32)
    for place, word in enumerate(known, start=1):
        rows[place] = found.vectors[word]
    running = sum(words[word] for word in known)
    coverage = Coverage(len(words), len(known), words.total(), running, len(found.cased))
    return Vocabulary(tuple(known), rows, tokenizer), coverage
