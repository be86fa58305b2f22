"""Tables and long lines in a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from typing import Any

__all__ = ["screen_width", "shorten", "table", "wrap"]

_LEAST = 8
"""A column is not made narrower than this, or than its title."""


def screen_width() -> int | None:
    """How wide lines may be.

    Returns:
        Columns of the terminal that stdout is; None when it is none, so that files and pipes get whole lines.
    """
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(
    head: Sequence[str], rows: Iterable[Sequence[Any]], left: Collection[int] = (0,), width: int | None = None
) -> str:
    """Lines cells up in columns.

    Args:
        head: column titles.
        rows: cells; each is shown by `str`, with blanks for line breaks.
        left: columns whose cells stand to the left; all others stand to the right.
        width: the widest columns of `left` are cut until lines fit into so many columns; None leaves all whole.

    Returns:
        Lines joined by line breaks.

    >>> print(table(("name", "n"), [("a", 10)]))
    name   n
    a     10
    >>> print(table(("n", "text"), [(1, "one two three four"), (2, "five")], (1,), 14))
    n  text
    1  one two ...
    2  five
    """
    lines = [[" ".join(str(cell).splitlines()) for cell in row] for row in (head, *rows)]
    widths = [max(_columns(line[place]) for line in lines) for place in range(len(head))]
    if width is not None:
        widths = _fitted(widths, [_columns(title) for title in head], left, width)
    return "\n".join(
        "  ".join(
            _padded(shorten(cell, room) if place in left else cell, room, place in left)
            for place, (cell, room) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def shorten(text: str, width: int) -> str:
    """Cuts the end of a text that is too long.

    Args:
        text: one line.
        width: columns of the terminal that it may take; signs of East Asia and emoji take two.

    Returns:
        The text itself, or its beginning and three dots.

    >>> shorten("the quick brown fox", 12)
    'the quick...'
    """
    if _columns(text) <= width:
        return text
    kept = text[: max(0, width - 3)]
    while kept and _columns(kept) > width - 3:
        kept = kept[:-1]
    return kept + "..."[:width]


def wrap(text: str, indent: int, width: int | None) -> str:
    """Breaks a long line between words.

    Args:
        text: one line, of which the first `indent` columns are already taken.
        indent: blanks before every further line.
        width: columns of the terminal; None leaves the line whole.

    Returns:
        Lines joined by line breaks, of 20 columns at least; a path or an address is never broken.

    >>> print("ab  " + wrap("one two three, four five six", 4, 28))
    ab  one two three, four five
        six
    """
    if width is None:
        return text
    lines = textwrap.wrap(text, max(20, width - indent), break_long_words=False, break_on_hyphens=False)
    return f"\n{' ' * indent}".join(lines)


def _fitted(widths: list[int], titles: list[int], left: Collection[int], width: int) -> list[int]:
    """Widths whose sum, with gaps, is at most `width`, if the columns that may be cut allow it."""
    widths = list(widths)
    least = {place: min(widths[place], max(_LEAST, titles[place])) for place in left}
    while sum(widths) + 2 * (len(widths) - 1) > width:
        place = max(least, key=lambda each: widths[each] - least[each], default=None)
        if place is None or widths[place] == least[place]:
            break
        widths[place] -= 1
    return widths


def _padded(cell: str, room: int, left: bool) -> str:
    blanks = " " * (room - _columns(cell))
    return cell + blanks if left else blanks + cell


def _columns(text: str) -> int:
    """Columns that a text takes in a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )
