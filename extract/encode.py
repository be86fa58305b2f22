"""Runs a trained network over every item of a manifest and writes the feature file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from drsl.extract.contents import contents_of
from drsl.extract.duplicates import first_alike, spread
from drsl.extract.encoder import Encoder
from drsl.features.digest import fingerprint
from drsl.features.errors import UserError
from drsl.features.manifest import Item, Manifest
from drsl.features.store import open_feature_writer

__all__ = ["Accuracy", "encode_items", "features_fingerprint", "labels_of"]


@dataclass(frozen=True)
class Accuracy:
    """Share of items that the network's classifier gets right, by split; NaN for an empty split."""

    train: float
    """on training items (without augmentation)"""
    val: float
    """on val items"""
    test: float
    """on test items"""


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
    return np.fromiter((number[item.label] for item in items), dtype=np.int64, count=len(items))


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
    split = manifest.columns.split[manifest.columns.rows(encoder.modality)]
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
        once = np.flatnonzero(first == np.arange(len(first)))
        for feature, predicted in spread(first, encoder.encode(contents.take(once))):
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
