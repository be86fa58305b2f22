"""Where an array is: `train=FILE[:VAR]` of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from drsl.features.errors import SettingError, choose
from drsl.features.manifest import SPLITS

__all__ = ["Location", "parse_location", "parse_splits"]

_NAME = re.compile(r"[^\W\d][\w.-]*(/[\w.-]+)*|[1-9]\d*")
"""A MATLAB variable, a dataset in groups, or the number of a column."""


@dataclass(frozen=True)
class Location:
    """A file and, where it holds several arrays, the name of one."""

    path: Path
    """the file"""
    variable: str | None = None
    """the array's name or the column's number"""


def parse_location(text: str) -> Location:
    """Reads `FILE[:VAR]`; a colon that belongs to the path, as after a drive's letter, stays in it.

    Args:
        text: what was given.

    Returns:
        Split at the last colon only when a name follows it and the path before it exists.

    >>> parse_location("C:/data/features.mat").path.as_posix()
    'C:/data/features.mat'
    """
    head, colon, tail = text.rpartition(":")
    if colon and not Path(text).exists() and _NAME.fullmatch(tail) and Path(head).is_file():
        return Location(Path(head), tail)
    return Location(Path(text))


def parse_splits(option: str, given: Iterable[str]) -> dict[str, Location]:
    """Reads `train=FILE[:VAR]`, once a split.

    Args:
        option: the option's name, for messages.
        given: what was given.

    Returns:
        Split to location, in the order train, val, test.

    Raises:
        SettingError: not of that form, an unknown split, or a split given twice.
    """
    found: dict[str, Location] = {}
    for each in given:
        split, equals, place = each.partition("=")
        if not equals or not place:
            raise SettingError(f"{option}: {each!r} must be SPLIT=FILE or SPLIT=FILE:VAR, e.g. train=features.mat:I_tr")
        if choose(f"{option}: split", split, SPLITS) in found:
            raise SettingError(f"{option}: {split} is given twice")
        found[split] = parse_location(place)
    return {split: found[split] for split in SPLITS if split in found}
