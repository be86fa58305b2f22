"""Runs a trained network over every item of a manifest and writes the feature file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from drsl.extract.contents import contents_of
from drsl.extract.duplicates import first_alike
from drsl.extract.encode_blocks import encode_missing, open_blocks
from drsl.extract.encoder import Encoder
from drsl.features.blocks import Blocks
from drsl.features.digest import fingerprint
from drsl.features.manifest import Manifest
from drsl.features.stopping import stop_requests
from drsl.features.store import open_feature_writer

__all__ = ["Accuracy", "encode_items", "features_fingerprint"]

_PIECE = 1 << 24
"""Bytes copied at a time."""


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


def encode_items(
    encoder: Encoder,
    about: dict[str, Any],
    manifest: Manifest,
    out: Path,
    work: Path,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Accuracy:
    """Writes the feature file of one modality, in the manifest's order; the same bytes are encoded once.

    A run that was stopped goes on where it was, and ends with the same bytes: what is encoded is kept in blocks of
    whole batches until the feature file is there.

    Args:
        encoder: the trained network.
        about: the network file's description; what made the features.
        manifest: all items; those without this modality get no row.
        out: the feature file to make.
        work: the folder of the blocks; it holds nothing else.
        on_progress: called with (items done, items in all, ""); first with "going on" when blocks are there already.

    Returns:
        The classifier's accuracy on each split.

    Raises:
        UserError: an image cannot be read, a feature is not finite, or a file cannot be written.
        Stopped: SIGINT or SIGTERM came; what was encoded is kept.
    """
    items = manifest.of(encoder.modality)
    contents = contents_of(manifest, items, encoder.modality)
    label = manifest.labels(encoder.modality)
    split = manifest.columns.split[manifest.columns.rows(encoder.modality)]
    made = {key: value for key, value in about.items() if key not in ("vocabulary", "classes")}
    attrs = {
        "dataset": manifest.folder.name,
        "modality": encoder.modality,
        "encoder": json.dumps(made, sort_keys=True, ensure_ascii=False),
        "manifest_digest": manifest.digest,
        "fingerprint": features_fingerprint(about["fingerprint"], manifest.digest),
    }
    ids = [item.id for item in items]
    right = np.zeros(len(items), dtype=bool)
    columns = {"id": ids, "label": label, "split": split, "classes": manifest.classes, "dim": encoder.dim}
    with stop_requests() as stop, open_feature_writer(out, **columns, attrs=attrs) as writer:
        first = first_alike(contents)
        once = np.flatnonzero(first == np.arange(len(first)))  # the items that the network sees

        def tell(rows: int, word: str = "") -> None:
            if on_progress:
                on_progress(int(once[rows]) if rows < len(once) else len(items), len(items), word)

        blocks = open_blocks(encoder, attrs["fingerprint"], contents, len(once), work)
        encode_missing(encoder, contents.take(once), blocks, stop, tell, name=lambda row: ids[once[row]])
        for part, rows in _pieces(blocks, np.searchsorted(once, first)):
            writer.append(rows["feature"])
            right[part] = rows["predicted"] == label[part]
    blocks.remove()
    shares = [float(right[split == code].mean()) if (split == code).any() else float("nan") for code in range(3)]
    return Accuracy(*shares)


def _pieces(blocks: Blocks, number: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Rows by their numbers, some megabytes at a time."""
    size = max(1, _PIECE // blocks.dtype.itemsize)
    for start in range(0, len(number), size):
        part = slice(start, start + size)
        yield part, blocks.take(number[part])
