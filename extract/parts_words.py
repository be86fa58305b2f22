"""Words of a text: the ids that the text network reads, with the table of word vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from drsl.extract.parts import PartsEncoder
from drsl.extract.parts_config import PartsConfig
from drsl.extract.text_encoder import TextEncoder

__all__ = ["WordsParts"]

_TEXTS = 1024
"""Texts looked up at a time."""


class WordsParts(PartsEncoder):
    """A row of word ids a text, cut or filled with zeros to the length that the network was trained with.

    Args:
        encoder: the text network.
        config: nothing of it is used.
    """

    kind = "words"

    def __init__(self, encoder: TextEncoder, config: PartsConfig) -> None:
        self._encoder = encoder
        self.shape = (encoder.length,)
        self.settings: dict[str, Any] = {}
        self.words = encoder.vocabulary.words
        self.vectors = encoder.vocabulary.vectors

    def encode(self, contents: Sequence[str], size: int | None = None) -> Iterator[tuple[np.ndarray, None]]:
        """Takes texts apart into words.

        Args:
            contents: texts, n of them.
            size: items at a time; None for as many as suit.

        Yields:
            Ids (b, length), 0 where there is no word or one without a vector; and None.
        """
        size = size or _TEXTS
        for start in range(0, len(contents), size):
            texts = contents[start : start + size]
            yield np.stack([self._encoder.vocabulary.ids(text, self._encoder.length) for text in texts]), None
