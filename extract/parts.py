"""From a trained network to a parts file: what every kind of parts has in common."""

from __future__ import annotations

import importlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from drsl.extract.contents import contents_of
from drsl.extract.parts_config import PartsConfig
from drsl.features.digest import fingerprint
from drsl.features.errors import choose
from drsl.features.manifest import MODALITIES, Manifest
from drsl.features.parts import KINDS, open_parts_writer

__all__ = ["PartsEncoder", "encode_parts", "parts_encoder"]


class PartsEncoder(ABC):
    """Takes items apart with a trained network."""

    kind: ClassVar[str]
    shape: tuple[int, ...]
    """of the parts of one item: (p, k), or (p,) for word ids"""
    settings: dict[str, Any]
    """what determines the parts beside the network, JSON-able"""
    words: tuple[str, ...] = ()
    """for word ids: words with a vector, word k has id k + 1"""
    vectors: np.ndarray | None = None
    """for word ids: (1 + words, k) float32, row 0 zeros"""

    @abstractmethod
    def encode(
        self, contents: Sequence[Any], size: int | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Takes items apart.

        Args:
            contents: paths of image files, or texts; n of them.
            size: items at a time; None for as many as the network encodes at a time.

        Yields:
            Parts (b, p, k) float32 and which of them are there (b, p) bool, in order; (b, p) integers and None for
            word ids, and None where no part can be missing.
        """


def parts_encoder(modality: str, kind: str) -> Callable[[Any, PartsConfig], PartsEncoder]:
    """Imports what takes items apart.

    Args:
        modality: `image` or `text`.
        kind: `grid` or `patches` of images, `words` or `sentences` of texts.

    Returns:
        Makes the parts' encoder from the trained network of that modality and settings.

    Raises:
        SettingError: the modality or the kind is unknown, or the kind is one of the other modality.
    """
    choose("modality", modality, MODALITIES)
    choose(f"parts of {modality}s", kind, [name for name, about in KINDS.items() if about.modality == modality])
    module = importlib.import_module(f"drsl.extract.parts_{kind}")
    found: type[PartsEncoder] = getattr(module, f"{kind.capitalize()}Parts")
    return found


def encode_parts(
    parts: PartsEncoder,
    about: dict[str, Any],
    manifest: Manifest,
    out: Path,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> float:
    """Writes a parts file: the items of a modality, in the manifest's order, as in the feature file.

    Args:
        parts: takes items apart.
        about: the network file's description.
        manifest: all items; those without this modality get no row.
        out: the parts file to make.
        on_progress: called with (items done, items in all, "").

    Returns:
        Items a second.

    Raises:
        UserError: an image cannot be read, a value is not finite or too large, or the file cannot be written.
    """
    start, modality = time.perf_counter(), KINDS[parts.kind].modality
    items = manifest.of(modality)
    contents = contents_of(manifest, items, modality)
    recipe = {"kind": parts.kind, "settings": parts.settings, "manifest": manifest.digest}
    made = {key: value for key, value in about.items() if key not in ("vocabulary", "classes")}
    attrs = {
        "dataset": manifest.folder.name,
        "modality": modality,
        "settings": json.dumps(parts.settings, sort_keys=True),
        "encoder": json.dumps(made, sort_keys=True, ensure_ascii=False),
        "manifest_digest": manifest.digest,
        "fingerprint": fingerprint({"stage": "encode-parts", "network": about["fingerprint"], **recipe}),
    }
    with open_parts_writer(
        out,
        parts.kind,
        id=[item.id for item in items],
        label=manifest.labels(modality),
        split=manifest.columns.split[manifest.columns.rows(modality)],
        classes=manifest.classes,
        shape=parts.shape,
        attrs=attrs,
        words=parts.words,
        vectors=parts.vectors,
    ) as writer:
        done = 0
        for part, mask in parts.encode(contents):
            writer.append(part, mask)
            done += len(part)
            if on_progress:
                on_progress(done, len(items), "")
    return len(items) / (time.perf_counter() - start)
