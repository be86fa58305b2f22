"""The stage of this room as a function from features to files: fit a method, score the test split."""

from __future__ import annotations

import csv
import io
import resource
import sys
import time
from collections.abc import Callable

from drsl.evaluate.scores import open_score_writer
from drsl.features.atomic import write_json, write_text
from drsl.features.layout import Run
from drsl.features.store import Features
from drsl.train.methods.base import Method
from drsl.train.score import score_blocks

__all__ = ["fit_stage"]


def fit_stage(
    method: Method,
    image: Features,
    text: Features,
    run: Run,
    *,
    seed: int,
    device: str = "cpu",
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, float]:
    """Fits a method on train and val, writes it with its log, then scores all test images against all test texts.

    Args:
        method: not fitted yet.
        image: features (n, d_i) of all splits.
        text: features (n', d_t) of all splits.
        run: where files go: `model`, `log`, `cost` and `scores`.
        seed: of the fit.
        device: `cpu` or `cuda`.
        progress: called with (steps done, steps in all, a word on the state).

    Returns:
        `fit_seconds`, `score_seconds` and `peak_memory_mb` of the process, as written to `run.cost`.

    Raises:
        UserError: the features cannot be learned from, a score is not finite, or a file cannot be written.
    """
    start = time.perf_counter()
    method.fit(image, text, seed=seed, device=device, progress=progress)
    fitted = time.perf_counter()
    method.provenance = {
        "dataset": str(image.attrs.get("dataset", "")),
        "seed": seed,
        "image_fingerprint": str(image.attrs.get("fingerprint", "")),
        "image_digest": str(image.attrs.get("digest", "")),
        "text_fingerprint": str(text.attrs.get("fingerprint", "")),
        "text_digest": str(text.attrs.get("digest", "")),
    }
    method.save(run.model)
    write_text(run.log, _csv(method))
    query, gallery = image.select("test"), text.select("test")
    begin = time.perf_counter()
    with open_score_writer(
        run.scores,
        image_id=query.id.tolist(),
        text_id=gallery.id.tolist(),
        image_label=query.label,
        text_label=gallery.label,
        classes=image.classes,
        attrs={"method": method.name, **method.provenance},
    ) as writer:
        for first, block in score_blocks(method, query.feature, gallery.feature):
            writer.write(first, block)
    cost = {
        "fit_seconds": round(fitted - start, 3),
        "score_seconds": round(time.perf_counter() - begin, 3),
        "peak_memory_mb": round(_peak_memory() / 2**20, 1),
    }
    write_json(run.cost, cost)
    return cost


def _csv(method: Method) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(method.log_columns)
    writer.writerows([row[0], *(f"{each:.6g}" if each == each else "" for each in row[1:])] for row in method.log)
    return buffer.getvalue()


def _peak_memory() -> int:
    """Largest resident size of this process, bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
