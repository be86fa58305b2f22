"""Feature files: one row an item, sealed with a row count and a digest, checked when read.

Layout of `features/<dataset>/<modality>.h5`: datasets `id` (n, UTF-8), `feature` (n, d) float32, `label` (n,) int64
into `classes`, `split` (n,) uint8 (0 train, 1 val, 2 test), `classes` (UTF-8); all numbers with fletcher32
checksums. The attribute `texts` has checksums of the places where HDF5 keeps texts. The same recipe gives the same
bytes.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from drsl.features.atomic import publish, reserve
from drsl.features.errors import DamagedFile, MissingFile, choose
from drsl.features.manifest import SPLITS

__all__ = ["FORMAT", "VERSION", "FeatureWriter", "Features", "open_feature_writer", "read_features", "write_features"]

FORMAT = "drsl-features"
VERSION = 1
_CHUNK_BYTES = 1 << 20
_SEAL = ("rows", "digest", "sealed", "texts")


@dataclass(frozen=True)
class Features:
    """Feature rows with their ids, labels and splits, in the manifest's order."""

    id: np.ndarray
    """(n,) str objects, unique"""
    feature: np.ndarray
    """(n, d) float32, finite"""
    label: np.ndarray
    """(n,) int64, index into `classes`"""
    split: np.ndarray
    """(n,) uint8: 0 train, 1 val, 2 test"""
    classes: tuple[str, ...]
    """class names"""
    attrs: Mapping[str, Any] = field(default_factory=dict)
    """what the file says of itself: dataset, modality, encoder, manifest_digest, fingerprint, digest"""

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.id)

    def select(self, split: str) -> Features:
        """The rows of one split.

        Args:
            split: `"train"`, `"val"` or `"test"`.

        Returns:
            A new object with those rows, in order, and the same classes and attributes.

        Raises:
            SettingError: the split's name is unknown.
        """
        rows = np.flatnonzero(self.split == SPLITS.index(choose("split", split, SPLITS)))
        return replace(
            self, id=self.id[rows], feature=self.feature[rows], label=self.label[rows], split=self.split[rows]
        )


class FeatureWriter:
    """Takes feature rows in order, in blocks of any size; made by `open_feature_writer`."""

    def __init__(self, file: h5py.File, rows: int, dim: int) -> None:
        self._file = file
        self._rows = rows
        self._done = 0
        self._content = hashlib.sha256()
        self._data = _numbers(file, "feature", (rows, dim), np.float32)

    def append(self, feature: np.ndarray) -> None:
        """Adds rows.

        Args:
            feature: (b, d), finite; stored as float32.

        Raises:
            ValueError: a value is NaN or infinite, the width is not d, or there are more rows than announced.
        """
        with np.errstate(over="ignore"):  # becomes infinite, and is refused below
            block = np.ascontiguousarray(feature, dtype=np.float32)
        if block.ndim != 2 or block.shape[1] != self._data.shape[1] or self._done + len(block) > self._rows:
            raise ValueError(f"a block of shape {block.shape} does not fit in {self._data.shape} at row {self._done}")
        if not np.isfinite(block).all():
            bad = self._done + int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
            raise ValueError(f"row {bad} of the features is not finite")
        self._data[self._done : self._done + len(block)] = block
        self._content.update(block.tobytes())
        self._done += len(block)

    def _seal(self) -> None:
        if self._done != self._rows:
            raise ValueError(f"{self._done} rows were written, {self._rows} announced")
        self._file.attrs["rows"] = self._rows
        # Of fixed length, so it is not among the texts, whose checksums are taken already.
        self._file.attrs["digest"] = np.bytes_(_digest(self._content, self._file))
        self._file.attrs["sealed"] = 1


