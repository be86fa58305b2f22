"""Sealed HDF5 files: what feature files, parts files and score files have in common.

HDF5 alone is not enough: it crashes its process when the disk is full, has no checksum for texts, and one wrong bit
in a text's length makes it loop for ever. So room is claimed before writing, and texts get checksums of our own.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from drsl.features.atomic import publish, reserve

__all__ = ["SEAL", "check_head", "check_texts", "create_numbers", "create_sealed", "format_of", "plain", "reason"]

SEAL = ("rows", "digest", "sealed", "texts")
"""Attributes that belong to the seal and are not part of what it covers."""

_CHUNK_BYTES = 1 << 20
_ALIGNMENT = 64
"""Bytes: where arrays may begin, so that one can be used as it lies in the file."""


@contextmanager
def create_sealed(
    path: Path,
    texts: Mapping[str, Sequence[str]],
    attrs: Mapping[str, Any],
    numbers: Sequence[tuple[tuple[int, ...], type]],
    *,
    aligned: bool = False,
) -> Iterator[h5py.File]:
    """Opens a file in which texts and attributes stand already; it appears under its name when the block ends well.

    Args:
        path: the file's final name.
        texts: column name to its texts.
        attrs: strings and numbers; those of the seal are left out.
        numbers: shape and type of each array that the block will write.
        aligned: arrays begin at multiples of 64 bytes, as those that are mapped should.

    Yields:
        The open file; the block writes the arrays and the attributes of the seal.

    Raises:
        UserError: the file cannot be written, or the disk has no room for it; before the block runs.
    """
    path = Path(path)
    with publish(path) as temporary, temporary.open("w+b", buffering=0) as raw:
        # Once before HDF5 sees the file, and again when it has made it its own: it takes an empty file only, and gives
        # back the surplus in the end.
        size = _size_at_most(texts, attrs, numbers)
        reserve(path, raw, size)
        raw.truncate(0)
        places = {"alignment_threshold": _ALIGNMENT, "alignment_interval": _ALIGNMENT} if aligned else {}
        with h5py.File(raw, "w", libver=("v110", "v110"), **places) as file:
            for name, values in texts.items():
                file.create_dataset(name, data=list(values), dtype=h5py.string_dtype("utf-8"), shape=(len(values),))
            for key in sorted(attrs):
                if key not in SEAL:
                    file.attrs[key] = attrs[key]
            file.flush()
            file.attrs["texts"] = _text_places(file, raw, list(texts))
            reserve(path, raw, size)
            yield file


def create_numbers(file: h5py.File, name: str, shape: tuple[int, ...], dtype: type) -> h5py.Dataset:
    """Makes an array with fletcher32 checksums; its bytes do not depend on the order in which it is filled.

    Args:
        file: an open file.
        name: of the array.
        shape: of the array; chunks hold whole rows, about a megabyte.
        dtype: its element type.

    Returns:
        The array, not filled yet.
    """
    if 0 in shape:
        return file.create_dataset(name, shape, dtype)
    # All chunks get their place in the file at once: else it would follow the order in which they are written.
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    return file.create_dataset(name, shape, dtype, chunks=_chunk(shape, dtype), fletcher32=True, dcpl=early)


def check_texts(path: Path, file: h5py.File, format: str) -> None:
    """Compares the texts' checksums, before HDF5 reads any text.

    Args:
        path: the file's name.
        file: the same file, open.
        format: what the file should be, for the message.

    Raises:
        ValueError: there are no checksums, or one does not match.
    """
    if "texts" not in file.attrs:
        raise ValueError(f"it has no seal of {format}")
    with path.open("rb") as raw:
        for start, length, checksum in file.attrs["texts"].tolist():
            raw.seek(start)
            if zlib.crc32(raw.read(length)) != checksum:
                raise ValueError("its texts are not as they were sealed")


def check_head(file: h5py.File, format: str, version: int) -> None:
    """Checks what a file says of itself.

    Args:
        file: an open file.
        format: what `format` must be.
        version: what `version` must be.

    Raises:
        ValueError: another format or version, or never sealed.
    """
    if file.attrs.get("format") != format:
        raise ValueError(f"format is {file.attrs.get('format')!r}, not {format!r}")
    if int(file.attrs["version"]) != version:
        raise ValueError(f"version {file.attrs['version']}, this program reads {version}")
    if int(file.attrs.get("sealed", 0)) != 1 or "digest" not in file.attrs:
        raise ValueError("it was never sealed")


def format_of(path: Path) -> str | None:
    """What kind of sealed file this is, for those who take several.

    Args:
        path: any file.

    Returns:
        Its `format`; None when the file is missing, damaged, or not one of ours: reading it says which.
    """
    try:
        with h5py.File(path, "r") as file:
            check_texts(path, file, "any")
            return str(file.attrs["format"])
    except Exception:  # h5py raises nearly every type when a file's structure is broken
        return None


def plain(value: Any) -> Any:
    """An attribute's value as Python has it.

    Args:
        value: what h5py gives, or a Python value.

    Returns:
        A string, number or array.
    """
    if isinstance(value, np.bytes_):
        return value.decode()
    return value.item() if isinstance(value, np.generic) else value


def reason(error: BaseException) -> str:
    """An error's message on one line, cut.

    Args:
        error: any exception.

    Returns:
        At most 200 letters; the error's type when it has no message.
    """
    return " ".join(str(error).split())[:200] or type(error).__name__


def _chunk(shape: tuple[int, ...], dtype: type) -> tuple[int, ...]:
    width = int(np.prod(shape[1:], dtype=np.int64)) * np.dtype(dtype).itemsize
    return max(1, min(shape[0], _CHUNK_BYTES // max(1, width))), *shape[1:]


def _size_at_most(
    texts: Mapping[str, Sequence[str]], attrs: Mapping[str, Any], numbers: Sequence[tuple[tuple[int, ...], type]]
) -> int:
    """Bytes that the file will not exceed: whole chunks with checksums and index, texts, and some for the rest."""
    size = 1 << 16
    for shape, dtype in numbers:
        rows, *width = _chunk(shape, dtype)
        chunks = -(-shape[0] // rows)
        size += chunks * (rows * int(np.prod(width, dtype=np.int64)) * np.dtype(dtype).itemsize + 64)
    words = (*(each for column in texts.values() for each in column), *(f"{key}{attrs[key]}" for key in attrs))
    return size + 2 * sum(len(str(each).encode()) + 48 for each in words)


def _text_places(file: h5py.File, raw: BinaryIO, names: Sequence[str]) -> np.ndarray:
    """Start, length and checksum of each piece in which HDF5 keeps texts; the file must not hold numbers yet."""
    raw.seek(0)
    content = raw.read()
    columns = [file[name].id for name in names]
    pieces = [(each.get_offset(), each.get_storage_size()) for each in columns if each.get_offset() is not None]
    start = content.find(b"GCOL")  # a global heap collection; its length is in it
    while start >= 0:
        pieces.append((start, int.from_bytes(content[start + 8 : start + 16], "little")))
        start = content.find(b"GCOL", start + 4)
    # These four letters can also be part of a text; then the piece is one of no meaning, which does no harm.
    found = [(start, length, zlib.crc32(content[start : start + length])) for start, length in pieces]
    return np.array([each for each in found if sum(each[:2]) <= len(content)], dtype=np.int64).reshape(-1, 3)
