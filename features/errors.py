"""Errors meant for people: one line that says what is wrong and what to do next.

The commands print such an error without a traceback and exit with code 1. Every other exception is a bug.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["DamagedFile", "MissingFile", "SettingError", "StaleFile", "UserError", "choose", "did_you_mean", "require"]


class UserError(Exception):
    """Something the user can repair; the message names it and the repair."""


class SettingError(UserError):
    """A key or value of params.yaml or of the command line is unknown, of a wrong type or out of range."""


class MissingFile(UserError):
    """A file that an earlier stage or the user must provide is not there."""


class DamagedFile(UserError):
    """A file is there but is not what its name says: cut short, changed, or of another format."""


class StaleFile(UserError):
    """A file is whole but was made from other settings, another manifest or another network."""


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Says which allowed name is nearest to `name`.

    Args:
        name: what was asked for.
        allowed: the names that exist.

    Returns:
        `" (did you mean 'x'?)"`, or the list of all allowed names when none is near; starts with a blank.

    >>> did_you_mean("emojy", ["emoji", "pascal"])
    " (did you mean 'emoji'?)"
    """
    names = sorted(str(each) for each in allowed)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f" (did you mean {near[0]!r}?)"
    shown = (each if each.isprintable() else repr(each) for each in names)  # names from files may hold line breaks
    return f" (there are: {', '.join(shown)})" if names else " (there are none)"


def choose(key: str, value: object, allowed: Iterable[str]) -> str:
    """Checks that a setting is one of the allowed words.

    Args:
        key: the setting's full name, for the message.
        value: what was given.
        allowed: the words it may be.

    Returns:
        The value, unchanged.

    Raises:
        SettingError: the value is not among them; names the key, the value and the nearest word.
    """
    words = list(allowed)
    if not isinstance(value, str) or value not in words:
        raise SettingError(f"{key}: {value!r} is not known{did_you_mean(str(value), words)}")
    return value


def require(condition: bool, message: str) -> None:
    """Raises a `SettingError` with this message unless the condition holds.

    Args:
        condition: what must be true.
        message: names the key, the value and what is allowed.

    Raises:
        SettingError: the condition is false.
    """
    if not condition:
        raise SettingError(message)
