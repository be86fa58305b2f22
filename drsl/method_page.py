"""docs/methods.md: each method, where it comes from, and its settings."""

from __future__ import annotations

from typing import Any

from drsl.train import method_names
from drsl.train.methods.describe import About, describe

__all__ = ["method_page"]


def method_page() -> str:
    """Writes the page from the methods' own docstrings.

    Returns:
        Markdown with a heading a method; its first paragraph says what it is and where it comes from.
    """
    head = (
        "# Methods\n\nMade by `drsl methods --markdown` from the methods' own docstrings. "
        "`drsl methods NAME -d DATASET` shows one with its values on a data set.\n"
    )
    return head + "".join(_section(describe(name)) for name in method_names())


def _section(about: About) -> str:
    seeds = "Seeds matter." if about.stochastic else "Nothing in it is random: one run says all."
    needs = "".join(f" Needs {modality} {kind} (`drsl encode`)." for modality, kind in about.parts.items())
    source = "" if about.source in about.line else f" {about.source}"
    rows = "".join(f"| `{each.name}` | {_cell(each.default)} | {_text(each.meaning)} |\n" for each in about.settings)
    table = f"\n| setting | default | meaning |\n| --- | --- | --- |\n{rows}" if rows else ""
    return f"\n## {about.name}\n\n{about.line}{source}\n\n{seeds}{needs}\n{table}"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "–" if value is None else _text(str(value))


def _text(words: str) -> str:
    return words.replace("|", "\\|")
