"""What the search page asks for, without HTTP: answers, thumbnails, and what there is to choose from."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drsl.extract.pictures import read_picture
from drsl.features.errors import MissingFile, SettingError, UserError, choose
from drsl.features.layout import Layout
from drsl.features.manifest import SPLITS
from drsl.search.answers import answer_as_json
from drsl.search.searcher import Searcher
from drsl.search.shelf import Shelf
from drsl.train import method_names

__all__ = ["MOST_BYTES", "Service"]

MOST_BYTES = 20 * 2**20
"""Larger pictures are refused; of how many pixels they may have, drsl.extract.pictures decides."""
_THUMBNAIL = 320


class Service:
    """Searches one data set for any number of callers at a time.

    Args:
        layout: where the data set's files are.
        method: the method that is used when a query names none.
        seed: the seed it was fitted with.
        say: takes lines for people.
    """

    def __init__(self, layout: Layout, method: str, seed: int, say: Callable[[str], None] = lambda line: None) -> None:
        self.layout = layout
        self.method = choose("method", method, method_names())
        self.seed = seed
        self._say = say
        self._shelf = Shelf(layout)

    def warm(self) -> list[str]:
        """Reads what words need and asks once, so that the first query is as quick as the others.

        Returns:
            What will not work, a line each: the text network is missing or stale.

        Raises:
            UserError: the method or the features are missing or stale, so nothing can be found.
        """
        manifest = self._shelf.manifest()
        searcher = self._searcher(self.method, self.seed, "test")
        for modality, other in (("image", "text"), ("text", "image")):
            for item in manifest.of(modality)[:1]:
                searcher.find_for_item(item.id, other)
        try:
            for item in manifest.of("text")[:1]:
                searcher.find_images(item.text, 1)
        except UserError as error:
            return [f"no search with words: {self.plain(error)}"]
        return []

    def warm_pictures(self) -> list[str]:
        """Reads the image network, the largest part of a start; queries with words are answered meanwhile.

        Returns:
            What will not work, a line each: the image network is missing or stale.
        """
        manifest = self._shelf.manifest()
        try:
            for item in manifest.of("image")[:1]:
                self._searcher(self.method, self.seed, "test").find_texts(manifest.image_path(item), 1)
        except UserError as error:
            return [f"no search with new pictures: {self.plain(error)}"]
        return []

    def about(self) -> dict[str, Any]:
        """What there is to choose from.

        Returns:
            JSON-able: the data set, its classes and splits with their numbers of items, and the fitted methods.

        Raises:
            UserError: the manifest is missing or damaged.
        """
        manifest = self._shelf.manifest()
        counts = [(name, int((manifest.columns.split == place).sum())) for place, name in enumerate(SPLITS)]
        counts.append(("all", len(manifest.items)))
        fitted = [
            {"method": name, "seeds": seeds}
            for name in method_names()
            if (seeds := sorted(int(p.stem) for p in self._models(name) if p.stem.isdecimal()))
        ]
        return {
            "dataset": self.layout.dataset,
            "method": self.method,
            "seed": self.seed,
            "methods": fitted,
            "splits": [{"split": name, "items": count} for name, count in counts],
            "classes": list(manifest.classes),
            "most_bytes": MOST_BYTES,
        }

    def ask(
        self,
        query: str,
        *,
        words: str | None = None,
        picture: bytes | None = None,
        item: str | None = None,
        find: str = "text",
        method: str | None = None,
        seed: int | None = None,
        split: str = "test",
        count: int = 10,
        expected: str | None = None,
        only: str | None = None,
    ) -> dict[str, Any]:
        """Answers one query: words, a picture, or an item.

        Args:
            query: how the answer calls the query.
            words: any text.
            picture: the bytes of a picture file.
            item: the id of an item.
            find: what is found for an item: `image` or `text`.
            method: the method's name; None for the service's own.
            seed: the seed it was fitted with; None for the service's own.
            split: which items are searched.
            count: how many answers.
            expected: the class that counts as right.
            only: answers of this class only.

        Returns:
            As `drsl search --json` prints it.

        Raises:
            SettingError: the query cannot be understood: an unknown name, a broken picture.
            UserError: a stage has not been run or its outcome is stale, or no word of the query has a vector.
        """
        name = choose("method", method or self.method, method_names())
        searcher = self._searcher(name, self.seed if seed is None else seed, split)
        if words is not None:
            answer = searcher.find_images(words, count, expected, only)
        elif item is not None:
            answer = searcher.find_for_item(item, find, count, expected, only)
        else:
            with tempfile.NamedTemporaryFile(prefix="drsl-query-") as file:
                file.write(picture or b"")
                file.flush()
                try:
                    answer = searcher.find_texts(Path(file.name), count, expected, only)
                except UserError as error:
                    if file.name not in str(error):
                        raise
                    raise SettingError(str(error).replace(file.name, "the picture")) from None
        return answer_as_json(answer, query, self.layout.dataset, name)

    def thumbnail(self, item: str) -> bytes:
        """The picture of an item, drawn anew, so that a browser gets nothing but pixels.

        Args:
            item: its id.

        Returns:
            A WebP file of at most 320 pixels a side.

        Raises:
            MissingFile: there is no such item, or it has no picture in the data set's folder.
            DamagedFile: the picture cannot be read.
        """
        manifest = self._shelf.manifest()
        found = manifest.by_id.get(item)
        if found is None or not found.image or not manifest.holds(found):
            raise MissingFile(f"there is no picture of an item {item[:200]!r}")
        picture = read_picture(manifest.image_path(found), _THUMBNAIL)
        picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=90)
        return buffer.getvalue()

    def plain(self, error: UserError) -> str:
        """An error's message without the folder that the project lies in.

        Args:
            error: any.

        Returns:
            One line.
        """
        return str(error).replace(f"{self.layout.root}/", "")

    def _searcher(self, method: str, seed: int, split: str) -> Searcher:
        return Searcher(self.layout, method, seed, split, self._say, self._shelf)

    def _models(self, method: str) -> list[Path]:
        return list(self.layout.run(method, 0).folder.glob("*.safetensors"))
