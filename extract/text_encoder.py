"""Texts to 300-d features: the sentence CNN with its settings and word vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from drsl.extract.encoder import Batches, Encoder, read_config, read_network
from drsl.extract.precision import Precision
from drsl.extract.sentence_cnn import SentenceNetwork
from drsl.extract.text_config import TextConfig
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
        """Gets texts ready.

        Args:
            contents: texts.
            once: makes no difference.

        Returns:
            A function that goes through them in batches of (b, length, k).
        """
        ids = [self.vocabulary.ids(text, self.length) for text in contents]
        vectors = torch.from_numpy(self.vocabulary.vectors)

        def batches(
            order: Sequence[int], size: int, generator: torch.Generator | None = None
        ) -> Iterator[tuple[list[int], torch.Tensor]]:
            for start in range(0, len(order), size):
                positions = list(order[start : start + size])
                yield positions, vectors[torch.from_numpy(np.stack([ids[each] for each in positions]))]

        return batches

    def feature(self, inputs: torch.Tensor) -> torch.Tensor:
        """The max-pooled maps.

        Args:
            inputs: (b, length, k) word vectors.

        Returns:
            (b, windows * maps), after ReLU.
        """
        return self.network.pooled(inputs)

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
        vocabulary = Vocabulary(tuple(about["vocabulary"]), arrays["vectors"])
        config = read_config(TextConfig, about)
        encoder = cls(config, about["classes"], vocabulary, about["input_size"], device)
        encoder.load_state(arrays)
        return encoder, about
