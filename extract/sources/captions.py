"""Several captions of one image: what becomes of them in a manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from drsl.features.manifest import Item

__all__ = ["CAPTIONS", "captions_of", "expand_captions"]

CAPTIONS = ("together", "each")
"""One item with all captions, or one item a caption."""


def captions_of(text: str) -> list[str]:
    """The captions in a text.

    Args:
        text: one caption a line; blank lines are passed over.

    Returns:
        The captions without blanks at their ends.

    >>> captions_of("a cat ")
    ['a cat']
    """
    # Not splitlines, which also parts a text at rare characters that are no line ends in a file.
    return [line.strip() for line in re.split(r"\r\n|\r|\n", text) if line.strip()]


def expand_captions(item: Item, path: Path | None, captions: str) -> Iterator[tuple[Item, Path | None]]:
    """Makes one item, or one a caption, of an image and its captions.

    Args:
        item: the item; its text has a caption a line.
        path: its picture's original.
        captions: `together` or `each`.

    Yields:
        Items with the picture's original; with `each` the ids end in `#1` and so on, and only the first has the image.
    """
    texts = captions_of(item.text)
    if captions == "together" or not texts:
        yield replace(item, text="\n".join(texts)), path
        return
    for number, text in enumerate(texts, start=1):
        first = number == 1
        image = item.image if first else ""
        yield replace(item, id=f"{item.id}#{number}", image=image, text=text), path if first else None
