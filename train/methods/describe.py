"""What a method says of itself: its docstrings, and its settings with their meaning."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from dataclasses import MISSING, dataclass, fields
from typing import Any

from drsl.train.methods import method_class
from drsl.train.settings import plain_settings

__all__ = ["About", "Setting", "describe"]


@dataclass(frozen=True)
class Setting:
    """One setting of a method."""

    name: str
    """its key in params.yaml"""
    meaning: str
    """what its docstring says"""
    default: Any
    """its value when nothing is said, as JSON has it; None where it must be given"""


@dataclass(frozen=True)
class About:
    """A method as people want to know it."""

    name: str
    """as `-m` takes it"""
    line: str
    """what it is, in a line"""
    source: str
    """where it comes from: the first paragraph of its file"""
    stochastic: bool
    """whether seeds matter; otherwise one run says all"""
    parts: dict[str, str]
    """modality to the kind of parts of items it needs; empty for most"""
    settings: tuple[Setting, ...]
    """all that can be set"""


def describe(name: str) -> About:
    """Reads a method's docstrings and settings.

    Args:
        name: one of `method_names()`.

    Returns:
        What they say.

    Raises:
        SettingError: the name is unknown; the nearest is named.
    """
    kind = method_class(name)
    config = getattr(kind, "config_type", None) or type(kind().config)  # type: ignore[attr-defined]
    defaults = plain_settings(config()) if _complete(config) else kind().settings
    meanings = _meanings(config)
    settings = [Setting(each.name, meanings.get(each.name, ""), defaults.get(each.name)) for each in fields(config)]
    if "fusion" in vars(kind):  # DRSL's own: the fusion is the method
        preset = Setting("preset", "`paper`, or `released`: as the published code does", "paper")
        settings = [preset, *(each for each in settings if each.name != "fusion")]
    return About(
        name=name,
        line=_first(inspect.getdoc(kind), "\n"),
        source=_first(sys.modules[kind.__module__].__doc__, "\n\n"),
        stochastic=kind.stochastic,
        parts=dict(kind.parts),
        settings=tuple(settings),
    )


def _complete(config: type) -> bool:
    """Whether each field has a default."""
    return all(each.default is not MISSING or each.default_factory is not MISSING for each in fields(config))


def _first(text: str | None, end: str) -> str:
    return " ".join((text or "").strip().split(end)[0].split())


def _meanings(config: type) -> dict[str, str]:
    """The text after each field; a field that is only given another default keeps the meaning of the class below."""
    found: dict[str, str] = {}
    for each in reversed(config.__mro__[:-1]):
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(each))).body
        assert isinstance(body, ast.ClassDef)
        for node, after in zip(body.body, body.body[1:], strict=False):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                text = (
                    after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
                )
                if isinstance(text, str) and text:
                    found[node.target.id] = " ".join(text.split())
    return found
