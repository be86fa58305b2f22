"""Encodes into blocks that survive the process: a run that was stopped goes on with the first row that is not kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from drsl.extract.contents import Contents
from drsl.extract.encoder import Encoder
from drsl.features.blocks import Blocks
from drsl.features.digest import fingerprint
from drsl.features.errors import UserError
from drsl.features.stopping import Stopped

__all__ = ["encode_missing", "open_blocks"]

_SEAL_SECONDS = 10.0
"""A block is sealed when it took so long: that much work is lost at most by a kill."""
_SEAL_BYTES = 1 << 26
"""A block is sealed when it has become so large, however quick that was."""


def open_blocks(encoder: Encoder, features_fingerprint: str, contents: Contents, total: int, work: Path) -> Blocks:
    """The blocks that an earlier run of the same work has left.

    Args:
        encoder: the network.
        features_fingerprint: of the network and the manifest.
        contents: the raw content of all items; blocks of image files that have changed since are not used.
        total: number of rows to encode.
        work: the folder of the blocks.

    Returns:
        Rows of a feature and a predicted class.

    Raises:
        UserError: the folder cannot be read.
    """
    recipe = {
        "features": features_fingerprint,
        "contents": contents.stamp(),
        "batch": encoder.batch,
        "device": encoder.device,
        "precision": encoder.precision.name,
        "torch": torch.__version__,
    }
    dtype = np.dtype([("feature", "<f4", (encoder.dim,)), ("predicted", "<i8")])
    try:
        return Blocks(work, fingerprint(recipe), dtype, total, encoder.batch)
    except OSError as error:
        raise UserError(f"cannot read {work}: {error.strerror}: remove this folder, then run this again") from error


def encode_missing(
    encoder: Encoder,
    contents: Sequence[Any],
    blocks: Blocks,
    stop: Callable[[], int],
    tell: Callable[[int, str], None],
    name: Callable[[int], str],
) -> None:
    """Encodes the rows that are in no block yet, in the batches that an uninterrupted run makes.

    Args:
        encoder: the network.
        contents: the raw content of each row.
        blocks: takes the rows.
        stop: gives the number of a signal that asked to stop, or 0.
        tell: called with the number of rows that are there, and a word.
        name: the id of a row, for messages.

    Raises:
        UserError: a content cannot be read, a feature is not finite, or a block cannot be written.
        Stopped: a signal came; all rows that were encoded are kept.
        ValueError: the encoder gives too few rows.
    """
    done = len(blocks)
    if done:
        tell(done, "going on")
    for start, end in blocks.missing():
        waiting: list[np.ndarray] = []
        place, sealed = start, time.monotonic()
        for feature, predicted in encoder.encode(contents[start:end]):
            finite = np.isfinite(feature).all(axis=1)
            if not finite.all():
                bad = name(place + int(np.flatnonzero(~finite)[0]))
                raise UserError(f"the feature of {bad!r} is not finite: the network is broken, finetune again")
            rows = np.empty(len(feature), blocks.dtype)
            rows["feature"], rows["predicted"] = feature, predicted
            waiting.append(rows)
            place += len(rows)
            done += len(rows)
            tell(done, "")
            size = sum(len(each) for each in waiting)
            late = size * blocks.dtype.itemsize >= _SEAL_BYTES or time.monotonic() - sealed >= _SEAL_SECONDS
            if place == end or (place % encoder.batch == 0 and (late or stop())):
                blocks.add(place - size, np.concatenate(waiting))
                waiting, sealed = [], time.monotonic()
                if stop():
                    kept = f"{len(blocks):,} of {len(contents):,} different {encoder.modality}s are encoded and kept"
                    raise Stopped(stop(), f"{kept}; run the same command again to go on")
        if place != end:
            raise ValueError(f"the encoder gave {place - start} rows for {end - start} items")
