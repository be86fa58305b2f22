"""Parts files: what an item is made of, for methods that look inside it; written on request, mapped when read.

`features/<dataset>/<modality>.<kind>.h5` has one row an item, with the ids, labels, splits and order of
`<modality>.h5`. Kinds: `grid`, the cells of an image network's last pooling; `patches`, the feature of pieces of an
image; `words`, a text as word ids, with the vectors of all words; `sentences`, the feature of each sentence.

Datasets: `part` (n, p, k) float16, or (n, p) int32 for words; `mask` (n, p) bool, for patches and sentences; `vectors`
(V, k) float32 and `words` (V - 1, UTF-8), for words; and the columns of a feature file. These files are large: the grid
of XMediaNet has 2 GB. So `part`, `mask` and `vectors` lie in one piece to be mapped, with checksums of our own
(`mapped.py`) in place of fletcher32, which cannot be had with that. The seal covers those checksums, and all the rest.
Opening a file proves all but the rows of these arrays; a row is proven when it is read, or all at once with
`verify=True`. The same recipe gives the same bytes.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
from drsl.features.errors import DamagedFile, MissingFile, UserError, choose
from drsl.features.hdf5 import check_head, check_texts, create_sealed, reason
from drsl.features.manifest import SPLITS
from drsl.features.mapped import MappedArray, MappedWriter, digest_shape, digests_name

__all__ = ["FORMAT", "KINDS", "VERSION", "PartKind", "Parts", "PartsWriter", "open_parts", "open_parts_writer"]

FORMAT = "drsl-parts"
VERSION = 1
_LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class PartKind:
    """What parts of one kind are."""

    modality: str
    """`image` or `text`"""
    dtype: type
    """element type of `part`"""
    masked: bool
    """whether some parts of an item may be missing"""
    worded: bool = False
    """whether parts are word ids, with a table of vectors"""


KINDS = {
    "grid": PartKind("image", np.float16, masked=False),
    "patches": PartKind("image", np.float16, masked=True),
    "words": PartKind("text", np.int32, masked=False, worded=True),
    "sentences": PartKind("text", np.float16, masked=True),
}
"""Kind of parts to what they are."""


@dataclass(frozen=True)
class Parts:
    """The parts of items, read by rows from a mapped file; row i is item i of the feature file."""

    id: np.ndarray
    """(n,) str objects, unique"""
    part: MappedArray
    """(n, p, k) float16, finite; for words (n, p) int32, 0 where there is no word or no vector"""
    mask: MappedArray | None
    """(n, p) bool, which parts an item has; None when it has all, or they are words"""
    label: np.ndarray
    """(n,) int64, index into `classes`"""
    split: np.ndarray
    """(n,) uint8: 0 train, 1 val, 2 test"""
    classes: tuple[str, ...]
    """class names"""
    attrs: Mapping[str, Any]
    """what the file says of itself: dataset, modality, kind, settings, encoder, manifest_digest, fingerprint, digest"""
    words: tuple[str, ...] = ()
    """words with a vector; word k has id k + 1"""
    vectors: MappedArray | None = None
    """(1 + words, k) float32 for words, row 0 zeros"""

    def __len__(self) -> int:
        """Number of items."""
        return len(self.id)

    @property
    def kind(self) -> str:
        """`grid`, `patches`, `words` or `sentences`."""
        return str(self.attrs["kind"])

    @property
    def arrays(self) -> dict[str, MappedArray]:
        """The arrays that are mapped, by name: `part`, and where there are, `mask` and `vectors`."""
        found = {"part": self.part, "mask": self.mask, "vectors": self.vectors}
        return {name: array for name, array in found.items() if array is not None}

    def rows(self, split: str) -> np.ndarray:
        """The rows of one split, for `part[...]`, `mask[...]` and `label[...]`.

        Args:
            split: `"train"`, `"val"` or `"test"`.

        Returns:
            Row numbers, ascending.

        Raises:
            SettingError: the split's name is unknown.
        """
        return np.flatnonzero(self.split == SPLITS.index(choose("split", split, SPLITS)))


class PartsWriter:
    """Takes the parts of items in order, in blocks of any size; made by `open_parts_writer`."""

    def __init__(self, file: h5py.File, id: Sequence[str], arrays: Mapping[str, tuple[tuple[int, ...], type]]) -> None:
        self._file = file
        self._id = id
        self._arrays = {name: MappedWriter(file, name, *arrays[name]) for name in arrays}
        self._words = arrays["vectors"][0][0] if "vectors" in arrays else None

    def append(self, part: np.ndarray, mask: np.ndarray | None = None) -> None:
        """Adds items.

        Args:
            part: (b, p, k), stored as float16; or (b, p) word ids.
            mask: (b, p) bool, for kinds that have one; parts that are not there should be zeros.

        Raises:
            UserError: a value is NaN, infinite or beyond float16's largest (65504); names the item.
            ValueError: a wrong shape, a word id out of range, more rows than announced, or a mask too many or missing.
        """
        if (mask is None) == ("mask" in self._arrays):
            raise ValueError("this kind has a mask" if mask is None else "this kind has no mask")
        first = self._arrays["part"].done
        if self._words is not None:
            if part.size and (part.min() < 0 or part.max() >= self._words):
                raise ValueError(f"a word id behind row {first} is not from 0 to {self._words - 1}")
            rows = part.astype(np.int32, copy=False)
        else:
            fits = (np.abs(part) <= _LARGEST).all(axis=tuple(range(1, part.ndim)))
            if not fits.all():
                place = first + int((~fits).argmax())
                name = repr(self._id[place]) if place < len(self._id) else f"row {place}"
                raise UserError(
                    f"a part of {name} is NaN, infinite or larger than float16 holds ({_LARGEST:.0f}): the network is "
                    "broken, finetune again"
                )
            rows = part.astype(np.float16, copy=False)
        self._arrays["part"].append(rows)
        if mask is not None:
            self._arrays["mask"].append(np.asarray(mask, dtype=bool))

    def _seal(self, vectors: np.ndarray | None) -> None:
        if vectors is not None:
            self._arrays["vectors"].append(np.asarray(vectors, dtype=np.float32))
        for each in self._arrays.values():
            each.finish()
        self._file.attrs["rows"] = len(self._id)
        # Of fixed length, so it is not among the texts, whose checksums are taken already.
        self._file.attrs["digest"] = np.bytes_(_digest(self._file, tuple(self._arrays)))
        self._file.attrs["sealed"] = 1


@contextmanager
def open_parts_writer(
    path: Path,
    kind: str,
    *,
    id: Sequence[str],
    label: np.ndarray,
    split: np.ndarray,
    classes: Sequence[str],
    shape: tuple[int, ...],
    attrs: Mapping[str, Any],
    words: Sequence[str] = (),
    vectors: np.ndarray | None = None,
) -> Iterator[PartsWriter]:
    """Opens a parts file for writing block by block; it appears under its name when the block ends well.

    Args:
        path: the file's final name.
        kind: a key of `KINDS`.
        id: n unique ids.
        label: (n,) integers into `classes`.
        split: (n,) integers 0, 1, 2.
        classes: class names.
        shape: of the parts of one item: (p, k), or (p,) for words.
        attrs: strings and integers: dataset, modality, settings (JSON), encoder (JSON), manifest_digest, fingerprint.
        words: for words, those that have a vector.
        vectors: for words, (1 + words, k) float32, finite, row 0 zeros.

    Yields:
        A writer to which exactly n rows must be appended.

    Raises:
        ValueError: wrong or missing rows, columns of unequal length, a label or split out of range, or vectors that do
            not fit the kind or the words. Nothing is left behind.
        UserError: a value is not finite or too large; the file cannot be written, or the disk has no room for it,
            which shows before the first row.
    """
    label, split = np.asarray(label), np.asarray(split)
    check_columns(id, label, split, classes)
    about = KINDS[choose("parts", kind, KINDS)]
    if len(shape) != (1 if about.worded else 2):
        raise ValueError(f"the parts of an item cannot have the shape {shape} when they are {kind}")
    if about.worded != (vectors is not None) or (vectors is not None and vectors.shape[:-1] != (len(words) + 1,)):
        raise ValueError("words need a row of vectors each and one more; other kinds have none")
    if vectors is not None and not np.isfinite(vectors).all():
        raise ValueError("a word vector is not finite")
    arrays: dict[str, tuple[tuple[int, ...], type]] = {"part": ((len(id), *shape), about.dtype)}
    if about.masked:
        arrays["mask"] = (len(id), shape[0]), np.bool_
    if vectors is not None:
        arrays["vectors"] = vectors.shape, np.float32
    texts = {"id": id, "classes": classes} | ({"words": words} if about.worded else {})
    head = {**attrs, "kind": kind, "format": FORMAT, "version": VERSION}
    numbers: list[tuple[tuple[int, ...], type]] = [((len(id),), dtype) for _, dtype in COLUMN_NUMBERS]
    numbers += [each for array in arrays.values() for each in (array, (digest_shape(*array), np.uint8))]
    with create_sealed(path, texts, head, numbers, aligned=True) as file:
        create_columns(file, label, split)
        writer = PartsWriter(file, id, arrays)
        yield writer
        writer._seal(vectors)


def open_parts(path: Path, verify: bool = False) -> Parts:
    """Opens a parts file; rows are read, and proven whole, when they are asked for.

    Args:
        path: a file that `drsl encode --parts` wrote.
        verify: prove all rows now; reads the whole file once.

    Returns:
        Its ids, labels and splits, and its arrays, mapped. The file may be replaced while it is in use.

    Raises:
        MissingFile: there is no such file.
        DamagedFile: not HDF5, not a parts file, not sealed, of another version, cut short, changed since it was sealed,
            or of wrong shapes or types. Reading a row that was changed raises it too, and names the id.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFile(f"{path} is not there: {_repair(path)}")
    try:
        with h5py.File(path, "r") as file, path.open("rb") as raw:
            check_texts(path, file, FORMAT)
            check_head(file, FORMAT, VERSION)
            # Never closed by hand: it lives as long as the arrays do that are views of it.
            parts = _load(path, file, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ))
            stored, found = parts.attrs["digest"], _digest(file, tuple(parts.arrays))
    except Exception as error:  # h5py raises nearly every type when a file's structure is broken
        raise DamagedFile(f"{path} is damaged or not a parts file ({reason(error)}): {_repair(path)}") from None
    for what, rows in wrong_columns(parts.label, parts.split, parts.classes).items():
        if rows.any():
            raise DamagedFile(f"{path}: {what.format(repr(parts.id[rows.argmax()]))}: {_repair(path)}")
    if stored != found:
        raise DamagedFile(f"{path} was changed after it was sealed (its digest does not match): {_repair(path)}")
    if verify:
        for array in parts.arrays.values():
            array.verify()
    return parts


