"""Refuses files that were made from something else than what the settings say now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drsl.features.digest import differences
from drsl.features.errors import StaleFile
from drsl.features.store import Features

if TYPE_CHECKING:
    from drsl.features.parts import Parts

__all__ = ["encoder_of", "require_fresh", "require_pairable", "require_parts_of", "settings_of"]


def require_fresh(name: str, made: Mapping[str, Any], asked: Mapping[str, Any], repair: str) -> None:
    """Compares the recipe stored in a file with the one asked for.

    Args:
        name: the file, as people type it.
        made: the stored recipe; keys that `asked` lacks are not compared.
        asked: what the present settings and files give.
        repair: the command that makes the file again.

    Raises:
        StaleFile: something differs; the message names it and the repair.
    """
    found = differences({key: made.get(key) for key in asked}, asked)
    if found:
        raise StaleFile(f"{name} is stale: {'; '.join(found)}. Run `{repair}`")


def encoder_of(features: Features | Parts) -> dict[str, Any]:
    """What made a feature or parts file: the `encoder` attribute as a mapping.

    Args:
        features: rows read from a file.

    Returns:
        The decoded JSON; empty when the attribute is absent or not JSON.
    """
    return _mapping(features, "encoder")


def settings_of(parts: Parts) -> dict[str, Any]:
    """How items were taken apart: the `settings` attribute as a mapping.

    Args:
        parts: an open parts file.

    Returns:
        The decoded JSON; empty when the attribute is absent or not JSON.
    """
    return _mapping(parts, "settings")


def _mapping(found: Features | Parts, key: str) -> dict[str, Any]:
    try:
        content = json.loads(str(found.attrs.get(key, "{}")))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def require_pairable(image_path: Path, image: Features, text_path: Path, text: Features) -> None:
    """Checks that image and text features come from one manifest; their numbers of rows may differ.

    Args:
        image_path: the image feature file, for the message.
        image: its rows.
        text_path: the text feature file, for the message.
        text: its rows.

    Raises:
        StaleFile: manifests or classes differ, or an id that is in both has two labels or two splits.
    """
    before, after = image.attrs.get("manifest_digest"), text.attrs.get("manifest_digest")
    if before != after or image.classes != text.classes:
        what = "class names" if before == after else "manifests"
        raise StaleFile(
            f"{image_path} and {text_path} were made from different {what}: make both again with "
            f"`drsl encode image -d {image_path.parent.name}` and `drsl encode text -d {image_path.parent.name}`"
        )
    known = dict(zip(image.id, zip(image.label.tolist(), image.split.tolist(), strict=True), strict=True))
    for each, label, split in zip(text.id, text.label.tolist(), text.split.tolist(), strict=True):
        if known.get(each, (label, split)) != (label, split):
            raise StaleFile(
                f"{each!r} has another label or split in {image_path} than in {text_path}: make both again with "
                f"`drsl encode image -d {image_path.parent.name}` and `drsl encode text -d {image_path.parent.name}`"
            )


def require_parts_of(features_path: Path, features: Features, parts_path: Path, parts: Parts) -> None:
    """Checks that row i of a parts file belongs to row i of a feature file, and that one network made both.

    Args:
        features_path: the feature file, for the message.
        features: its rows.
        parts_path: the parts file, for the message.
        parts: it, open.

    Raises:
        StaleFile: manifests, ids, classes, labels, splits or networks differ; names what differs and the repair.
    """
    modality, kind, dataset = parts_path.name.partition(".")[0], parts.kind, parts_path.parent.name
    repair = f"drsl encode {modality} --parts {kind} -d {dataset}"
    made = {"manifest": parts.attrs.get("manifest_digest"), **encoder_of(parts)}
    asked = {"manifest": features.attrs.get("manifest_digest"), **encoder_of(features)}
    require_fresh(str(parts_path), made, {**dict.fromkeys(made), **asked}, repair)
    same = features.classes == parts.classes and all(
        np.array_equal(getattr(features, name), getattr(parts, name)) for name in ("id", "label", "split")
    )
    if not same:
        raise StaleFile(f"{parts_path} has other items than {features_path}: run `{repair}`")
