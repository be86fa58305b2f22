"""Arrays of plain HDF5 files (`.h5`), as they are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from drsl.features.errors import DamagedFile

__all__ = ["load", "numbers_of", "own_datasets", "shapes"]

_MOST_EXPANSION = 1100
"""Times that deflate, the usual filter, can shrink a row of equal bytes; more is damage, and would fill the memory."""


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The arrays of a file.

    Args:
        path: an HDF5 file.

    Returns:
        Name, groups included, to shape; links to other places and files are left out.
    """
    with h5py.File(path, "r") as file:
        return {name: each.shape for name, each in own_datasets(file).items()}


def load(path: Path, name: str, numbers: bool) -> np.ndarray:
    """Reads one array.

    Args:
        path: an HDF5 file.
        name: a key of `shapes`.
        numbers: read real numbers, as float32; otherwise any numbers or texts in their own type.

    Returns:
        The array, as it is stored.

    Raises:
        DamagedFile: it does not hold real numbers (or texts), or less than it says.
    """
    with h5py.File(path, "r") as file:
        dataset = own_datasets(file)[name]
        if not numbers and h5py.check_string_dtype(dataset.dtype) is not None:
            _check_stored(path, name, dataset)
            return np.asarray(dataset.asstr()[...], dtype=object)
        return numbers_of(path, name, dataset, numbers)


def own_datasets(file: h5py.File) -> dict[str, Any]:
    """The datasets that a file itself holds.

    Args:
        file: an open file.

    Returns:
        Name, groups included, to dataset; scalars and links to other places and files are left out.
    """
    found: dict[str, Any] = {}

    def note(name: str, each: Any) -> None:
        if isinstance(each, h5py.Dataset) and each.shape:
            found[name] = each

    file.visititems(note)  # follows hard links only
    return found


def numbers_of(path: Path, name: str, dataset: Any, single: bool) -> np.ndarray:
    """Reads a dataset of real numbers.

    Args:
        path: the file's name, for messages.
        name: the dataset's name, for messages.
        dataset: the open dataset.
        single: as float32, converted while it is read; otherwise in its own type.

    Returns:
        The array, as it is stored.

    Raises:
        DamagedFile: complex numbers, structures or references, or fewer bytes than the shape needs.
    """
    if dataset.dtype.kind not in "fiub":
        raise DamagedFile(f"{path}: {name} holds {dataset.dtype}, not real numbers: export it as a matrix of numbers")
    _check_stored(path, name, dataset)
    if single and dataset.dtype.kind != "b":  # HDF5 converts numbers, but not truth values
        return np.asarray(dataset.astype(np.float32)[...])
    return np.asarray(dataset[...], dtype=np.float32 if single else None)


def _check_stored(path: Path, name: str, dataset: Any) -> None:
    # HDF5 makes up what is not there, and reads other files where a dataset says so.
    if dataset.external or dataset.is_virtual:
        raise DamagedFile(f"{path}: {name} takes its numbers from other files: export it into one file")
    held = dataset.id.get_storage_size() * (_MOST_EXPANSION if dataset.chunks else 1)
    if dataset.size * dataset.dtype.itemsize > held:
        raise DamagedFile(f"{path}: {name} is shorter than its shape {dataset.shape}: get the file again")
