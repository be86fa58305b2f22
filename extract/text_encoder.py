"""Texts to 300-d features: the sentence CNN with its settings and word vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from drsl.extract.encoder import Batches, Encoder, read_config, read_network
from drsl.extract.id_store import IdStore
from drsl.extract.precision import Precision
from drsl.extract.sentence_cnn import SentenceNetwork
from drsl.extract.text_config import TextConfig
from drsl.extract.tokens import Tokenizer
from drsl.extract.words import Vocabulary
from drsl.features.settings import to_stored

__all__ = ["TextEncoder"]


class TextEncoder(Encoder):
    """The text network with its settings and the vectors of all known words.

    Args:
        config: network and training settings.
        classes: class names.
        vocabulary: words and vectors; may be replaced by an extended one for queries.
        length: words a text is padded or cut to.
        device: `cpu` or `cuda`.
    """

    modality = "text"

    def __init__(
        self, config: TextConfig, classes: Sequence[str], vocabulary: Vocabulary, length: int, device: str = "cpu"
    ) -> None:
        self.config = config
        self.classes = tuple(classes)
        self.precision = Precision("float32")  # too small a network for bfloat16 to pay
        self.vocabulary = vocabulary
        self.length = length
        self.device = device
        self.network: SentenceNetwork = SentenceNetwork(
            vocabulary.vectors.shape[1], len(self.classes), config.windows, config.maps, config.dropout
        ).to(device)

    @property
    def dim(self) -> int:
        """Width of the feature: windows * maps, 300 in the paper."""
        return self.network.dim

    def open(self, contents: Sequence[str], once: bool = False) -> Batches:
        """Gets texts ready; each becomes word ids when it is first needed.

        With captions `mean`, training sees one line of each text an epoch, drawn by the generator, as it sees one crop
        of each picture; else all lines of a text go through the network.

        Args:
            contents: texts.
            once: they are gone through once; else their word ids are kept in memory while they fit.

        Returns:
            A function that goes through them in batches of (b, length, k); with captions `mean` and without a generator
            (b, lines, length, k), where texts of unequal numbers of lines come in batches of their own, which are
            smaller than asked for when they have many lines.
        """
        keep = {"keep_megabytes": 0} if once else {}
        store = IdStore(contents, self.vocabulary, self.length, self.config.captions, **keep)
        vectors = torch.from_numpy(self.vocabulary.vectors)

        def batches(
            order: Sequence[int], size: int, generator: torch.Generator | None = None
        ) -> Iterator[tuple[list[int], torch.Tensor]]:
            for start in range(0, len(order), size):
                positions = list(order[start : start + size])
                lines = [store.lines(each) for each in positions]
                if self.config.captions == "join":
                    yield positions, vectors[torch.from_numpy(np.concatenate(lines))]
                elif generator is not None:
                    drawn = [each[int(torch.randint(len(each), (), generator=generator))] for each in lines]
                    yield positions, vectors[torch.from_numpy(np.stack(drawn))]
                else:
                    for part in _alike(lines, size):
                        yield positions[part], vectors[torch.from_numpy(np.stack(lines[part]))]

        return batches

    def feature(self, inputs: torch.Tensor) -> torch.Tensor:
        """The max-pooled maps.

        Args:
            inputs: (b, length, k) word vectors, or (b, lines, length, k) for the mean of each text's lines.

        Returns:
            (b, windows * maps), after ReLU.
        """
        pooled = self.network.pooled(inputs.flatten(0, -3))
        return pooled if inputs.ndim == 3 else pooled.unflatten(0, inputs.shape[:2]).mean(dim=1)

    def classify(self, feature: torch.Tensor) -> torch.Tensor:
        """Class scores from the max-pooled maps.

        Args:
            feature: (b, windows * maps).

        Returns:
            (b, classes) logits.
        """
        return self.network.classify(feature)

    def about(self) -> dict[str, Any]:
        """JSON-able description: architecture, settings, vectors and precision."""
        return {
            "architecture": "sentence_cnn",
            "input_size": self.length,
            "weights_digest": self.vocabulary.digest,
            "precision": self.precision.name,
            "settings": to_stored(self.config),
            "vocabulary": list(self.vocabulary.words),
        }

    def extra_arrays(self) -> dict[str, np.ndarray]:
        """The word vectors, so that no vector file is needed afterwards."""
        return {"vectors": self.vocabulary.vectors}

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> tuple[TextEncoder, dict[str, Any]]:
        """Reads a trained text network.

        Args:
            path: the file that `save` wrote.
            device: where it shall compute.

        Returns:
            The encoder and the file's description.

        Raises:
            UserError: the file is missing, damaged or of another kind.
        """
        arrays, about = read_network(path, cls.modality)
        config = read_config(TextConfig, about)
        tokenizer = Tokenizer(config.tokens, config.ngram)
        vocabulary = Vocabulary(tuple(about["vocabulary"]), arrays["vectors"], tokenizer)
        encoder = cls(config, about["classes"], vocabulary, about["input_size"], device)
        encoder.load_state(arrays)
        return encoder, about


def _alike(lines: Sequence[np.ndarray], size: int) -> Iterator[slice]:
    """Parts of neighbours with equal numbers of lines, of at most `size` lines in all or of one text."""
    start = 0
    for place in range(1, len(lines) + 1):
        many = (place + 1 - start) * len(lines[start]) > size
        if place == len(lines) or many or len(lines[place]) != len(lines[start]):
            yield slice(start, place)
            start = place
