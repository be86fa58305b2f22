"""Tables in a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

__all__ = ["table"]


def table(
    head: Sequence[str], rows: Iterable[Sequence[Any]], left: Collection[int] = (0,), width: int | None = None
) -> str:
    """Lines cells up in columns.

    Args:
        head: column titles.
        rows: cells; each is shown by `str`, with blanks for line breaks.
        left: columns whose cells stand to the left; all others stand to the right.
        width: of the terminal; longer lines are cut and end in "…". None cuts nothing.

    Returns:
        Lines joined by line breaks.

    >>> print(table(("name", "n"), [("a", 10)]))
    name   n
    a     10
    >>> print(table(("name", "text"), [("a", "a long one")], left=(0, 1), width=12))
    name  text
    a     a lon…
    """
    lines = [[" ".join(str(cell).splitlines()) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    shown = (
        "  ".join(
            cell.ljust(room) if place in left else cell.rjust(room)
            for place, (cell, room) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
    return "\n".join(line if width is None or len(line) <= width else line[: width - 1] + "…" for line in shown)
