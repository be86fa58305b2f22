"""A table as CSV, as every file of this project has it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

__all__ = ["csv_text"]


def csv_text(head: Iterable[object], rows: Iterable[Sequence[object]]) -> str:
    r"""Writes a table down; lines end in a line feed on every system, so that the same table gives the same bytes.

    Args:
        head: column titles.
        rows: cells; each is shown by `str`, None as nothing.

    Returns:
        The text, with a line end after the last row.

    >>> csv_text(("id", "text"), [(1, 'a "b", c')])
    'id,text\n1,"a ""b"", c"\n'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([list(head), *rows])
    return text.getvalue()
