"""The files that searching reads, kept in memory for the next query and read again when they have changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

import numpy as np

from drsl.extract.encoder import Encoder
from drsl.extract.stage import load_encoder
from drsl.extract.vectors import open_vectors
from drsl.extract.vectors.base import WordVectors
from drsl.features.layout import Layout, Run
from drsl.features.manifest import Manifest, read_manifest
from drsl.features.store import Features, read_features
from drsl.search.gallery import Gallery
from drsl.train.methods import Method, get_method

__all__ = ["Shelf"]

Value = TypeVar("Value")

_KEPT = 32
"""Networks, feature files, methods and galleries held at a time, so that a server's memory has a limit."""


class Shelf:
    """What one data set is searched with. One shelf may serve many threads.

    Args:
        layout: where the data set's files are.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.turn = RLock()
        """held while scores are worked out: the compiled kernels and torch use all cores anyway, and the kernels'
        threads serve one caller at a time"""
        self.looking = RLock()
        """held while words are looked up, which may take a minute: other queries go on"""
        self.looked_up: dict[tuple[str, str], np.ndarray | None] = {}
        """words of queries with the source of vectors: their vector, None when they have none"""
        self._kept: OrderedDict[Hashable, tuple[Any, Any]] = OrderedDict()
        self._reading: dict[Hashable, Any] = {}
        self._guard = RLock()

    def manifest(self) -> Manifest:
        """The manifest.

        Returns:
            As it is on the disk now.

        Raises:
            UserError: it is missing or damaged.
        """
        path = self.layout.manifest
        return self._keep("manifest", _stamp(path), lambda: read_manifest(path))

    def encoder(self, modality: str) -> tuple[Encoder, dict[str, Any]]:
        """The network for queries.

        Args:
            modality: `image` or `text`.

        Returns:
            The encoder, not to be changed, and its file's description.

        Raises:
            UserError: the file is missing, damaged, or made from another manifest than that of now.
        """
        manifest = self.manifest()
        stamp = (_stamp(self.layout.network(modality)), manifest.digest)
        return self._keep(("encoder", modality), stamp, lambda: load_encoder(modality, self.layout, manifest=manifest))

    def features(self, modality: str) -> Features:
        """The feature file of all splits.

        Args:
            modality: `image` or `text`.

        Returns:
            Its rows.

        Raises:
            UserError: it is missing or damaged.
        """
        path = self.layout.features(modality)
        return self._keep(("features", modality), _stamp(path), lambda: read_features(path))

    def rows(self, modality: str) -> dict[str, int]:
        """Which row of the feature file is whose.

        Args:
            modality: `image` or `text`.

        Returns:
            Item ids and their rows.

        Raises:
            UserError: the feature file is missing or damaged.
        """
        features = self.features(modality)
        stamp = _stamp(self.layout.features(modality))
        return self._keep(("rows", modality), stamp, lambda: {each: row for row, each in enumerate(features.id)})

    def method(self, run: Run) -> Method:
        """A fitted method.

        Args:
            run: its files.

        Returns:
            The method.

        Raises:
            UserError: it is missing or damaged.
        """
        return self._keep(("method", run.model), _stamp(run.model), lambda: get_method(run.folder.name).load(run.model))

    def gallery(self, run: Run, modality: str, split: str) -> Gallery:
        """What is ranked, with what the method makes of it.

        Args:
            run: the method's files.
            modality: `image` or `text`.
            split: `train`, `val`, `test` or `all`.

        Returns:
            The gallery.

        Raises:
            UserError: a file is missing or damaged.
        """
        method, features, manifest = self.method(run), self.features(modality), self.manifest()
        stamp = tuple(_stamp(each) for each in (run.model, self.layout.features(modality), self.layout.manifest))
        return self._keep(
            ("gallery", run.model, modality, split),
            stamp,
            lambda: Gallery(method, features if split == "all" else features.select(split), manifest.by_id),
        )

    def vectors(self, source: str) -> WordVectors:
        """Where words are looked up that the data set's texts do not have.

        Args:
            source: `text.vectors` of the data set.

        Returns:
            The vectors; a package's list of words is read once and kept, a file is opened anew.

        Raises:
            UserError: they are missing or damaged.
        """
        root = self.layout.root
        if source.startswith("package:"):
            return self._keep(("vectors", source), (), lambda: open_vectors(source, root))
        return open_vectors(source, root)

    def _keep(self, key: Hashable, stamp: object, read: Callable[[], Value]) -> Value:
        """The value of before when its files are as they were; what was asked for the longest ago goes first."""
        with self._guard:
            reading = self._reading.setdefault(key, RLock())
        with reading:  # one caller reads, others who want the same wait; who wants something else does not
            with self._guard:
                found = self._kept.get(key)
            if found is None or found[0] != stamp:
                found = stamp, read()
            with self._guard:
                self._kept[key] = found
                self._kept.move_to_end(key)
                while len(self._kept) > _KEPT:
                    self._reading.pop(self._kept.popitem(last=False)[0], None)
        value: Value = found[1]
        return value


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when a file is replaced; of a missing file nothing, and reading says what to do."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns
