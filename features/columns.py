"""The columns that every file with one row an item shares: ids, labels, splits and class names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import h5py
import numpy as np

from drsl.features.hdf5 import SEAL, create_numbers, plain
from drsl.features.manifest import SPLITS

__all__ = [
    "COLUMN_NUMBERS",
    "Columns",
    "add_columns_to_digest",
    "check_columns",
    "create_columns",
    "read_attrs",
    "read_columns",
    "wrong_columns",
]

COLUMN_NUMBERS = (("label", np.int64), ("split", np.uint8))
"""Name and type of the columns that hold numbers."""


class Columns(NamedTuple):
    """Ids, labels and splits of n items, and the class names."""

    id: np.ndarray
    """(n,) str objects, unique"""
    label: np.ndarray
    """(n,) int64, index into `classes`"""
    split: np.ndarray
    """(n,) uint8: 0 train, 1 val, 2 test"""
    classes: tuple[str, ...]
    """class names"""


def check_columns(id: Sequence[str], label: np.ndarray, split: np.ndarray, classes: Sequence[str]) -> None:
    """Checks columns before they are written.

    Args:
        id: n unique ids.
        label: (n,) integers into `classes`.
        split: (n,) integers 0, 1, 2.
        classes: class names.

    Raises:
        ValueError: columns of unequal length, ids that are not unique, or a label or split out of range.
    """
    rows = len(id)
    if len(label) != rows or len(split) != rows or len(set(id)) != rows:
        raise ValueError("id, label and split must be of equal length, and ids unique")
    if rows and (label.min() < 0 or label.max() >= len(classes) or split.min() < 0 or split.max() >= len(SPLITS)):
        raise ValueError(f"labels must be 0 to {len(classes) - 1}, splits 0 to {len(SPLITS) - 1}")


def create_columns(file: h5py.File, label: np.ndarray, split: np.ndarray) -> None:
    """Writes the columns that hold numbers; those that hold texts stand in the file from its start.

    Args:
        file: an open file.
        label: (n,) integers.
        split: (n,) integers.
    """
    for (name, dtype), values in zip(COLUMN_NUMBERS, (label, split), strict=True):
        create_numbers(file, name, values.shape, dtype)[...] = values.astype(dtype)


def read_columns(file: h5py.File, rows: int) -> Columns:
    """Reads the columns.

    Args:
        file: an open file whose texts are checked already.
        rows: how many rows there must be.

    Returns:
        The columns; values are not checked yet, see `wrong_columns`.

    Raises:
        ValueError: a column has a wrong type, shape or length.
    """
    label, split, id, classes = (file[name] for name in ("label", "split", "id", "classes"))
    if label.dtype != np.int64 or split.dtype != np.uint8:
        raise ValueError("label or split has a wrong type")
    if {label.ndim, split.ndim, id.ndim, classes.ndim} != {1}:
        raise ValueError("a column has a wrong shape")
    if {len(label), len(split), len(id)} != {rows}:
        raise ValueError(f"the columns do not all have {rows} rows")
    names = tuple(classes.asstr()[...].tolist())
    return Columns(id.asstr()[...].astype(object), label[...], split[...], names)


def read_attrs(file: h5py.File) -> dict[str, Any]:
    """What a file says of itself.

    Args:
        file: an open file whose texts are checked already.

    Returns:
        Its attributes as Python values, without the checksums of the texts.
    """
    return {key: plain(file.attrs[key]) for key in file.attrs if key != "texts"}


def wrong_columns(label: np.ndarray, split: np.ndarray, classes: Sequence[str]) -> dict[str, np.ndarray]:
    """Finds rows whose label or split cannot be.

    Args:
        label: (n,) int64.
        split: (n,) uint8.
        classes: class names.

    Returns:
        A message with a place for the id, to the rows that it holds for, (n,) bool.
    """
    return {
        "the label of {} is out of range": (label < 0) | (label >= len(classes)),
        "the split of {} is out of range": split >= len(SPLITS),
    }


def add_columns_to_digest(content: Any, file: h5py.File) -> None:
    """Adds the columns and the attributes to a digest.

    Args:
        content: an object of hashlib.
        file: an open file with all columns.
    """
    for name, _ in COLUMN_NUMBERS:
        content.update(file[name][...].tobytes())
    for name in ("id", "classes"):
        content.update(b"\0".join(file[name][...].tolist()))
    for key in sorted(file.attrs):
        if key not in SEAL:
            content.update(f"{key}={file.attrs[key]}".encode())