@contextmanager
def open_feature_writer(
    path: Path,
    *,
    id: Sequence[str],
    label: np.ndarray,
    split: np.ndarray,
    classes: Sequence[str],
    dim: int,
    attrs: Mapping[str, Any],
) -> Iterator[FeatureWriter]:
    """Opens a feature file for writing block by block; it appears under its name when the block ends well.

    Args:
        path: the file's final name.
        id: n unique ids.
        label: (n,) integers into `classes`.
        split: (n,) integers 0, 1, 2.
        classes: class names.
        dim: the width d of the rows.
        attrs: strings and integers: dataset, modality, encoder (JSON), manifest_digest, fingerprint.

    Yields:
        A writer to which exactly n rows must be appended.

    Raises:
        ValueError: wrong, missing or non-finite rows, columns of unequal length, or a label or split out of range.
            Nothing is left behind.
        UserError: the file cannot be written, or the disk has no room for it; before the first row.
    """
    rows = len(id)
    if len(label) != rows or len(split) != rows or len(set(id)) != rows:
        raise ValueError("id, label and split must be of equal length, and ids unique")
    label, split = np.asarray(label), np.asarray(split)
    if rows and (label.min() < 0 or label.max() >= len(classes) or split.min() < 0 or split.max() >= len(SPLITS)):
        raise ValueError(f"labels must be 0 to {len(classes) - 1}, splits 0 to {len(SPLITS) - 1}")
    with publish(path) as temporary, temporary.open("w+b", buffering=0) as raw:
        # HDF5 crashes its process when a write fails, so the room is claimed first: once before HDF5 sees the file,
        # and again when it has made it its own (it takes an empty file only, and gives back the surplus in the end).
        size = _size_at_most(id, classes, dim, attrs)
        reserve(path, raw, size)
        raw.truncate(0)
        with h5py.File(raw, "w", libver=("v110", "v110")) as file:
            for name, values in (("id", id), ("classes", classes)):
                file.create_dataset(name, data=list(values), dtype=h5py.string_dtype("utf-8"), shape=(len(values),))
            for key, value in sorted({**attrs, "format": FORMAT, "version": VERSION}.items()):
                if key not in _SEAL:
                    file.attrs[key] = value
            file.flush()
            file.attrs["texts"] = _text_places(file, raw)
            reserve(path, raw, size)
            _numbers(file, "label", (rows,), np.int64)[...] = label.astype(np.int64)
            _numbers(file, "split", (rows,), np.uint8)[...] = split.astype(np.uint8)
            writer = FeatureWriter(file, rows, dim)
            yield writer
            writer._seal()


def write_features(path: Path, features: Features) -> None:
    """Writes a feature file in one go, atomically.

    Args:
        path: the file's final name.
        features: rows, labels, splits, classes and attributes.

    Raises:
        ValueError: a value is not finite, or the columns are of unequal length.
        UserError: the file cannot be written.
    """
    with open_feature_writer(
        path,
        id=[str(each) for each in features.id],
        label=features.label,
        split=features.split,
        classes=features.classes,
        dim=features.feature.shape[1],
        attrs=features.attrs,
    ) as writer:
        writer.append(features.feature)


