"""One file a data set's public layout; each writes a manifest. To add a source: a module, and its line in `SOURCES`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from drsl.features.errors import choose

__all__ = ["SOURCES", "load_source"]

SOURCES = {"emoji": ("drsl.extract.sources.emoji", "EmojiConfig", "write_emoji", "ATTRIBUTION")}
"""Source name to its module, settings class, writing function and notice."""


def load_source(name: str) -> tuple[type[Any], Callable[..., Any], str]:
    """Imports a source when it is asked for.

    Args:
        name: a key of `SOURCES`.

    Returns:
        Its settings class; its function `(folder, config, on_progress) -> items`; and the attribution to show.

    Raises:
        SettingError: the name is unknown.
    """
    module, *names = SOURCES[choose("source", name, SOURCES)]
    found = importlib.import_module(module)
    config, write, notice = (getattr(found, each) for each in names)
    return config, write, notice
