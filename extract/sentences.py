"""Splits a text into sentences, in any script, by its punctuation."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["split_sentences"]

# These end a sentence wherever they stand: nobody writes them inside of numbers or names.
_ALWAYS = "。｡！？؟۔।॥።។။"
# These do when a blank follows, so that 3.5 and www.example.org stay whole.
_BEFORE_BLANK = ".!?…"
_CLOSING = "\"'”’»)\\]」』）】》〉"
_MARKS = re.compile(rf"[{_ALWAYS}{_BEFORE_BLANK}]+[{_CLOSING}]*")


def split_sentences(text: str, most: int) -> list[str]:
    r"""Splits a text at the ends of lines, and behind full stops, exclamation and question marks of any script.

    A simple rule: an abbreviation before a blank ends a sentence too. Pieces without a letter or digit are left out.

    Args:
        text: any text.
        most: number of sentences at most; what is left after the last but one counts as one sentence.

    Returns:
        At least one sentence: the whole text, where there is no letter or digit in it.

    >>> split_sentences("A cat sat. It weighs 3.5 kg! (So what?) Two\nlines...", 10)
    ['A cat sat.', 'It weighs 3.5 kg!', '(So what?)', 'Two', 'lines...']
    >>> split_sentences("One. Two. Three. Four.", 3)
    ['One.', 'Two.', 'Three. Four.']
    """
    pieces = (found.strip() for line in text.splitlines() for found in _of_line(line))
    sentences = [piece for piece in pieces if any(letter.isalnum() for letter in piece)] or [text]
    if len(sentences) > most:
        sentences[most - 1 :] = [" ".join(sentences[most - 1 :])]
    return sentences


def _of_line(line: str) -> Iterator[str]:
    start = 0
    for marks in _MARKS.finditer(line):
        stop = marks.end()
        if stop == len(line) or line[stop].isspace() or not set(_ALWAYS).isdisjoint(marks[0]):
            yield line[start:stop]
            start = stop
    yield line[start:]
