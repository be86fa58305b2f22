"""From a text to its tokens: words, or character n-grams for scripts that put no spaces between words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Tokenizer"]

# Vowel signs and accents are part of a word, but `\w` leaves them out. Variation selectors, of emoji, are not.
_MARKS = "".join(
    chr(code)
    for code in range(0x300, 0x1E960)
    if unicodedata.category(chr(code)) in ("Mn", "Mc") and not 0xFE00 <= code <= 0xFE0F
)
_LETTER = re.compile(rf"\w[{_MARKS}]*")
_WORD = re.compile(rf"\w[\w{_MARKS}]*(?:['’]\w[\w{_MARKS}]*)*")


@dataclass(frozen=True)
class Tokenizer:
    """Splits texts in any script that Unicode knows; the same for training, encoding and queries.

    With `words`: lower-case words; a possessive ending is cut off, as word-vector vocabularies have it apart.
    With `characters`: at each letter, its runs of 1 to `ngram` letters, shorter ones first; no run goes beyond a blank
    or a sign. So a query of one letter finds its vector, and a pair that no text had still has its two letters. Accents
    and vowel signs stay with their letter; full-width and half-width forms are one.

    >>> list(Tokenizer()("Santa Claus’s face, red_hat"))
    ['santa', 'claus', 'face', 'red', 'hat']
    >>> list(Tokenizer("characters", 2)("红狐狸。"))
    ['红', '红狐', '狐', '狐狸', '狸']
    """

    kind: str = "words"
    """`words` or `characters`"""
    ngram: int = 2
    """with `characters`: letters of the longest token"""

    def __call__(self, text: str) -> Iterator[str]:
        """Splits a text.

        Args:
            text: any text; underscores part words.

        Returns:
            Its tokens in order, found as they are taken: the start of a long text costs little.
        """
        return _ngrams(text, self.ngram) if self.kind == "characters" else _words(text)


def _words(text: str) -> Iterator[str]:
    plain = unicodedata.normalize("NFC", text).lower().replace("_", " ").replace("’", "'")
    for found in _WORD.finditer(plain):
        yield found[0].removesuffix("'s")


def _ngrams(text: str, longest: int) -> Iterator[str]:
    plain = unicodedata.normalize("NFKC", text).lower().replace("_", " ")
    letters: list[str] = []  # neighbours whose n-grams are not told yet
    end = 0
    for found in _LETTER.finditer(plain):
        while letters and (found.start() != end or len(letters) == longest):
            yield from _prefixes(letters)
            del letters[0]
        letters.append(found[0])
        end = found.end()
    while letters:
        yield from _prefixes(letters)
        del letters[0]


def _prefixes(letters: list[str]) -> Iterator[str]:
    for count in range(1, len(letters) + 1):
        yield "".join(letters[:count])
