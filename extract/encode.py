"""Runs a trained network over every item of a manifest and writes the feature file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from drsl.extract.duplicates import first_alike, spread
from drsl.extract.encoder import Encoder
from drsl.features.digest import fingerprint
from drsl.features.errors import UserError
from drsl.features.manifest import SPLITS, Item, Manifest
from drsl.features.store import open_feature_writer

__all__ = ["Accuracy", "contents_of", "encode_items", "features_fingerprint", "labels_of"]


@dataclass(frozen=True)
class Accuracy:
    """Share of items that the network's classifier gets right, by split; NaN for an empty split."""

    train: float
    """on training items (without augmentation)"""
    val: float
    """on val items"""
    test: float
    """on test items"""


def contents_of(manifest: Manifest, items: Sequence[Item], modality: str) -> list[Any]:
    """The raw content of items: image files or texts.

    Args:
        manifest: says where image files are.
        items: the items wanted.
        modality: `image` or `text`.

    Returns:
        Paths, or texts, in order.

    Raises:
        UserError: an image file is missing, or lies outside the data set's folder.
    """
    if modality == "text":
        return [item.text for item in items]
    paths = []
    for item in items:
        if not manifest.holds(item):
            raise UserError(f"image of {item.id!r} lies outside {manifest.folder}: {item.image}")
        paths.append(manifest.image_path(item))
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(paths)} images are missing, the first is {missing[0]}: "
            f"`drsl data check -d {manifest.folder.name}` lists them"
        )
    return paths


def features_fingerprint(network_fingerprint: str, manifest_digest: str) -> str:
    """The fingerprint that the features of a network carry.

    Args:
        network_fingerprint: of the network's file.
        manifest_digest: of the manifest that was encoded.

    Returns:
        64 hexadecimal digits.
    """
    return fingerprint({"stage": "encode", "network": network_fingerprint, "manifest": manifest_digest})


def labels_of(manifest: Manifest, items: Sequence[Item]) -> np.ndarray:
    """Class numbers of items.

    Args:
        manifest: names the classes.
        items: the items wanted.

    Returns:
        (n,) int64, index into `manifest.classes`.
    """
    number = {name: place for place, name in enumerate(manifest.classes)}
    return np.array([number[item.label] for item in items], dtype=np.int64)


def encode_items(
    encoder: Encoder,
    about: dict[str, Any],
    manifest: Manifest,
    out: Path,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Accuracy:
    """Writes the feature file of one modality, in the manifest's order; the same bytes are encoded once.

    Args:
        encoder: the trained network.
        about: the network file's description; what made the features.
        manifest: all items; those without this modality get no row.
        out: the feature file to make.
        on_progress: called with (items done, items in all, "").

    Returns:
        The classifier's accuracy on each split.

    Raises:
        UserError: an image cannot be read, a feature is not finite, or the file cannot be written.
    """
    items = manifest.of(encoder.modality)
    contents = contents_of(manifest, items, encoder.modality)
    label = labels_of(manifest, items)
    split = np.array([SPLITS.index(item.split) for item in items], dtype=np.uint8)
    made = {key: value for key, value in about.items() if key not in ("vocabulary", "classes")}
    attrs = {
        "dataset": manifest.folder.name,
        "modality": encoder.modality,
        "encoder": json.dumps(made, sort_keys=True, ensure_ascii=False),
        "manifest_digest": manifest.digest,
        "fingerprint": features_fingerprint(about["fingerprint"], manifest.digest),
    }
    right = np.zeros(len(items), dtype=bool)
    done = 0
    ids = [item.id for item in items]
    with open_feature_writer(
        out, id=ids, label=label, split=split, classes=manifest.classes, dim=encoder.dim, attrs=attrs
    ) as writer:
        first = first_alike(contents)
        once = [contents[place] for place, like in enumerate(first) if like == place]
        for feature, predicted in spread(first, encoder.encode(once)):
            finite = np.isfinite(feature).all(axis=1)
            if not finite.all():
                bad = ids[done + int(np.flatnonzero(~finite)[0])]
                raise UserError(f"the feature of {bad!r} is not finite: the network is broken, finetune again")
            writer.append(feature)
            right[done : done + len(feature)] = predicted == label[done : done + len(feature)]
            done += len(feature)
            if on_progress:
                on_progress(done, len(items), "")
    shares = [float(right[split == code].mean()) if (split == code).any() else float("nan") for code in range(3)]
    return Accuracy(*shares)
