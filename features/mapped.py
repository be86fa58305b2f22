"""Arrays that are mapped into memory and read by rows, with a checksum for each block of rows.

HDF5's own checksums need chunks, and a chunked array cannot be mapped. So these arrays lie in one piece, and SHA-256
digests of blocks of rows (a quarter of a megabyte each) stand beside them. A block is compared with its digest when a
row of it is read for the first time; so reading a few rows of a large file costs a few blocks, reading all rows costs
one pass, and no wrong bit is ever handed out.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

from drsl.features.hdf5 import create_numbers

__all__ = ["MappedArray", "MappedWriter", "digest_shape", "digests_name"]

_BLOCK_BYTES = 1 << 18
_PASS_BYTES = 1 << 26


class MappedWriter:
    """Writes an array row by row, in order, in blocks of any size; made with its final shape.

    Args:
        file: an open file.
        name: of the array.
        shape: of the array.
        dtype: its element type.
    """

    def __init__(self, file: h5py.File, name: str, shape: tuple[int, ...], dtype: type) -> None:
        # In one piece, with its place in the file at once, and without a first pass of zeros.
        early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        early.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        self._data = file.create_dataset(name, shape, dtype, dcpl=early)
        self._digests = create_numbers(file, digests_name(name), digest_shape(shape, dtype), np.uint8)
        self._block = _block_rows(shape, dtype)
        self._found: list[bytes] = []
        self._content = hashlib.sha256()
        self.done = 0
        """rows written so far"""

    def append(self, rows: np.ndarray) -> None:
        """Adds rows.

        Args:
            rows: (b, ...) of the array's type.

        Raises:
            ValueError: the rows are of another type or shape, or more than announced.
        """
        data, first = self._data, self.done
        if rows.dtype != data.dtype or rows.shape[1:] != data.shape[1:] or first + len(rows) > len(data):
            raise ValueError(f"rows {rows.dtype}{rows.shape} do not fit in {data.dtype}{data.shape} at row {first}")
        rows = np.ascontiguousarray(rows)
        if rows.size:
            data[first : first + len(rows)] = rows
        self.done += len(rows)
        while len(rows):
            room = self._block - first % self._block
            self._content.update(rows[:room].tobytes())
            first += len(rows[:room])
            rows = rows[room:]
            if first % self._block == 0 or first == len(data):
                self._found.append(self._content.digest())
                self._content = hashlib.sha256()

    def finish(self) -> None:
        """Writes the digests.

        Raises:
            ValueError: rows are missing.
        """
        if self.done != len(self._data):
            raise ValueError(f"{self.done} rows were written, {len(self._data)} announced")
        if self._found:
            self._digests[...] = np.frombuffer(b"".join(self._found), dtype=np.uint8).reshape(-1, 32)


class MappedArray:
    """An array in a file, read by rows: `array[3]`, `array[10:20]`, `array[[5, 2]]` give new arrays of those rows.

    Args:
        content: the whole file, mapped.
        data: the array; the file need not stay open afterwards.
        digests: (blocks, 32) uint8, as `MappedWriter` wrote them.
        wrong: takes rows and says of each whether it holds a value that cannot be, (b,) bool.
        refuse: makes the error from a row and what is wrong with it.
    """

    def __init__(
        self,
        content: mmap.mmap,
        data: h5py.Dataset,
        digests: h5py.Dataset,
        wrong: Callable[[np.ndarray], np.ndarray],
        refuse: Callable[[int, str], Exception],
    ) -> None:
        start = data.id.get_offset()
        if data.size and (start is None or start + data.nbytes > len(content)):
            raise ValueError(f"{data.name} does not lie in one piece, or the file is shorter than it")
        if digests.shape != digest_shape(data.shape, data.dtype) or digests.dtype != np.uint8:
            raise ValueError(f"the checksums of {data.name} are not of its shape")
        self.shape: tuple[int, ...] = data.shape
        self.dtype: np.dtype[Any] = data.dtype
        flat = np.frombuffer(content, self.dtype, data.size, start) if data.size else np.empty(0, self.dtype)
        self._rows = flat.reshape(self.shape)
        self._content = content
        self._digests: np.ndarray = digests[...]
        self._checked = np.zeros(len(digests), dtype=bool)
        self._block = _block_rows(self.shape, self.dtype)
        self._block_of = (np.arange(len(self)) // self._block).astype(np.int32)
        self._wrong = wrong
        self._refuse = refuse

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._rows)

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return self._rows.nbytes

    def __getitem__(self, key: Any) -> np.ndarray:
        """Reads rows, and proves those that were not read before.

        Args:
            key: a row's number, a slice, or an array of row numbers or of n booleans; as the first of a tuple, followed
                by places within rows.

        Returns:
            A new array.

        Raises:
            DamagedFile: a row is not as it was sealed.
            IndexError: there is no such row.
        """
        if not self._checked.all():
            blocks = np.unique(self._block_of[key[0] if isinstance(key, tuple) and key else key])
            for block in blocks[~self._checked[blocks]]:
                self._compare(int(block))
        found = self._rows[key]
        return found if found.flags.writeable else found.copy()  # numpy copies for some keys itself

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All rows, for numpy: `np.asarray(array)`."""
        if copy is False:
            raise ValueError("rows of a file are copied when they are read")
        return self[:].astype(dtype or self.dtype, copy=False)

    def verify(self) -> None:
        """Compares all blocks with their digests; memory does not grow with their number.

        Raises:
            DamagedFile: a row is not as it was sealed.
        """
        seen = 0
        for block in range(len(self._digests)):
            seen += self._compare(block)
            if seen >= _PASS_BYTES and hasattr(mmap, "MADV_DONTNEED"):
                self._content.madvise(mmap.MADV_DONTNEED)
                seen = 0

    def _compare(self, block: int) -> int:
        first = block * self._block
        rows = self._rows[first : first + self._block]
        wrong = self._wrong(rows)
        if wrong.any():
            raise self._refuse(first + int(wrong.argmax()), "holds a value that is NaN, infinite or out of range")
        if hashlib.sha256(rows.data).digest() != self._digests[block].tobytes():
            others = f"or of the {len(rows) - 1} behind it " if len(rows) > 1 else ""
            raise self._refuse(first, f"{others}was changed after it was sealed")
        self._checked[block] = True
        return rows.nbytes


def digests_name(name: str) -> str:
    """What the digests of an array are called in the file.

    Args:
        name: the array's name.

    Returns:
        The name of the (blocks, 32) array of uint8.
    """
    return f"{name}_digest"


def digest_shape(shape: tuple[int, ...], dtype: Any) -> tuple[int, int]:
    """The shape of the digests of an array.

    Args:
        shape: the array's.
        dtype: its element type.

    Returns:
        Number of blocks, and 32 bytes.
    """
    return -(-shape[0] // _block_rows(shape, dtype)), 32


def _block_rows(shape: tuple[int, ...], dtype: Any) -> int:
    return max(1, _BLOCK_BYTES // max(1, int(np.prod(shape[1:], dtype=np.int64)) * np.dtype(dtype).itemsize))
