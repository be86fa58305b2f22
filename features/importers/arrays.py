"""Arrays of numpy's own files (`.npy`, `.npz`); a pickle inside is never opened."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from drsl.features.errors import DamagedFile

__all__ = ["load", "shapes"]

_BLOCK_BYTES = 1 << 24


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The arrays of a file.

    Args:
        path: a `.npy` or `.npz` file.

    Returns:
        Name to shape; the one array of a `.npy` file goes by the file's name without its ending.
    """
    if path.suffix.lower() == ".npy":
        with path.open("rb") as file:
            return {path.stem: _head(file)[0]}
    found = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".npy"):
                with archive.open(name) as member:
                    found[name.removesuffix(".npy")] = _head(member)[0]
    return found


def load(path: Path, name: str, numbers: bool) -> np.ndarray:
    """Reads one array.

    Args:
        path: a `.npy` or `.npz` file.
        name: a key of `shapes`.
        numbers: read real numbers: of an `.npz` as float32, of a `.npy` memory-mapped in its own type; otherwise any
            numbers or texts in their own type.

    Returns:
        The array.

    Raises:
        DamagedFile: it does not hold real numbers (or texts), or less than it says; a pickle is refused unopened.
    """
    if path.suffix.lower() == ".npy":
        with path.open("rb") as file:
            shape, _, dtype = _head(file)
            _check_type(path, name, dtype, numbers)
        if numbers and 0 not in shape:
            return np.lib.format.open_memmap(path, mode="r")
        return np.asarray(np.load(path, allow_pickle=False))
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(f"{name}.npy")
        with archive.open(entry) as member:
            shape, by_columns, dtype = _head(member)
            _check_type(path, name, dtype, numbers)
            if math.prod(shape) * dtype.itemsize > entry.file_size:
                raise DamagedFile(f"{path}: {name} is shorter than its shape {shape}: get the file again")
            flat = _read(member, math.prod(shape), dtype, np.dtype(np.float32) if numbers else dtype)
    return flat.reshape(shape[::-1]).T if by_columns else flat.reshape(shape)


def _head(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether stored by columns, and type."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(f"version {version[0]}.{version[1]} is for structures")


def _check_type(path: Path, name: str, dtype: np.dtype[Any], numbers: bool) -> None:
    if dtype.kind == "O":
        raise DamagedFile(f"{path}: {name} is a pickle of Python objects, which may run code; it was not opened")
    if dtype.kind not in ("fiub" if numbers else "fiubU"):
        raise DamagedFile(f"{path}: {name} holds {dtype}, not real numbers: export it as a matrix of numbers")


def _read(file: BinaryIO | Any, count: int, dtype: np.dtype[Any], wanted: np.dtype[Any]) -> np.ndarray:
    """Reads and converts block by block, so that both types are never held whole."""
    found = np.empty(count, wanted)
    rows = max(1, _BLOCK_BYTES // max(1, dtype.itemsize))
    with np.errstate(over="ignore"):  # becomes infinite, and is refused where rows are checked
        for start in range(0, count, rows):
            size = min(rows, count - start)
            found[start : start + size] = np.frombuffer(file.read(size * dtype.itemsize), dtype, size)
    return found