def _load(path: Path, file: h5py.File, content: mmap.mmap) -> Parts:
    rows, attrs = int(file.attrs["rows"]), read_attrs(file)
    columns, about = read_columns(file, rows), KINDS[choose("kind", attrs["kind"], KINDS)]
    words = tuple(file["words"].asstr()[...].tolist()) if about.worded else ()

    def array(name: str, names: Sequence[str] | np.ndarray) -> MappedArray:
        def refuse(row: int, what: str) -> DamagedFile:
            return DamagedFile(f"{path}: the {name} of {names[row]!r} {what}: {_repair(path)}")

        def wrong(block: np.ndarray) -> np.ndarray:
            if block.dtype.kind == "f":
                bad = ~np.isfinite(block)
            else:  # booleans have no other values than these either
                bad = (block < 0) | (block > len(words)) if block.dtype == np.int32 else block.view(np.uint8) > 1
            return bad.any(axis=tuple(range(1, block.ndim)))

        return MappedArray(content, file[name], file[digests_name(name)], wrong, refuse)

    part = array("part", columns.id)
    mask = array("mask", columns.id) if about.masked else None
    vectors = array("vectors", ("the padding", *words)) if about.worded else None
    shapes = [part.shape[:1] == (rows,), len(part.shape) == (2 if about.worded else 3), part.dtype == about.dtype]
    shapes += [mask.shape == part.shape[:2], mask.dtype == np.bool_] if mask is not None else []
    if vectors is not None:
        shapes += [len(vectors.shape) == 2, len(vectors) == len(words) + 1, vectors.dtype == np.float32]
    if not all(shapes):
        raise ValueError(f"part, mask or vectors have a wrong type or shape for {rows} items of kind {attrs['kind']}")
    return Parts(part=part, mask=mask, attrs=attrs, words=words, vectors=vectors, **columns._asdict())


def _digest(file: h5py.File, arrays: Sequence[str]) -> str:
    """Digest of the blocks' digests, and of everything else that gives them meaning."""
    content = hashlib.sha256()
    for name in arrays:
        content.update(repr((name, file[name].shape, file[name].dtype.str)).encode("ascii"))
        content.update(file[digests_name(name)][...].tobytes())
    if "words" in file:
        content.update(b"\0".join(file["words"][...].tolist()))
    add_columns_to_digest(content, file)
    return content.hexdigest()


def _repair(path: Path) -> str:
    modality, _, kind = path.stem.partition(".")
    if kind not in KINDS or KINDS[kind].modality != modality:
        modality, kind = "image|text", "KIND"
    return f"make it with `drsl encode {modality} --parts {kind} -d {path.parent.name}`"
