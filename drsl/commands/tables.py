"""Tables in a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

__all__ = ["table"]


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], left: Collection[int] = (0,)) -> str:
    """Lines cells up in columns.

    Args:
        head: column titles.
        rows: cells; each is shown by `str`, with blanks for line breaks.
        left: columns whose cells stand to the left; all others stand to the right.

    Returns:
        Lines joined by line breaks.

    >>> print(table(("name", "n"), [("a", 10)]))
    name   n
    a     10
    """
    lines = [[" ".join(str(cell).splitlines()) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
