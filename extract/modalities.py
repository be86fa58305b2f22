"""The two modalities' settings, builders and encoders, imported when asked for.

Imported by name, so that a change of the text network's files does not make the image network's results stale.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drsl.extract.encoder import Encoder
from drsl.features.errors import choose
from drsl.features.manifest import MODALITIES

__all__ = ["ModalityParts", "load_modality"]


@dataclass(frozen=True)
class ModalityParts:
    """What a modality brings to the common stages."""

    config: type[Any]
    """its settings class"""
    build: Callable[..., Encoder]
    """`(config, manifest, root, work, say, device, on_bytes) -> encoder` before training"""
    load: Callable[..., tuple[Encoder, dict[str, Any]]]
    """`(path, device) -> encoder, description` after training"""


def load_modality(name: str) -> ModalityParts:
    """Imports the parts of one modality.

    Args:
        name: `image` or `text`.

    Returns:
        Its parts.

    Raises:
        SettingError: the name is unknown.
    """
    choose("modality", name, MODALITIES)
    config, build, encoder = (
        importlib.import_module(f"drsl.extract.{name}_{part}") for part in ("config", "build", "encoder")
    )
    title = name.capitalize()
    return ModalityParts(
        config=getattr(config, f"{title}Config"),
        build=getattr(build, f"build_{name}_encoder"),
        load=getattr(encoder, f"{title}Encoder").load,
    )
