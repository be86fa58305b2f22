"""THE CONTRACT between the stages: what a manifest and a feature file are. numpy and h5py only, never torch.

Read first: `read_features` (store.py), `read_manifest` (manifest.py) and, for what items are made of, `open_parts`
(parts.py).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drsl.features.manifest import Item, Manifest, read_manifest, write_manifest
    from drsl.features.parts import Parts, open_parts
    from drsl.features.store import Features, read_features, write_features

__all__ = [
    "Features",
    "Item",
    "Manifest",
    "Parts",
    "open_parts",
    "read_features",
    "read_manifest",
    "write_features",
    "write_manifest",
]

_HOME = {name: "store" if "eatures" in name else "parts" if "arts" in name else "manifest" for name in __all__}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: `drsl --help` needs the errors, not HDF5."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"drsl.features.{_HOME[name]}"), name)
