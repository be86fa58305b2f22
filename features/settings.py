"""Settings as files store them: a value at its default is left out, so that a new setting makes no old file stale."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

__all__ = ["from_stored", "to_stored"]

Config = TypeVar("Config")


def to_stored(config: Any) -> dict[str, Any]:
    """A settings object as JSON, the same whether a default was written in params.yaml or left out.

    Args:
        config: a frozen dataclass; its values are words, numbers, booleans, tuples of these, or such dataclasses.

    Returns:
        Its fields, without those that have a default and are at it.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Config:
    ...     windows: tuple[int, ...]
    ...     tokens: str = "words"
    >>> to_stored(Config((3, 4)))
    {'windows': [3, 4]}
    >>> to_stored(Config((3, 4), "characters"))
    {'windows': [3, 4], 'tokens': 'characters'}
    """
    stored: dict[str, Any] = {}
    for field in fields(config):
        value = getattr(config, field.name)
        if field.default is MISSING or value != field.default:
            nested = to_stored(value) if is_dataclass(value) else value
            stored[field.name] = list(nested) if isinstance(nested, tuple) else nested
    return stored


def from_stored(config: type[Config], stored: Mapping[str, Any]) -> Config:
    """The settings object that a stored form came from.

    Args:
        config: the dataclass.
        stored: what `to_stored` gave, as JSON; fields left out take their default.

    Returns:
        The object.

    Raises:
        TypeError: a field is unknown, or one without a default is missing.
    """
    hints = typing.get_type_hints(config)
    values: dict[str, Any] = {}
    for name, value in stored.items():
        hint = hints.get(name)
        if isinstance(value, Mapping) and is_dataclass(hint):
            values[name] = from_stored(typing.cast(type, hint), value)
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return config(**values)
