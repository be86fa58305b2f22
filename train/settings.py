"""A method's settings: a frozen dataclass made from names and values as people write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from drsl.features.errors import SettingError, did_you_mean, require

__all__ = ["make_settings", "plain_settings"]

Settings = TypeVar("Settings")


def make_settings(config: type[Settings], given: Mapping[str, Any], also: Sequence[str] = ()) -> Settings:
    """Makes a settings object; its own checks run.

    Args:
        config: a dataclass with fields of type bool, int, float, str, `tuple[int, ...]`, `tuple[float, ...]`,
            `tuple[str, ...]` or `tuple[float, float]`.
        given: values by field; what is not given has its default. A list stands for a tuple.
        also: names that are no fields, but known to the caller; only for the hint.

    Returns:
        The settings.

    Raises:
        SettingError: an unknown key (names the nearest), a wrong type or a value out of range.
    """
    known = {each.name for each in fields(config)}  # type: ignore[arg-type]
    for key in given:
        if key not in known:
            raise SettingError(f"setting {key!r} is not known{did_you_mean(str(key), known | {*also})}")
    hints = get_type_hints(config)
    return config(**{key: _typed(key, value, hints[key]) for key, value in given.items()})


def plain_settings(config: Any) -> dict[str, Any]:
    """Settings as JSON has them: lists, not tuples.

    Args:
        config: a dataclass of settings.

    Returns:
        Its fields.
    """
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(config).items()}


def _typed(key: str, value: Any, hint: Any) -> Any:
    if get_origin(hint) is tuple:
        inner, length = get_args(hint)[0], len(get_args(hint)) if Ellipsis not in get_args(hint) else None
        plural = {int: "whole numbers", float: "numbers", str: "words"}[inner]
        wanted = plural if length is None else f"two {plural}"
        require(isinstance(value, list | tuple), f"{key}: {value!r} must be a list of {wanted}")
        require(
            all(_fits(each, inner) for each in value) and (length is None or len(value) == length),
            f"{key}: {list(value)!r} must be {wanted}",
        )
        return tuple(inner(each) for each in value)
    wanted = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}[hint]
    require(_fits(value, hint), f"{key}: {value!r} must be {wanted}")
    return hint(value)


def _fits(value: Any, hint: type) -> bool:
    if hint is bool or hint is str:
        return isinstance(value, hint)
    return isinstance(value, int if hint is int else int | float) and not isinstance(value, bool)
