"""Makes the text encoder that training starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from drsl.extract.captions import lines_of
from drsl.extract.text_config import TextConfig
from drsl.extract.text_encoder import TextEncoder
from drsl.extract.tokens import Tokenizer
from drsl.extract.vectors import TRAIN, open_vectors
from drsl.extract.vectors.base import WordVectors
from drsl.extract.vectors.trained import train_vectors
from drsl.extract.words import build_vocabulary, count_tokens
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
        manifest: texts and classes; the texts stream by and are not kept.
        root: the project's folder, for vectors given by path.
        work: not needed here.
        say: takes lines for people.
        device: `cpu` or `cuda`.
        on_bytes: not needed here.

    Returns:
        The encoder; texts are padded to the longest text of the manifest, at most `max_words`.

    Raises:
        UserError: the vectors are missing, damaged, or know no word of the texts.
    """
    tokenizer = Tokenizer(config.tokens, config.ngram)
    vectors = _vectors(config, manifest, root, tokenizer, say)  # first: a missing file is told at once
    count = count_tokens(_texts(manifest, config), tokenizer)
    vocabulary, coverage = build_vocabulary(count.words, vectors, tokenizer)
    say(f"word vectors: {config.vectors}, {vectors.dim}-d; {coverage}")
    if coverage.is_poor:
        say(
            "warning: more than half of the running words have no vector and count as blanks: are the vectors of the "
            "texts' language?"
        )
    length = max(min(count.longest, config.max_words), *config.windows)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.finetune.seed)
        return TextEncoder(config, manifest.classes, vocabulary, length, device)


def _vectors(
    config: TextConfig, manifest: Manifest, root: Path, tokenizer: Tokenizer, say: Callable[[str], None]
) -> WordVectors:
    if config.vectors != TRAIN:
        return open_vectors(config.vectors, root)
    say(f"training {config.word2vec.dim}-d word vectors on the training texts, {config.word2vec.epochs} epochs")
    return train_vectors(lambda: _texts(manifest, config, "train"), tokenizer, config.word2vec)


def _texts(manifest: Manifest, config: TextConfig, split: str | None = None) -> Iterator[str]:
    for item in manifest.of("text", split):
        yield from lines_of(item.text, config.captions)
