"""Pictures small enough to be part of a page."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

from drsl.features.errors import UserError

__all__ = ["SIDE", "Thumbnails"]

SIDE = 96
"""Largest side of an embedded picture, pixels."""


class Thumbnails:
    """Reads pictures once and keeps them as data addresses."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    def of(self, path: Path) -> str:
        """A picture as a data address.

        Args:
            path: the image file.

        Returns:
            WebP of at most 96 x 96 pixels; transparent parts are white.

        Raises:
            UserError: the file cannot be read as a picture.
        """
        if path not in self._known:
            self._known[path] = _encoded(path)
        return self._known[path]


def _encoded(path: Path) -> str:
    try:
        with Image.open(path) as image:
            image.draft("RGB", (2 * SIDE, 2 * SIDE))
            small = image.convert("RGBA")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read as a picture: {error}") from None
    small.thumbnail((SIDE, SIDE))
    page = Image.new("RGB", small.size, "white")
    page.paste(small, mask=small)
    buffer = io.BytesIO()
    page.save(buffer, format="WEBP", quality=80, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
