"""Columns of text files: one item a line, columns between blanks, as in the lists that data sets come with."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from drsl.features.errors import DamagedFile

__all__ = ["load", "shapes"]


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The columns of a text file.

    Args:
        path: a UTF-8 text file.

    Returns:
        Column number from 1 to its length.

    Raises:
        DamagedFile: not UTF-8, or a line has another number of columns than the first.
    """
    rows = _rows(path)
    return {str(number): (len(rows),) for number in range(1, len(rows[0]) + 1)} if rows else {}


def load(path: Path, name: str, numbers: bool) -> np.ndarray:
    """Reads one column.

    Args:
        path: a UTF-8 text file.
        name: the column's number from 1.
        numbers: not for text files; labels and ids only.

    Returns:
        Whole numbers when all cells are such, else texts.

    Raises:
        DamagedFile: numbers are asked for.
    """
    if numbers:
        raise DamagedFile(f"{path} is a text file: features come as .mat, .npy, .npz or .h5")
    cells = [row[int(name) - 1] for row in _rows(path)]
    if all(cell.isascii() and cell.isdecimal() and (cell == "0" or cell[0] != "0") for cell in cells):
        return np.array([int(cell) for cell in cells])
    return np.array(cells, dtype=object)


def _rows(path: Path) -> list[list[str]]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DamagedFile(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    rows = [line.split() for line in lines]
    while rows and not rows[-1]:
        rows.pop()
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]) or not row:
            raise DamagedFile(f"{path} line {number}: {len(row)} columns, but line 1 has {len(rows[0])}")
    return rows
