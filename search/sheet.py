"""A contact sheet: the query, its answers, right ones framed green and wrong ones red."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from drsl.extract.pictures import read_picture
from drsl.features.atomic import publish
from drsl.features.errors import UserError
from drsl.search.gallery import Hit

__all__ = ["save_sheet"]

_TILE, _GAP, _COLUMNS, _CAPTION = 160, 12, 5, 52
_RIGHT, _WRONG, _PLAIN = "#1a7f37", "#cf222e", "#888888"
_LEGEND = ((_RIGHT, "right: of the expected class"), (_WRONG, "wrong: of another class"), (_PLAIN, "the query"))


def save_sheet(path: Path, title: str, hits: Sequence[Hit], folder: Path, query: Path | None = None) -> None:
    """Draws the answers to a query and saves them as PNG.

    Args:
        path: the PNG file to make.
        title: stands above the answers.
        hits: the answers, best first.
        folder: what the items' image paths are relative to.
        query: the query's picture, drawn first when given.

    Raises:
        UserError: the name does not end in .png, a picture cannot be read, or the file cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise UserError(f"{path}: a contact sheet is a PNG file, so its name must end in .png")
    cells = len(hits) + (query is not None)
    rows = max(1, -(-cells // _COLUMNS))
    width = _COLUMNS * (_TILE + _GAP) + _GAP
    bottom = 40 + rows * (_TILE + _CAPTION + _GAP)
    sheet = Image.new("RGB", (width, bottom + _CAPTION // 2 + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    font, small = ImageFont.load_default(18), ImageFont.load_default(13)
    draw.text((_GAP, 10), _cut(title, font, width - 2 * _GAP), "black", font)
    place = 0
    if query is not None:
        _tile(sheet, draw, place, query, _PLAIN, ["query", query.name], small)
        place = 1
    for hit in hits:
        color = _PLAIN if hit.right is None else _RIGHT if hit.right else _WRONG
        picture = folder / hit.item.image if hit.item.image else None
        mark = "" if hit.right is None else "right: " if hit.right else "wrong: "
        lines = [f"{hit.rank}. {hit.item.text or hit.item.id}", f"{mark}{hit.item.label}", f"score {hit.score:.3f}"]
        _tile(sheet, draw, place, picture, color, lines, small)
        place += 1
    used = {_RIGHT if hit.right else _WRONG for hit in hits if hit.right is not None}
    used |= {_PLAIN} if query is not None else set()
    _legend(draw, bottom, [each for each in _LEGEND if each[0] in used], small)
    with publish(path) as temporary:
        sheet.save(temporary, format="PNG")


def _tile(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    place: int,
    picture: Path | None,
    color: str,
    lines: Sequence[str],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    left = _GAP + place % _COLUMNS * (_TILE + _GAP)
    top = 40 + place // _COLUMNS * (_TILE + _CAPTION + _GAP)
    if picture is not None:
        thumbnail = read_picture(picture, _TILE)
        thumbnail.thumbnail((_TILE - 8, _TILE - 8))
        sheet.paste(thumbnail, (left + (_TILE - thumbnail.width) // 2, top + (_TILE - thumbnail.height) // 2))
    draw.rectangle((left, top, left + _TILE - 1, top + _TILE - 1), outline=color, width=3)
    for number, line in enumerate(lines):
        draw.text((left, top + _TILE + 2 + 16 * number), _cut(line, font, _TILE), color if number else "black", font)


def _legend(
    draw: ImageDraw.ImageDraw,
    top: int,
    entries: Sequence[tuple[str, str]],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """What the frames' colours mean, and how scores are read."""
    left = _GAP
    for color, meaning in entries:
        draw.rectangle((left, top + 2, left + 13, top + 15), outline=color, width=3)
        draw.text((left + 20, top), meaning, "black", font)
        left += 20 + int(font.getlength(meaning)) + 2 * _GAP
    draw.text((left, top), "answers stand best first; a higher score is a better match", "black", font)


def _cut(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """A text on one line, shortened until it fits."""
    text = " ".join(text[:1000].split())
    if font.getlength(text) <= width:
        return text
    fitting = bisect_right(range(len(text)), float(width), key=lambda end: font.getlength(text[:end] + "..."))
    return text[: max(0, fitting - 1)] + "..."
