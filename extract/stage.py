"""The two stages of this room as functions from files to files: fine-tune a network, encode all items."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from drsl.extract.config import FinetuneConfig
from drsl.extract.contents import contents_of
from drsl.extract.encode import Accuracy, encode_items
from drsl.extract.encoder import Encoder
from drsl.extract.finetune import EpochLog, finetune
from drsl.extract.modalities import load_modality
from drsl.features.atomic import write_json, write_text
from drsl.features.csv_text import csv_text
from drsl.features.digest import fingerprint
from drsl.features.freshness import require_fresh
from drsl.features.layout import Layout
from drsl.features.manifest import SPLITS, Manifest

__all__ = ["encode_stage", "finetune_stage", "load_encoder"]

Progress = Callable[[int, int, str], None]


def finetune_stage(
    encoder: Encoder,
    manifest: Manifest,
    config: FinetuneConfig,
    layout: Layout,
    on_progress: Progress | None = None,
) -> list[EpochLog]:
    """Trains an encoder on the train split, selects its epoch on val, writes the network and its log.

    Args:
        encoder: a network from `build_image_encoder` or `build_text_encoder`.
        manifest: items, labels and splits; the test split is not touched.
        config: how to train.
        layout: where files go: `network`, `encoder_log`, and the checkpoint in `work`.
        on_progress: called with (items done, items in all, a word on the last epoch).

    Returns:
        One entry an epoch.

    Raises:
        UserError: an image cannot be read, there are fewer than two training items, the loss is not finite, or a
            file cannot be written.
        Stopped: SIGINT or SIGTERM came; a later run goes on.
    """
    items = manifest.of(encoder.modality, "train", "val")
    split = manifest.columns.split[manifest.columns.rows(encoder.modality, "train", "val")]
    checkpoint = layout.work / f"finetune-{encoder.modality}.pt"
    recipe = {"stage": "finetune", "about": encoder.about(), "manifest": manifest.digest}
    log = finetune(
        encoder,
        encoder.open(contents_of(manifest, items, encoder.modality)),
        manifest.labels(encoder.modality, "train", "val"),
        np.flatnonzero(split == SPLITS.index("train")),
        np.flatnonzero(split == SPLITS.index("val")),
        config,
        checkpoint=checkpoint,
        fingerprint=fingerprint(recipe),
        on_progress=on_progress,
    )
    encoder.save(layout.network(encoder.modality), manifest.digest)
    checkpoint.unlink(missing_ok=True)
    write_text(layout.encoder_log(encoder.modality), _csv(log))
    return log


def load_encoder(
    modality: str,
    layout: Layout,
    settings: Mapping[str, Any] | None = None,
    manifest: Manifest | None = None,
    device: str = "cpu",
) -> tuple[Encoder, dict[str, Any]]:
    """Reads a trained network, and refuses a stale one.

    Args:
        modality: `image` or `text`.
        layout: where the file is.
        settings: what must be stored in the file, e.g. `{"settings": ...}`; None checks nothing.
        manifest: the manifest of now; None checks nothing.
        device: `cpu` or `cuda`.

    Returns:
        The encoder and the file's description.

    Raises:
        UserError: the file is missing, damaged, or made from other settings or another manifest.
    """
    path = layout.network(modality)
    encoder, about = load_modality(modality).load(path, device)
    asked = dict(settings or {})
    if manifest is not None:
        asked["manifest_digest"] = manifest.digest
    require_fresh(layout.show(path), about, asked, f"drsl finetune {modality} -d {layout.dataset}")
    return encoder, about


def encode_stage(
    encoder: Encoder,
    about: dict[str, Any],
    manifest: Manifest,
    layout: Layout,
    on_progress: Progress | None = None,
) -> tuple[Accuracy, float]:
    """Writes the feature file of one modality and the classifier's accuracy on each split.

    Args:
        encoder: a trained network.
        about: its file's description.
        manifest: all items.
        layout: where files go: `features`, `encoder_result`, and what is kept for a later run in `work`.
        on_progress: called with (items done, items in all, a word).

    Returns:
        The accuracies, and items encoded a second.

    Raises:
        UserError: an item cannot be read or a file cannot be written.
        Stopped: SIGINT or SIGTERM came; a later run goes on.
    """
    start, kept = time.perf_counter(), 0

    def tell(done: int, total: int, word: str) -> None:
        nonlocal kept
        kept = done if word else kept
        if on_progress:
            on_progress(done, total, word)

    out, work = layout.features(encoder.modality), layout.work / f"encode-{encoder.modality}"
    accuracy = encode_items(encoder, about, manifest, out, work, tell)
    rate = (len(manifest.of(encoder.modality)) - kept) / (time.perf_counter() - start)
    known = {f"{name}_accuracy": round(value, 6) for name, value in asdict(accuracy).items() if value == value}
    write_json(layout.encoder_result(encoder.modality), known)
    return accuracy, rate


def _csv(log: list[EpochLog]) -> str:
    rows = ([entry.epoch, *(f"{each:.6f}" for each in list(asdict(entry).values())[1:])] for entry in log)
    return csv_text(EpochLog.__dataclass_fields__, rows)
