"""Feature rows joined with the parts of their items: one row an item, read only when it is asked for.

A method that looks inside items declares which kind of parts it takes, and is given features whose rows are
[feature | parts, one behind the other | which parts there are]. `JoinedRows` stands where the array of features stands
otherwise. It holds the features and a mapped file; the parts of all items (gigabytes) are never in memory at once.
Word ids are exact as float32, as there are far fewer than 2^24 words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np

from drsl.features.mapped import MappedArray
from drsl.features.parts import Parts
from drsl.features.store import Features

__all__ = ["JoinedRows", "PartsLayout", "join_parts"]


class PartsLayout(NamedTuple):
    """What the columns of joined rows are."""

    feature: int
    """width d of the feature"""
    number: int
    """parts an item, p"""
    width: int
    """width k of a part; of a word's vector where parts are words"""
    masked: int
    """1 when p columns say which parts there are, else 0"""
    words: int
    """rows of the table of word vectors where parts are word ids, else 0"""

    @property
    def columns(self) -> int:
        """Columns of a joined row."""
        return self.feature + self.number * (1 if self.words else self.width) + self.number * self.masked


class JoinedRows:
    """Rows (n, columns) float32 that are put together when they are read: `rows[2:5]`, `rows[[3, 1]]`.

    Args:
        feature: (n, d) float32.
        part: (n, p, k), or (n, p) word ids; mapped or an array.
        mask: (n, p) bool where parts may be missing.
        vectors: (V, k) where parts are words.
        rows: which rows of all of these, in which order; None for all.
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(
        self,
        feature: np.ndarray,
        part: np.ndarray | MappedArray,
        mask: np.ndarray | MappedArray | None = None,
        vectors: np.ndarray | MappedArray | None = None,
        rows: np.ndarray | None = None,
    ) -> None:
        self._feature, self._part, self._mask, self._rows = feature, part, mask, rows
        self.vectors = vectors
        """(V, k) float32 vectors of words by id, where parts are words"""
        self.layout = PartsLayout(
            feature.shape[1],
            part.shape[1],
            part.shape[2] if vectors is None else vectors.shape[1],
            int(mask is not None),
            0 if vectors is None else len(vectors),
        )
        """what the columns are"""

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._feature) if self._rows is None else len(self._rows)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Row by row."""
        return (self[place : place + 1][0] for place in range(len(self)))

    @property
    def shape(self) -> tuple[int, int]:
        """(n, columns)."""
        return len(self), self.layout.columns

    @property
    def feature(self) -> np.ndarray:
        """(n, d) float32: the features alone."""
        return self._feature if self._rows is None else self._feature[self._rows]

    def __getitem__(self, key: Any) -> np.ndarray:
        """Reads rows.

        Args:
            key: a slice, or an array of row numbers or of n booleans.

        Returns:
            (b, columns) float32, a new array.

        Raises:
            DamagedFile: a row of the parts file is not as it was sealed.
            IndexError: there is no such row.
        """
        rows = np.arange(len(self))[key] if self._rows is None else self._rows[key]
        if rows.ndim != 1:
            raise IndexError(f"joined rows are read by a slice or an array of rows, not by {key!r}")
        layout, found = self.layout, np.empty((len(rows), self.layout.columns), np.float32)
        found[:, : layout.feature] = self._feature[rows]
        end = layout.columns - layout.number * layout.masked
        found[:, layout.feature : end] = self._part[rows].reshape(len(rows), end - layout.feature)
        if self._mask is not None:
            found[:, end:] = self._mask[rows]
        return found

    def take(self, rows: Any, axis: int = 0) -> JoinedRows:
        """Some of the rows, still to be read; what `take` of an array is for joined rows.

        Args:
            rows: row numbers.
            axis: 0.

        Returns:
            Joined rows that share features and parts with these.

        Raises:
            IndexError: another axis, or there is no such row.
        """
        if axis != 0:
            raise IndexError("joined rows are taken along axis 0")
        chosen = (np.arange(len(self)) if self._rows is None else self._rows)[np.asarray(rows, np.int64)]
        return JoinedRows(self._feature, self._part, self._mask, self.vectors, chosen)


def join_parts(features: Features, parts: Parts) -> Features:
    """Joins features with the parts of the same items, row by row; nothing is read yet.

    Args:
        features: n items.
        parts: of the same n items; see `require_parts_of`.

    Returns:
        The features with joined rows, and a digest of both.

    Raises:
        ValueError: the numbers of items differ.
    """
    if len(features) != len(parts):
        raise ValueError(f"{len(features)} items have the parts of {len(parts)}")
    digests = [str(each.attrs.get("digest", "")) for each in (features, parts)]
    rows = JoinedRows(features.feature, parts.part, parts.mask, parts.vectors)
    return replace(
        features,
        feature=cast(np.ndarray, rows),  # it has what methods that ask for parts use of an array
        attrs={**features.attrs, "digest": hashlib.sha256("".join(digests).encode()).hexdigest(), "parts": parts.kind},
    )
