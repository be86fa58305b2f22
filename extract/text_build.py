"""Makes the text encoder that training starts from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from drsl.extract.text_config import TextConfig
from drsl.extract.text_encoder import TextEncoder
from drsl.extract.words import build_vocabulary, open_vectors, tokenize
from drsl.features.manifest import Manifest

__all__ = ["build_text_encoder"]


def build_text_encoder(
    config: TextConfig,
    manifest: Manifest,
    root: Path,
    work: Path,
    say: Callable[[str], None],
    device: str = "cpu",
    on_bytes: Callable[[int, int, str], None] | None = None,
) -> TextEncoder:
    """The text network before training: seeded, with the vectors of all words of the data set.

    Args:
        config: settings.
        manifest: texts and classes.
        root: the project's folder, for vectors given by path.
        work: not needed here.
        say: takes lines for people.
        device: `cpu` or `cuda`.
        on_bytes: not needed here.

    Returns:
        The encoder; texts are padded to the longest text of the manifest, at most `max_words`.

    Raises:
        UserError: the vectors are missing or know no word of the texts.
    """
    texts = [item.text for item in manifest.of("text")]
    vocabulary, coverage = build_vocabulary(texts, open_vectors(config.vectors, root))
    say(f"word vectors: {config.vectors}, {vocabulary.vectors.shape[1]}-d; {coverage}")
    longest = max(len(tokenize(text)) for text in texts)
    length = max(min(longest, config.max_words), *config.windows)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.finetune.seed)
        return TextEncoder(config, manifest.classes, vocabulary, length, device)
