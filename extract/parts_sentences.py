"""Sentences of a text: the feature of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np

from drsl.extract.parts import PartsEncoder
from drsl.extract.parts_config import PartsConfig
from drsl.extract.sentences import split_sentences
from drsl.extract.text_encoder import TextEncoder

__all__ = ["SentencesParts"]


class SentencesParts(PartsEncoder):
    """The text network's feature of each sentence, in order; zeros where a text has no further one.

    Args:
        encoder: the text network; a sentence is filled with zeros to the length that a text would be.
        config: the number of sentences at most.
    """

    kind = "sentences"

    def __init__(self, encoder: TextEncoder, config: PartsConfig) -> None:
        self._encoder = encoder
        self._most = config.sentences.max_sentences
        self.shape = (self._most, encoder.dim)
        self.settings = asdict(config.sentences)

    def encode(self, contents: Sequence[str], size: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Takes texts apart into sentences.

        Args:
            contents: texts, n of them.
            size: items at a time; None for as many as suit.

        Yields:
            Features (b, max_sentences, k) float32, zeros behind the last sentence; and which there are, (b,
            max_sentences) bool.
        """
        size = size or self._encoder.batch
        for start in range(0, len(contents), size):
            split = [split_sentences(text, self._most) for text in contents[start : start + size]]
            feature = np.concatenate(
                [each for each, _ in self._encoder.encode([one for text in split for one in text])]
            )
            there = np.arange(self._most) < np.array([len(text) for text in split])[:, np.newaxis]
            part = np.zeros((len(split), *self.shape), dtype=np.float32)
            part[there] = feature  # both go text by text, sentence by sentence
            yield part, there
