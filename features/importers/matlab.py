"""Arrays of MATLAB files (`.mat`): v5 to v7 through scipy, v7.3 through h5py.

MATLAB stores by columns, so a v7.3 file, which is HDF5, shows each matrix transposed; it is turned back here.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io

from drsl.features.errors import DamagedFile
from drsl.features.importers.hdf5 import numbers_of, own_datasets
from drsl.features.importers.matlab_elements import CELL, CHAR, NUMERIC, SPARSE, list_variables

__all__ = ["load", "shapes"]

_DENSE_LIMIT = 4 << 30
"""Bytes that a sparse matrix may take when it is written out."""


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The variables of a file.

    Args:
        path: a MATLAB file.

    Returns:
        Name to shape as MATLAB shows it.

    Raises:
        DamagedFile: of a version before 5, cut short, or an element is not what it claims.
    """
    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as file:
            return {name: _AsShown(each).shape for name, each in _variables(file).items()} | dict.fromkeys(
                _groups(file), ()
            )
    return {name: each.shape for name, each in list_variables(path).items()}


def load(path: Path, name: str, numbers: bool) -> np.ndarray:
    """Reads one variable.

    Args:
        path: a MATLAB file that `shapes` has read.
        name: a key of `shapes`.
        numbers: read real numbers, as float32; otherwise any numbers or texts in their own type.

    Returns:
        The matrix as MATLAB shows it; of texts, one a cell or a row of letters.

    Raises:
        DamagedFile: it does not hold real numbers (or texts).
    """
    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as file:
            return _load_hdf5(path, name, file, numbers)
    variable = list_variables(path)[name]
    if variable.kind not in (CELL, CHAR, SPARSE, *NUMERIC) or (numbers and variable.kind in (CELL, CHAR)):
        raise _no_numbers(path, name)
    if not variable.inner <= {CHAR}:
        raise DamagedFile(f"{path}: the cell array {name} holds something else than one text a cell")
    value = scipy.io.loadmat(str(path), variable_names=[name], appendmat=False)[name]
    if variable.kind == SPARSE:
        return _dense(path, name, value)
    if variable.kind == CELL:
        return np.array([_cell(path, name, each) for each in value.ravel(order="F")], dtype=object)
    if variable.kind == CHAR:
        return np.array([str(each).rstrip() for each in value.ravel()], dtype=object)
    if value.dtype.kind not in "fiub":
        raise _no_numbers(path, name)
    with np.errstate(over="ignore"):  # becomes infinite, and is refused where rows are checked
        return np.asarray(value, dtype=np.float32 if numbers else None)


def _dense(path: Path, name: str, value: Any) -> np.ndarray:
    needed = math.prod(value.shape) * 4
    if needed > _DENSE_LIMIT:
        raise DamagedFile(
            f"{path}: {name} is a sparse matrix of {value.shape}, {needed / 2**30:.1f} GiB when written out (at most "
            f"{_DENSE_LIMIT >> 30}): reduce its columns first"
        )
    if value.dtype.kind not in "fiub":
        raise _no_numbers(path, name)
    value.check_format(full_check=True)  # places outside the matrix would be written outside the memory
    with np.errstate(over="ignore"):  # as above
        return np.asarray(value.astype(np.float32).toarray())


def _cell(path: Path, name: str, cell: Any) -> str:
    if isinstance(cell, np.ndarray) and cell.dtype.kind == "U" and cell.size <= 1:
        return "".join(str(each) for each in cell.ravel())
    raise DamagedFile(f"{path}: the cell array {name} holds something else than one text a cell")


def _variables(file: h5py.File) -> dict[str, Any]:
    # `#refs#` and `#subsystem#` hold what cells refer to. A sparse matrix or a structure is a group.
    return {name: each for name, each in own_datasets(file).items() if "/" not in name and not name.startswith("#")}


def _groups(file: h5py.File) -> list[str]:
    own = [name for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink)]
    return [name for name in own if not name.startswith("#") and isinstance(file[name], h5py.Group)]


def _load_hdf5(path: Path, name: str, file: h5py.File, numbers: bool) -> np.ndarray:
    if name in _groups(file):
        raise DamagedFile(
            f"{path}: {name} is a sparse matrix or a structure: save `full({name})`, or its fields, instead"
        )
    dataset = _variables(file)[name]
    kind = _kind(dataset)
    if dataset.attrs.get("MATLAB_empty", 0):
        raise DamagedFile(f"{path}: {name} is empty")
    if numbers and kind in ("char", "cell"):
        raise _no_numbers(path, name)
    if kind == "cell":
        cells = [file[each] for each in np.asarray(dataset[...]).ravel()]
        if any(_kind(each) != "char" for each in cells):
            raise DamagedFile(f"{path}: the cell array {name} holds something else than one text a cell")
        return np.array(["".join(_letters(path, name, each)) for each in cells], dtype=object)
    if kind == "char":
        return np.array([each.rstrip() for each in _letters(path, name, dataset)], dtype=object)
    return _AsShown(dataset).read(path, name, numbers)


def _kind(dataset: Any) -> str:
    found = dataset.attrs.get("MATLAB_class", b"")
    return found.decode("ascii", "replace") if isinstance(found, bytes) else str(found)


def _letters(path: Path, name: str, dataset: Any) -> list[str]:
    """The rows of a matrix of letters."""
    if dataset.attrs.get("MATLAB_empty", 0):
        return [""]
    codes = numbers_of(path, name, dataset, False).T.astype("<u2")
    return [row.tobytes().decode("utf-16-le") for row in np.ascontiguousarray(np.atleast_2d(codes))]


class _AsShown:
    """A dataset of a v7.3 file as MATLAB shows it: transposed, unless another program wrote it under that name."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._turn = "MATLAB_class" in dataset.attrs

    @property
    def shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self._dataset.shape
        return shape[::-1] if self._turn else shape

    def read(self, path: Path, name: str, single: bool) -> np.ndarray:
        array = numbers_of(path, name, self._dataset, single)
        return array.T if self._turn else array


def _no_numbers(path: Path, name: str) -> DamagedFile:
    return DamagedFile(
        f"{path}: {name} does not hold real numbers (complex numbers, texts, cells and structures do not)"
    )
