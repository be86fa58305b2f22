"""One array of a published file, whatever its format."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from drsl.features.errors import DamagedFile, MissingFile, SettingError, UserError, did_you_mean
from drsl.features.hdf5 import reason

__all__ = ["block_rows", "read_array", "read_labels"]

_READERS = {
    ".mat": "matlab",
    ".npy": "arrays",
    ".npz": "arrays",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".list": "columns",
    ".lst": "columns",
    ".txt": "columns",
}
_BLOCK_BYTES = 1 << 24


def read_array(path: Path, variable: str | None = None) -> np.ndarray:
    """Reads a matrix of features.

    Args:
        path: a `.mat` (v5 to v7.3), `.npy`, `.npz` or `.h5` file.
        variable: the array's name; None for a file that holds one.

    Returns:
        (a, b) float32 as the file has it, items in rows or in columns; a `.npy` file is memory-mapped in its own type.

    Raises:
        MissingFile: there is no such file.
        SettingError: several arrays and no name, or no array of that name; lists names and shapes.
        DamagedFile: damaged, not a matrix of real numbers, or a value is not finite (names row and column).
    """
    array = _read(path, variable, True)
    where = f"{path}{f', {variable}' if variable else ''}"
    if array.ndim != 2 or not array.size:
        raise DamagedFile(f"{where}: the shape is {array.shape}, but features are a matrix")
    rows = block_rows(array)
    for start in range(0, len(array), rows):
        with np.errstate(over="ignore"):  # beyond float32 becomes infinite
            finite = np.isfinite(np.asarray(array[start : start + rows], dtype=np.float32))
        if not finite.all():
            row, column = np.argwhere(~finite)[0].tolist()
            raise DamagedFile(
                f"{where}: row {start + row + 1}, column {column + 1} (counted from 1) is NaN, infinite or too large "
                "for float32: repair or leave out that item"
            )
    return array


def read_labels(path: Path, variable: str | None = None) -> np.ndarray:
    """Reads labels or ids in whatever form they are.

    Args:
        path: a file of `read_array`'s kinds, or a text file of columns (`.list`, `.txt`).
        variable: the array's name, or the column's number from 1; None for a file that holds one.

    Returns:
        Numbers in their own type or texts (objects), as the file has them.

    Raises:
        MissingFile: there is no such file.
        SettingError: several arrays and no name, or no array of that name; lists names and shapes.
        DamagedFile: damaged, or neither real numbers nor texts.
    """
    return _read(path, variable, False)


def block_rows(array: np.ndarray) -> int:
    """How many rows are looked at at a time, so that a memory-mapped file is never held whole.

    Args:
        array: (a, b).

    Returns:
        1 or more; about 16 MiB.
    """
    return max(1, _BLOCK_BYTES // max(1, array.shape[1] * 4))


def _read(path: Path, variable: str | None, numbers: bool) -> np.ndarray:
    path = Path(path)
    if not path.is_file():
        raise MissingFile(f"{path} is {'a folder' if path.is_dir() else 'not there'}: name a file, as FILE or FILE:VAR")
    if path.suffix.lower() not in _READERS:
        raise SettingError(f"{path}: an ending {path.suffix!r} is not known{did_you_mean(path.suffix, _READERS)}")
    reader = importlib.import_module(f"drsl.features.importers.{_READERS[path.suffix.lower()]}")
    found = _guarded(path, lambda: reader.shapes(path))
    name = _choose(path, variable, found)
    array: np.ndarray = _guarded(path, lambda: reader.load(path, name, numbers))
    return array


def _guarded(path: Path, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except UserError:
        raise
    except Exception as error:  # the formats' readers raise nearly every type when a file's structure is broken
        raise DamagedFile(
            f"{path} is damaged or not what its ending says ({reason(error)}): get the file again"
        ) from None


def _choose(path: Path, variable: str | None, found: dict[str, tuple[int, ...]]) -> str:
    if not found:
        raise DamagedFile(f"{path} holds no array")
    listing = ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in list(found.items())[:30])
    if variable is None:
        if len(found) > 1:
            raise SettingError(f"{path} holds several arrays ({listing}): name one, as {path.name}:{min(found)}")
        return next(iter(found))
    if variable not in found:
        raise SettingError(f"{path} has no {variable!r}{did_you_mean(variable, found)}; it holds {listing}")
    return variable
