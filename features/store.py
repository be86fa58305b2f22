"""Feature files: one row an item, sealed with a row count and a digest, checked when read.

Layout of `features/<dataset>/<modality>.h5`: datasets `id` (n, UTF-8), `feature` (n, d) float32, `label` (n,) int64
into `classes`, `split` (n,) uint8 (0 train, 1 val, 2 test), `classes` (UTF-8); all numbers with fletcher32
checksums. The attribute `texts` has checksums of the places where HDF5 keeps texts. The same recipe gives the same
bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from drsl.features.columns import (
    COLUMN_NUMBERS,
    add_columns_to_digest,
    check_columns,
    create_columns,
    read_attrs,
    read_columns,
    wrong_columns,
)
from drsl.features.errors import DamagedFile, MissingFile, choose
from drsl.features.hdf5 import check_head, check_texts, create_numbers, create_sealed, reason
from drsl.features.manifest import SPLITS

__all__ = ["FORMAT", "VERSION", "FeatureWriter", "Features", "open_feature_writer", "read_features", "write_features"]

FORMAT = "drsl-features"
VERSION = 1


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
        return self.take(rows)

    def take(self, rows: np.ndarray) -> Features:
        """Some of the rows.

        Args:
            rows: their numbers.

        Returns:
            A new object with those rows, in that order, and the same classes and attributes.
        """
        # `take` and not an index: rows that are joined with parts stay in their file.
        feature = self.feature.take(rows, axis=0)
        return replace(self, id=self.id[rows], feature=feature, label=self.label[rows], split=self.split[rows])


class FeatureWriter:
    """Takes feature rows in order, in blocks of any size; made by `open_feature_writer`."""

    def __init__(self, file: h5py.File, rows: int, dim: int) -> None:
        self._file = file
        self._rows = rows
        self._done = 0
        self._content = hashlib.sha256()
        self._data = create_numbers(file, "feature", (rows, dim), np.float32)

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
    rows, label, split = len(id), np.asarray(label), np.asarray(split)
    check_columns(id, label, split, classes)
    texts = {"id": id, "classes": classes}
    about = {**attrs, "format": FORMAT, "version": VERSION}
    numbers = [((rows, dim), np.float32), *(((rows,), dtype) for _, dtype in COLUMN_NUMBERS)]
    with create_sealed(path, texts, about, numbers) as file:
        create_columns(file, label, split)
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
            check_texts(path, file, FORMAT)
            check_head(file, FORMAT, VERSION)
            features = _load(file, path.stat().st_size)
            stored, found = features.attrs["digest"], _digest(_hash(features.feature), file)
    except Exception as error:  # h5py raises nearly every type when a file's structure is broken
        raise DamagedFile(f"{path} is damaged or not a feature file ({reason(error)}): {_repair(path)}") from None
    _check_rows(path, features)
    if stored != found:
        raise DamagedFile(f"{path} was changed after it was sealed (its digest does not match): {_repair(path)}")
    return features


def _hash(feature: np.ndarray) -> Any:
    return hashlib.sha256(np.ascontiguousarray(feature).data)


def _digest(rows: Any, file: h5py.File) -> str:
    """Digest of the rows, and of everything else that gives them meaning."""
    content = rows.copy()
    content.update(repr((file["feature"].shape, file["feature"].dtype.str)).encode("ascii"))
    add_columns_to_digest(content, file)
    return str(content.hexdigest())


def _load(file: h5py.File, size: int) -> Features:
    rows = int(file.attrs["rows"])
    columns, feature = read_columns(file, rows), file["feature"]
    if feature.dtype != np.float32 or feature.ndim != 2 or len(feature) != rows:
        raise ValueError(f"feature is not a float32 matrix of {rows} rows")
    if feature.nbytes > size:  # HDF5 would make up what is not there, and fill the memory with it
        raise ValueError("it is shorter than its own features")
    return Features(feature=feature[...], attrs=read_attrs(file), **columns._asdict())


def _check_rows(path: Path, features: Features) -> None:
    wrong = {
        "the feature of {} is NaN or infinite": ~np.isfinite(features.feature).all(axis=1),
        **wrong_columns(features.label, features.split, features.classes),
    }
    for what, rows in wrong.items():
        if rows.any():
            raise DamagedFile(f"{path}: {what.format(repr(features.id[rows.argmax()]))}: {_repair(path)}")


def _repair(path: Path) -> str:
    return f"make it again with `drsl encode {path.stem} -d {path.parent.name}`"
