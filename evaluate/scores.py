"""Score files: the scores of all test images against all test texts, sealed with a digest, checked when read.

Layout of `results/<dataset>/<method>/<seed>.scores.h5`: datasets `score` (n_i, n_t) float32, `image_id`, `text_id` and
`classes` (UTF-8), `image_label` and `text_label` int64 into `classes`; all numbers with fletcher32 checksums. The same
scores give the same bytes, whatever the order and size of the blocks they were written in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from drsl.features.errors import DamagedFile, MissingFile, UserError
from drsl.features.hdf5 import SEAL, check_head, check_texts, create_numbers, create_sealed, plain, reason

__all__ = ["FORMAT", "VERSION", "ScoreWriter", "Scores", "open_score_writer", "read_scores"]

FORMAT = "drsl-scores"
VERSION = 1
_OWN_ATTRS = ("format", "version", *SEAL)


@dataclass(frozen=True)
class Scores:
    """Scores of images against texts, with what is needed to judge them."""

    score: np.ndarray
    """(n_i, n_t) float32, finite; higher is more similar"""
    image_id: np.ndarray
    """(n_i,) str objects, unique"""
    text_id: np.ndarray
    """(n_t,) str objects, unique"""
    image_label: np.ndarray
    """(n_i,) int64, index into `classes`"""
    text_label: np.ndarray
    """(n_t,) int64, index into `classes`"""
    classes: tuple[str, ...]
    """class names"""
    attrs: Mapping[str, Any] = field(default_factory=dict)
    """what the file says of itself: dataset, method, seed, fingerprint, digest"""


class ScoreWriter:
    """Takes rows of scores in blocks of any size and order; made by `open_score_writer`."""

    def __init__(self, file: h5py.File, about: Mapping[str, Any]) -> None:
        self._file = file
        self._about = about
        self._data = create_numbers(file, "score", (len(about["image_id"]), len(about["text_id"])), np.float32)
        self._row_digest: list[bytes] = [b""] * len(about["image_id"])

    def write(self, first_row: int, block: np.ndarray) -> None:
        """Writes some images' scores against all texts; rows that are there already are replaced.

        Args:
            first_row: position of the block's first image.
            block: (b, n_t), finite; stored as float32.

        Raises:
            ValueError: the block does not fit into the matrix at that row.
            UserError: a score is NaN or infinite; names the method, the image and the text.
        """
        with np.errstate(over="ignore"):  # becomes infinite, and is refused below
            rows = np.ascontiguousarray(block, dtype=np.float32)
        images, texts = self._data.shape
        if rows.ndim != 2 or rows.shape[1] != texts or not 0 <= first_row <= images - len(rows):
            raise ValueError(f"a block of shape {rows.shape} does not fit in {(images, texts)} at row {first_row}")
        finite = np.isfinite(rows)
        if not finite.all():
            image, text = np.argwhere(~finite)[0].tolist()
            raise UserError(
                f"{self._about['attrs'].get('method', 'the method')} gives scores that are NaN or infinite (first: "
                f"image {self._about['image_id'][first_row + image]!r}, text {self._about['text_id'][text]!r}): its "
                "training diverged or its features are broken; fit it again with other settings"
            )
        if rows.size:
            self._data[first_row : first_row + len(rows)] = rows
        self._row_digest[first_row : first_row + len(rows)] = _row_digests(rows)

    def _seal(self) -> None:
        if b"" in self._row_digest:
            raise ValueError(f"row {self._row_digest.index(b'')} of {len(self._row_digest)} was never written")
        # Of fixed length, so it is not among the texts, whose checksums are taken already.
        self._file.attrs["digest"] = np.bytes_(_digest(self._about, self._row_digest))
        self._file.attrs["sealed"] = 1


@contextmanager
def open_score_writer(
    path: Path,
    *,
    image_id: Sequence[str],
    text_id: Sequence[str],
    image_label: np.ndarray,
    text_label: np.ndarray,
    classes: Sequence[str],
    attrs: Mapping[str, str | int | float],
) -> Iterator[ScoreWriter]:
    """Opens a score file for writing block by block; it appears under its name when the block ends well.

    Args:
        path: the file's final name.
        image_id: n_i unique ids, the rows.
        text_id: n_t unique ids, the columns.
        image_label: (n_i,) integers into `classes`.
        text_label: (n_t,) integers into `classes`.
        classes: class names.
        attrs: strings and numbers: dataset, method and seed, which messages name, and what else the file should say.

    Yields:
        A writer to which each of the n_i rows must be written.

    Raises:
        ValueError: columns of unequal length, ids that are not unique, labels out of range, attributes that are not
            strings or numbers, or rows that are wrong or missing. Nothing is left behind.
        UserError: a score is NaN or infinite, the file cannot be written, or the disk has no room for it; the last
            before the first row.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "0.scores.h5"
    ...     label = np.array([0])
    ...     names = {"image_id": ["i"], "text_id": ["t"], "classes": ["cat"], "attrs": {"method": "cca"}}
    ...     with open_score_writer(path, image_label=label, text_label=label, **names) as writer:
    ...         writer.write(0, np.array([[0.5]]))
    ...     read_scores(path).score.tolist()
    [[0.5]]
    """
    path = Path(path)
    about: dict[str, Any] = {
        "image_id": [str(each) for each in image_id],
        "text_id": [str(each) for each in text_id],
        "image_label": _labels("image_label", image_label, len(image_id), len(classes)),
        "text_label": _labels("text_label", text_label, len(text_id), len(classes)),
        "classes": [str(each) for each in classes],
        "attrs": {key: plain(attrs[key]) for key in sorted(attrs) if key not in _OWN_ATTRS},
    }
    for name in ("image_id", "text_id"):
        if len(set(about[name])) != len(about[name]):
            raise ValueError(f"{name} must be unique")
    for key, value in about["attrs"].items():
        if not isinstance(value, str | int | float):
            raise ValueError(f"the attribute {key} must be a string or a number, not {type(value).__name__}")
    images, texts = len(about["image_id"]), len(about["text_id"])
    columns = {name: about[name] for name in ("image_id", "text_id", "classes")}
    head = {**about["attrs"], "format": FORMAT, "version": VERSION}
    numbers = [((images, texts), np.float32), ((images,), np.int64), ((texts,), np.int64)]
    with create_sealed(path, columns, head, numbers) as file:
        for name in ("image_label", "text_label"):
            create_numbers(file, name, (len(about[name]),), np.int64)[...] = np.array(about[name], dtype=np.int64)
        writer = ScoreWriter(file, about)
        yield writer
        writer._seal()


def read_scores(path: Path) -> Scores:
    """Reads a whole score file and proves it whole.

    Args:
        path: a file written through `open_score_writer`, as `drsl fit` does.

    Returns:
        Its scores (n_i, n_t) float32, with ids and labels.

    Raises:
        MissingFile: there is no such file; names the command that makes it.
        DamagedFile: not HDF5, not a score file, not sealed, of another version, cut short or changed since it was
            sealed; names the command that makes it again.

    >>> read_scores(Path("results/pascal/cca/0.scores.h5"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    drsl.features.errors.MissingFile: ... is not there: make it with `drsl fit -d pascal -m cca -s 0`
    """
    path = Path(path)
    repair = _repair(path, {})
    if not path.is_file():
        raise MissingFile(f"{path} is not there: make it with {repair}")
    try:
        with h5py.File(path, "r") as file:
            attrs = {key: plain(file.attrs[key]) for key in file.attrs if key != "texts"}
            repair = _repair(path, attrs)
            check_texts(path, file, FORMAT)
            check_head(file, FORMAT, VERSION)
            scores, found = _load(file, attrs, path.stat().st_size)
    except Exception as error:  # h5py raises nearly every type when a file's structure is broken
        raise DamagedFile(
            f"{path} is damaged or not a score file ({reason(error)}): make it again with {repair}"
        ) from None
    if found != attrs["digest"]:
        raise DamagedFile(
            f"{path} was changed after it was sealed (its digest does not match): make it again with {repair}"
        )
    return scores


def _load(file: h5py.File, attrs: Mapping[str, Any], size: int) -> tuple[Scores, str]:
    """The file's content, and its digest as found."""
    if file["score"].ndim != 2 or file["score"].dtype != np.float32:
        raise ValueError("score is not a float32 matrix")
    if file["score"].nbytes > size:  # HDF5 would make up what is not there, and fill the memory with it
        raise ValueError("it is shorter than its own scores")
    scores = Scores(
        score=file["score"][...],
        image_id=file["image_id"].asstr()[...].astype(object),
        text_id=file["text_id"].asstr()[...].astype(object),
        image_label=file["image_label"][...],
        text_label=file["text_label"][...],
        classes=tuple(file["classes"].asstr()[...].tolist()),
        attrs=attrs,
    )
    for axis, name in enumerate(("image", "text")):
        for column in (getattr(scores, f"{name}_id"), getattr(scores, f"{name}_label")):
            if column.shape != scores.score.shape[axis : axis + 1]:
                raise ValueError(f"score is {scores.score.shape}, but a column of the {name}s is {column.shape}")
        if getattr(scores, f"{name}_label").dtype != np.int64:
            raise ValueError(f"{name}_label is not int64")
    about = {
        **{name: getattr(scores, name).tolist() for name in ("image_id", "text_id", "image_label", "text_label")},
        "classes": list(scores.classes),
        "attrs": {key: attrs[key] for key in sorted(attrs) if key not in _OWN_ATTRS},
    }
    return scores, _digest(about, _row_digests(scores.score))


def _labels(name: str, label: np.ndarray, rows: int, classes: int) -> list[int]:
    checked = np.asarray(label)
    if checked.shape != (rows,) or (rows and checked.dtype.kind not in "iu"):
        raise ValueError(f"{name} must hold {rows} integers, not {checked.dtype} {checked.shape}")
    if rows and (checked.min() < 0 or checked.max() >= classes):
        raise ValueError(f"{name} must be from 0 to {classes - 1}, an index into the classes")
    return [int(each) for each in checked]


def _row_digests(rows: np.ndarray) -> list[bytes]:
    return [hashlib.sha256(row).digest() for row in rows]


def _digest(about: Mapping[str, Any], row_digest: Iterable[bytes]) -> str:
    """Digest of the scores, and of everything else that gives them meaning."""
    content = hashlib.sha256(json.dumps([FORMAT, VERSION, about], sort_keys=True).encode("ascii"))
    for each in row_digest:
        content.update(each)
    return content.hexdigest()


def _repair(path: Path, attrs: Mapping[str, Any]) -> str:
    """The command that makes the file: from what it says of itself, else from its name."""
    dataset, method, seed = (attrs.get(key) for key in ("dataset", "method", "seed"))
    if None in (dataset, method, seed):
        seed, is_score_file, _ = path.name.partition(".scores.h5")
        if not is_score_file or not seed.isdigit() or len(path.parts) < 4:
            return "`drsl fit -d DATASET -m METHOD -s SEED`"
        dataset, method = path.parent.parent.name, path.parent.name
    return f"`drsl fit -d {dataset} -m {method} -s {seed}`"
