"""Texts of several lines, as five captions of one picture: read as one text, or line by line."""

from __future__ import annotations

__all__ = ["lines_of"]

_MOST = 100
"""Lines of a text that count; a limit to what one text can take of memory."""


def lines_of(text: str, captions: str) -> list[str]:
    r"""The parts of a text that are read on their own.

    Args:
        text: any text.
        captions: `join` (newlines are blanks) or `mean` (every line is a text).

    Returns:
        One or more parts; with `mean` the first 100 lines that are not blank, or one empty text.

    >>> lines_of("a dog\n\na brown dog", "mean")
    ['a dog', 'a brown dog']
    """
    if captions == "join":
        return [text]
    return [line for line in text.split("\n") if line.strip()][:_MOST] or [""]
