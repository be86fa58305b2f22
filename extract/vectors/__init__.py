"""Word vectors from a file, a package, or the training texts: one file a format, one interface (base.py)."""

from __future__ import annotations

from pathlib import Path

from drsl.extract.vectors.base import WordVectors
from drsl.extract.vectors.binary import BinaryVectors
from drsl.extract.vectors.package import package_vectors
from drsl.extract.vectors.text import TextVectors

__all__ = ["TRAIN", "open_vectors"]

TRAIN = "train"
"""The setting `text.vectors` that trains vectors on the training texts (trained.py)."""


def open_vectors(source: str, root: Path) -> WordVectors:
    """Opens word vectors; of a file only the head is read yet.

    Args:
        source: `package:NAME`, or a file relative to `root`: `.bin` and `.bin.gz` are word2vec's binary format, others
            are text, with a head line (word2vec, fastText's `.vec`) or without (GloVe). What is gzipped is seen from
            the content.
        root: the project's folder.

    Returns:
        The vectors.

    Raises:
        MissingFile: the file or package is not there; says what to put where.
        DamagedFile: the file is of another format, or its head is wrong.
        SettingError: the package is not one that carries word vectors.
    """
    if source.startswith("package:"):
        return package_vectors(source.removeprefix("package:"))
    binary = source.lower().endswith((".bin", ".bin.gz"))
    return (BinaryVectors if binary else TextVectors)(root / source)
