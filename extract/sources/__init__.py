"""One file a data set's public layout; each writes a manifest. To add a source: a module, and its line in `SOURCES`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from drsl.features.errors import choose

if TYPE_CHECKING:
    from drsl.extract.sources.placing import Found
    from drsl.extract.sources.public_layout import PublicLayout

__all__ = ["SOURCES", "load_layout", "load_source"]

SOURCES = {
    "emoji": ("drsl.extract.sources.emoji", "EmojiConfig", "write_emoji", "ATTRIBUTION"),
    "wikipedia": ("drsl.extract.sources.wikipedia", "PublicConfig", "write_wikipedia", "ATTRIBUTION"),
    "pascal": ("drsl.extract.sources.pascal", "PascalConfig", "write_pascal", "ATTRIBUTION"),
    "nuswide10k": ("drsl.extract.sources.nuswide10k", "NusWideConfig", "write_nuswide10k", "ATTRIBUTION"),
    "xmedianet": ("drsl.extract.sources.xmedianet", "PublicConfig", "write_xmedianet", "ATTRIBUTION"),
    "folder": ("drsl.extract.sources.folder", "OwnDataConfig", "write_folder", "ATTRIBUTION"),
    "manifest": ("drsl.extract.sources.manifest_file", "OwnDataConfig", "write_manifest_file", "ATTRIBUTION"),
}
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


def load_layout(name: str) -> tuple[PublicLayout, Callable[[Any], list[Found]]] | None:
    """What a source says of its files, and the function that reads them without placing pictures.

    Args:
        name: a key of `SOURCES`.

    Returns:
        The layout and `read_items(config) -> what it finds`; None for a source without published files.

    Raises:
        SettingError: the name is unknown.
    """
    module = importlib.import_module(SOURCES[choose("source", name, SOURCES)][0])
    return (module.LAYOUT, module.read_items) if hasattr(module, "LAYOUT") else None