def read_features(path: Path) -> Features:
    """Reads a whole feature file and proves it whole.

    Args:
        path: a file written by `write_features` or by `drsl encode`.

    Returns:
        Its rows: `feature` (n, d) float32, `label` (n,) int64, `split` (n,) uint8.

    Raises:
        MissingFile: there is no such file.
        DamagedFile: not HDF5, not a feature file, not sealed, of another version, cut short, changed since it was
            sealed, of wrong shapes or types, or with values that are not finite (names the id).
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFile(f"{path} is not there: `dvc repro` makes it, or `drsl encode` for one modality")
    try:
        with h5py.File(path, "r") as file:
            _check_texts(path, file)
            _check_head(file)
            features = _load(file, path.stat().st_size)
            stored, found = features.attrs["digest"], _digest(_hash(features.feature), file)
    except Exception as error:  # h5py raises nearly every type when a file's structure is broken
        raise DamagedFile(f"{path} is damaged or not a feature file ({_reason(error)}): {_repair(path)}") from None
    _check_rows(path, features)
    if stored != found:
        raise DamagedFile(f"{path} was changed after it was sealed (its digest does not match): {_repair(path)}")
    return features


def _numbers(file: h5py.File, name: str, shape: tuple[int, ...], dtype: type) -> h5py.Dataset:
    if 0 in shape:
        return file.create_dataset(name, shape, dtype)
    return file.create_dataset(name, shape, dtype, chunks=_chunk(shape, dtype), fletcher32=True)


def _chunk(shape: tuple[int, ...], dtype: type) -> tuple[int, ...]:
    width = int(np.prod(shape[1:], dtype=np.int64)) * np.dtype(dtype).itemsize
    return max(1, min(shape[0], _CHUNK_BYTES // max(1, width))), *shape[1:]


def _size_at_most(id: Sequence[str], classes: Sequence[str], dim: int, attrs: Mapping[str, Any]) -> int:
    """Bytes that the file will not exceed: whole chunks with checksums and index, texts, and some for the rest."""
    size = 1 << 16
    for shape, dtype in (((len(id), dim), np.float32), ((len(id),), np.int64), ((len(id),), np.uint8)):
        rows, *width = _chunk(shape, dtype)
        chunks = -(-shape[0] // rows)
        size += chunks * (rows * int(np.prod(width, dtype=np.int64)) * np.dtype(dtype).itemsize + 64)
    texts = (*id, *classes, *(f"{key}{attrs[key]}" for key in attrs))
    return size + 2 * sum(len(str(each).encode()) + 48 for each in texts)


def _text_places(file: h5py.File, raw: BinaryIO) -> np.ndarray:
    """Start, length and checksum of each piece in which HDF5 keeps texts; the file must not hold numbers yet.

    HDF5 has checksums for everything else. One wrong bit in a text's length can make it loop for ever or fill the
    memory, so `read_features` looks at these pieces before HDF5 does.
    """
    raw.seek(0)
    content = raw.read()
    columns = [file[name].id for name in ("id", "classes")]
    pieces = [(each.get_offset(), each.get_storage_size()) for each in columns if each.get_offset() is not None]
    start = content.find(b"GCOL")  # a global heap collection; its length is in it
    while start >= 0:
        pieces.append((start, int.from_bytes(content[start + 8 : start + 16], "little")))
        start = content.find(b"GCOL", start + 4)
    # These four letters can also be part of a text; then the piece is one of no meaning, which does no harm.
    found = [(start, length, zlib.crc32(content[start : start + length])) for start, length in pieces]
    return np.array([each for each in found if sum(each[:2]) <= len(content)], dtype=np.int64).reshape(-1, 3)


def _check_texts(path: Path, file: h5py.File) -> None:
    if "texts" not in file.attrs:
        raise ValueError(f"it has no seal of {FORMAT}")
    with path.open("rb") as raw:
        for start, length, checksum in file.attrs["texts"].tolist():
            raw.seek(start)
            if zlib.crc32(raw.read(length)) != checksum:
                raise ValueError("its texts are not as they were sealed")


def _hash(feature: np.ndarray) -> Any:
    return hashlib.sha256(np.ascontiguousarray(feature).data)


def _digest(rows: Any, file: h5py.File) -> str:
    """Digest of the rows, and of everything else that gives them meaning."""
    content = rows.copy()
    content.update(repr((file["feature"].shape, file["feature"].dtype.str)).encode("ascii"))
    for name in ("label", "split"):
        content.update(file[name][...].tobytes())
    for name in ("id", "classes"):
        content.update(b"\0".join(file[name][...].tolist()))
    for key in sorted(file.attrs):
        if key not in _SEAL:
            content.update(f"{key}={file.attrs[key]}".encode())
    return str(content.hexdigest())


def _check_head(file: h5py.File) -> None:
    if file.attrs.get("format") != FORMAT:
        raise ValueError(f"format is {file.attrs.get('format')!r}, not {FORMAT!r}")
    if int(file.attrs["version"]) != VERSION:
        raise ValueError(f"version {file.attrs['version']}, this program reads {VERSION}")
    if int(file.attrs.get("sealed", 0)) != 1:
        raise ValueError("it was never sealed")


def _load(file: h5py.File, size: int) -> Features:
    rows = int(file.attrs["rows"])
    feature, label, split, id, classes = (file[name] for name in ("feature", "label", "split", "id", "classes"))
    if feature.dtype != np.float32 or label.dtype != np.int64 or split.dtype != np.uint8:
        raise ValueError("feature, label or split has a wrong type")
    if feature.ndim != 2 or {label.ndim, split.ndim, id.ndim, classes.ndim} != {1}:
        raise ValueError("a column has a wrong shape")
    if {len(feature), len(label), len(split), len(id)} != {rows}:
        raise ValueError(f"the columns do not all have {rows} rows")
    if feature.nbytes > size:  # HDF5 would make up what is not there, and fill the memory with it
        raise ValueError("it is shorter than its own features")
    return Features(
        id=id.asstr()[...].astype(object),
        feature=feature[...],
        label=label[...],
        split=split[...],
        classes=tuple(classes.asstr()[...].tolist()),
        attrs={key: _plain(file.attrs[key]) for key in file.attrs if key != "texts"},
    )


def _check_rows(path: Path, features: Features) -> None:
    wrong = {
        "the feature of {} is NaN or infinite": ~np.isfinite(features.feature).all(axis=1),
        "the label of {} is out of range": (features.label < 0) | (features.label >= len(features.classes)),
        "the split of {} is out of range": features.split >= len(SPLITS),
    }
    for what, rows in wrong.items():
        if rows.any():
            raise DamagedFile(f"{path}: {what.format(repr(features.id[rows.argmax()]))}: {_repair(path)}")


def _plain(value: Any) -> Any:
    if isinstance(value, np.bytes_):
        return value.decode()
    return value.item() if isinstance(value, np.generic) else value


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _repair(path: Path) -> str:
    return f"make it again with `drsl encode {path.stem} -d {path.parent.name}`"
