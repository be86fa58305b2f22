"""The raw content of items, looked up when asked for: image files, or texts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from operator import index
from typing import Any, overload

import numpy as np

from drsl.features.errors import UserError
from drsl.features.manifest import Item, Manifest, take

__all__ = ["Contents", "contents_of"]


class Contents(Sequence[Any]):
    """Paths of image files, or texts; none is held that the items do not hold. Made by `contents_of`."""

    def __init__(self, manifest: Manifest, items: Sequence[Item], modality: str) -> None:
        self._manifest = manifest
        self._items = items
        self._modality = modality

    def __len__(self) -> int:
        """Number of items."""
        return len(self._items)

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> Contents: ...
    def __getitem__(self, place: int | slice) -> Any:
        """One content, or those of a part of the items."""
        if isinstance(place, slice):
            return Contents(self._manifest, self._items[place], self._modality)
        return self._content(self._items[index(place)])

    def __iter__(self) -> Iterator[Any]:
        """The contents in order."""
        return map(self._content, self._items)

    def take(self, places: np.ndarray) -> Contents:
        """The contents of some of the items.

        Args:
            places: positions among these, in any order.

        Returns:
            Their contents, looked up when asked for.
        """
        return Contents(self._manifest, take(self._items, places), self._modality)

    def stamp(self) -> str:
        """Digest of the image files' sizes and times of change; texts are the manifest's, whose digest covers them."""
        content = hashlib.sha256()
        for path in self if self._modality == "image" else ():
            found = path.stat()
            content.update(b"%d %d\n" % (found.st_size, found.st_mtime_ns))
        return content.hexdigest()

    def _content(self, item: Item) -> Any:
        return item.text if self._modality == "text" else self._manifest.image_path(item)


def contents_of(manifest: Manifest, items: Sequence[Item], modality: str) -> Contents:
    """The raw content of items: image files or texts.

    Args:
        manifest: says where image files are.
        items: the items wanted.
        modality: `image` or `text`.

    Returns:
        Paths, or texts, in order, looked up when asked for.

    Raises:
        UserError: an image file is missing, or lies outside the data set's folder.
    """
    if modality == "image":
        missing, first = 0, None
        for item in items:
            if not manifest.holds(item):
                raise UserError(f"image of {item.id!r} lies outside {manifest.folder}: {item.image}")
            path = manifest.image_path(item)
            if not path.is_file():
                missing, first = missing + 1, first or path
        if missing:
            raise UserError(
                f"{missing} of {len(items)} images are missing, the first is {first}: "
                f"`drsl data check -d {manifest.folder.name}` lists them"
            )
    return Contents(manifest, items, modality)
