"""The elements of a MATLAB v5 file, checked before scipy reads them.

scipy trusts the types and lengths that an element claims: a damaged file ends the whole process, or fills the memory.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from drsl.features.errors import DamagedFile

__all__ = ["CELL", "CHAR", "NUMERIC", "SPARSE", "Variable", "list_variables"]

CELL, CHAR, SPARSE = 1, 4, 5
NUMERIC = frozenset(range(6, 16))
"""Classes of matrices: doubles, singles and whole numbers."""

_HEAD = 128
_MATRIX, _PACKED = 14, 15
_OBJECT = 17
_COMPLEX = 0x0800
"""The flag of a matrix that has a second part, the imaginary one."""
_NUMBER_TYPES = frozenset((1, 2, 3, 4, 5, 6, 7, 9, 12, 13))
_TYPES = _NUMBER_TYPES | {_MATRIX, 16, 17, 18}
_DEPTH = 8
_PIECE = 1 << 16


@dataclass(frozen=True)
class Variable:
    """One variable of a file."""

    shape: tuple[int, ...]
    """as MATLAB shows it"""
    kind: int
    """its class: `CELL`, `CHAR`, `SPARSE`, one of `NUMERIC`, or another"""
    inner: frozenset[int]
    """the classes of the matrices inside it"""


def list_variables(path: Path) -> dict[str, Variable]:
    """Walks through a whole file.

    Args:
        path: a MATLAB file of v5 to v7.

    Returns:
        Name to variable.

    Raises:
        DamagedFile: of another version, cut short, or an element is not what it claims.
    """
    size = path.stat().st_size
    found: dict[str, Variable] = {}
    with path.open("rb") as file:
        head = file.read(_HEAD)
        marks: dict[bytes, Literal["little", "big"]] = {b"IM": "little", b"MI": "big"}
        order = marks.get(head[126:128])
        if order is None or 0 in head[:4] or head[125 if order == "little" else 124] != 1:
            raise DamagedFile(f"{path} is no MATLAB file of v5 or later: save it again with `save -v7` in MATLAB")
        place = _HEAD
        while place < size:
            try:
                file.seek(place)
                kind, length = _plain_tag(file.read(8), order)
                if place + 8 + length > size or kind not in (_MATRIX, _PACKED):
                    raise ValueError("a variable is longer than the file, or is none")
                name, variable = _variable(_Bytes(file, length, kind == _PACKED), order, length, kind == _PACKED)
                if name and name in found:
                    raise ValueError(f"two variables are called {name}")
            except (ValueError, zlib.error) as error:
                raise DamagedFile(f"{path} is damaged at byte {place} ({error}): get the file again") from None
            if name:  # what objects keep for themselves has none
                found[name] = variable
            place += 8 + length
    return found


class _Bytes:
    """The content of one element, unpacked, read once from front to back."""

    def __init__(self, file: BinaryIO, length: int, packed: bool) -> None:
        self._file, self._left = file, length
        self._unpack = zlib.decompressobj() if packed else None
        self._ready, self._at = b"", 0

    def read(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            found += self._some(count - len(found))
        return found

    def skip(self, count: int) -> None:
        while count:
            count -= len(self._some(count))

    def finish(self) -> None:
        """Reads a packed element to its end, where its checksum is."""
        while self._refill():
            pass
        if self._unpack is not None and not self._unpack.eof:
            raise ValueError("packed numbers are cut short")

    def _some(self, most: int) -> bytes:
        if self._at == len(self._ready) and not self._refill():
            raise ValueError("an element is longer than what holds it")
        piece = self._ready[self._at : self._at + most]
        self._at += len(piece)
        return piece

    def _refill(self) -> bool:
        self._ready, self._at = b"", 0
        if self._unpack is None:
            self._ready = self._take()
        while self._unpack is not None and not self._ready and not self._unpack.eof:
            raw = self._unpack.unconsumed_tail or self._take()
            self._ready = self._unpack.decompress(raw, _PIECE)
            if not raw and not self._ready:
                break
        return bool(self._ready)

    def _take(self) -> bytes:
        piece = self._file.read(min(_PIECE, self._left))
        self._left -= len(piece)
        return piece


def _plain_tag(raw: bytes, order: Literal["little", "big"]) -> tuple[int, int]:
    if len(raw) < 8:
        raise ValueError("it is cut short")
    return int.from_bytes(raw[:4], order), int.from_bytes(raw[4:], order)


def _variable(content: _Bytes, order: Literal["little", "big"], length: int, packed: bool) -> tuple[str, Variable]:
    if packed:
        kind, length = _plain_tag(content.read(8), order)
        if kind != _MATRIX:
            raise ValueError("a packed variable is none")
    found = _Walk(content, order).matrix(length)
    content.finish()
    return found


class _Walk:
    """Goes through a matrix and the matrices inside it."""

    def __init__(self, content: _Bytes, order: Literal["little", "big"]) -> None:
        self._content, self._order = content, order

    def matrix(self, length: int, depth: int = 0) -> tuple[str, Variable]:
        """Checks one matrix of some bytes; gives its name and what it is."""
        if not length:
            return "", Variable((0, 0), 6, frozenset())
        left, flags = self._data(length, {6}, 8)
        kind = int.from_bytes(flags[:4], self._order) & 0xFF
        if kind == _OBJECT:  # it has a name, but no shape
            left, letters = self._data(left, {1, 2, 16}, 255)
            self._content.skip(left)
            return letters.decode("latin-1"), Variable((), kind, frozenset())
        left, raw = self._data(left, {5}, 4 * 32)
        left, letters = self._data(left, {1, 2, 16}, 255)
        shape = tuple(int.from_bytes(raw[at : at + 4], self._order, signed=True) for at in range(0, len(raw), 4))
        if len(flags) != 8 or len(raw) % 4 or len(shape) < 2 or min(shape) < 0:
            raise ValueError("a matrix has no shape")
        if kind in (CELL, CHAR, *NUMERIC) and math.prod(shape) > left:
            raise ValueError(f"a matrix of shape {shape} has {left} bytes only")
        inner: set[int] = set()
        has_imaginary = bool(int.from_bytes(flags[:4], self._order) & _COMPLEX) and kind in (SPARSE, *NUMERIC)
        parts = 0
        while left:
            parts += 1
            left, data, size = self._tag(left)
            if data == _MATRIX:
                if depth == _DEPTH or kind in (CHAR, SPARSE, *NUMERIC):
                    raise ValueError("a matrix is where none can be")
                below = self.matrix(size, depth + 1)[1]
                inner |= {below.kind, *below.inner}
                left -= size
            else:
                if data not in _TYPES or (kind in (SPARSE, *NUMERIC) and data not in _NUMBER_TYPES):
                    raise ValueError(f"numbers of an unknown type {data}")
                left = self._pass(left, size)
        due = {CELL: math.prod(shape), CHAR: 1, SPARSE: 3 + has_imaginary}.get(kind, 1 + has_imaginary)
        if kind in (CELL, CHAR, SPARSE, *NUMERIC) and parts != due:  # scipy would read on in the next variable
            raise ValueError(f"a matrix has {parts} parts instead of {due}")
        return letters.decode("latin-1"), Variable(shape, kind, frozenset(inner))

    def _data(self, left: int, types: set[int], most: int) -> tuple[int, bytes]:
        """A short element that must have one of these types: bytes left behind it, and its content."""
        left, kind, size = self._tag(left)
        if kind not in types or size > most:
            raise ValueError(f"an element of type {kind} where {min(types)} must be")
        if self._inline is not None:
            return left, self._inline
        found = self._content.read(size)
        padding = min(-size % 8, left - size)
        self._content.skip(padding)
        return left - size - padding, found

    def _tag(self, left: int) -> tuple[int, int, int]:
        """Bytes left behind a tag, the element's type, and its size; a short element's content is `_inline`."""
        if left < 8:
            raise ValueError("an element is cut short")
        raw = self._content.read(8)
        kind, size = _plain_tag(raw, self._order)
        self._inline: bytes | None = None
        if kind >> 16:
            kind, size = kind & 0xFFFF, kind >> 16
            if size > 4:
                raise ValueError("a short element is too long")
            self._inline = raw[4 : 4 + size]
        elif size > left - 8:
            raise ValueError("an element is longer than what holds it")
        return left - 8, kind, size

    def _pass(self, left: int, size: int) -> int:
        if self._inline is not None:
            return left
        whole = min(size + -size % 8, left)
        self._content.skip(whole)
        return left - whole
