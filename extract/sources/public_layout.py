"""What the folder of a public data set looks like as published: for a reader's errors and for `drsl data check`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from drsl.extract.sources.placing import check_reject_fraction
from drsl.features.errors import DamagedFile, MissingFile, require
from drsl.features.manifest import SPLITS, Item

__all__ = ["Part", "PublicConfig", "PublicLayout", "read_lines", "reason_of", "text_of"]

_UNPRINTABLE = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class PublicConfig:
    """Where a public data set's files are, and its random part."""

    path: str
    """folder of the files as published, from the project's folder"""
    seed: int
    """seed of the random part of the split"""
    max_reject_fraction: float
    """share of items that may be unusable before preparing stops"""

    def __post_init__(self) -> None:
        require(bool(self.path), "path: name the folder of the published files")
        require(self.seed >= 0, f"seed: {self.seed} must be 0 or more")
        check_reject_fraction(self.max_reject_fraction)


@dataclass(frozen=True)
class Part:
    """A file or folder that a data set consists of."""

    places: tuple[str, ...]
    """where it may lie in the data set's folder, `/` at the end of a folder's name; the first is the usual place"""
    holds: str
    """what it holds, in a few words"""
    needed: bool = True
    """whether the data set cannot be read without it"""

    @property
    def name(self) -> str:
        """Its usual place."""
        return self.places[0]

    def find(self, root: Path) -> Path | None:
        """Looks for it.

        Args:
            root: the folder of the data set's published files.

        Returns:
            The first of its places that is there as a file or folder, whichever it should be.
        """
        for place in self.places:
            path = root / place
            if path.is_dir() if place.endswith("/") else path.is_file():
                return path
        return None


@dataclass(frozen=True)
class PublicLayout:
    """How a data set's files are published, and how many pairs the paper has in each split."""

    title: str
    """name, authors and year"""
    published: tuple[str, ...]
    """where the original is published: addresses, or a word on how to ask for it"""
    terms: str
    """what is known of its licence, one sentence"""
    tree: str
    """a drawing of the folder"""
    parts: tuple[Part, ...]
    """what the folder must hold, in the drawing's order"""
    counts: Mapping[str, int]
    """pairs in each split, as in the paper"""

    def part(self, name: str) -> Part:
        """One part by its usual place.

        Args:
            name: the first of its places.

        Returns:
            The part.
        """
        return next(each for each in self.parts if each.name == name)

    def require(self, root: Path, name: str) -> Path:
        """Finds a part that cannot be missing.

        Args:
            root: the folder of the data set's published files.
            name: the part's usual place.

        Returns:
            Its path.

        Raises:
            MissingFile: it is not there; says what it holds and how to see what the folder must look like.
        """
        part = self.part(name)
        found = part.find(root)
        if found is None:
            raise MissingFile(
                f"{root / name} is not there ({part.holds}): `drsl data check -d NAME` says what the folder must look "
                "like and where the original is published"
            )
        return found

    def differences(self, items: Iterable[Item]) -> list[str]:
        """Compares the splits of a manifest with the paper's.

        Args:
            items: the items; captions of one image count as one pair.

        Returns:
            One text a split that differs, e.g. `"val 230, in the paper 231"`; empty when all are the paper's.
        """
        count = Counter(item.split for item in items if item.image)
        return [
            f"{split} {count[split]}, in the paper {self.counts[split]}"
            for split in SPLITS
            if count[split] != self.counts[split]
        ]


def text_of(content: bytes) -> str:
    """Decodes the bytes of a text that is to go into a manifest.

    Args:
        content: UTF-8, with or without a byte-order mark; bytes that are not are taken as Windows-1252, as web pages
            of the time were written.

    Returns:
        The text without NUL and other control characters; what neither encoding knows is the replacement character.

    >>> text_of(bytes([99, 97, 102, 233]))
    'café'
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    return _UNPRINTABLE.sub("", text)


def read_lines(path: Path) -> list[str]:
    """Reads a list file.

    Args:
        path: the file; blank lines and CRLF line ends are accepted.

    Returns:
        Its lines, stripped, as many as it has: a blank line is an empty text.

    Raises:
        MissingFile: it cannot be read.
        DamagedFile: it is empty, or holds NUL bytes, so that it is no text.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MissingFile(f"{path} cannot be read: {error.strerror}") from error
    if b"\0" in content:
        raise DamagedFile(f"{path} holds NUL bytes, it is no text file: get the original again")
    lines = [line.strip() for line in text_of(content).split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise DamagedFile(f"{path} is empty: get the original again")
    return lines


def reason_of(error: OSError) -> str:
    """Why a file could not be read, as the reason of a reject.

    Args:
        error: what reading it raised.

    Returns:
        A few words without the path.
    """
    return "is not there" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
