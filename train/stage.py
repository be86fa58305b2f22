"""The stage of this room as a function from features to files: fit a method, score the test split."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

import torch

from drsl.evaluate.scores import open_score_writer
from drsl.features.atomic import write_json, write_text
from drsl.features.csv_text import csv_text
from drsl.features.layout import Run
from drsl.features.machine import describe_machine
from drsl.features.store import Features
from drsl.train.code import code_digest
from drsl.train.memory import peak_memory, restart_peak
from drsl.train.methods.base import Method
from drsl.train.score import score_blocks

__all__ = ["fit_stage", "recipe"]


def fit_stage(
    method: Method,
    image: Features,
    text: Features,
    run: Run,
    *,
    seed: int,
    device: str = "cpu",
    progress: Callable[[int, int, str], None] | None = None,
    made_by: Mapping[str, str] | None = None,
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
        made_by: what `recipe` gave of the method before anything of it was settled, for the model's file; None: what it
            gives now.

    Returns:
        `fit_seconds`, `score_seconds` and `peak_memory_mb`, as written to `run.cost` beside the machine. The peak is
        this run's, or the process's where the system cannot tell.

    Raises:
        UserError: the features cannot be learned from, a score is not finite, or a file cannot be written.
    """
    made_by = recipe(method, image, text, seed) if made_by is None else made_by
    restart_peak()
    start = time.perf_counter()
    method.fit(image, text, seed=seed, device=device, progress=progress)
    fitted = time.perf_counter()
    origin: dict[str, str | int] = {
        "dataset": str(image.attrs.get("dataset", "")),
        "seed": seed,
        **_fingerprints(image, text),
    }
    method.provenance = {**origin, "made_by": dict(made_by)}
    for old in (run.scores, run.cost):  # a run that is killed from here on must not look whole
        old.unlink(missing_ok=True)
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
        attrs={"method": method.name, **origin},
    ) as writer:
        for first, block in score_blocks(method, query.feature, gallery.feature):
            writer.write(first, block)
    cost = {
        "fit_seconds": round(fitted - start, 3),
        "score_seconds": round(time.perf_counter() - begin, 3),
        "peak_memory_mb": round(peak_memory() / 2**20, 1),
    }
    computes = torch.cuda.get_device_name() if device == "cuda" else device
    machine = describe_machine(computes, str(torch.__version__), torch.get_num_threads())
    write_json(run.cost, {**cost, "machine": machine})
    return cost


def recipe(method: Method, image: Features, text: Features, seed: int) -> dict[str, str]:
    """What decides a run's outcome: two runs with equal recipes need not both be made.

    The device, the number of threads and the versions of other libraries are not in it.

    Args:
        method: not fitted yet, with the settings that were asked for.
        image: features of all splits.
        text: features of all splits.
        seed: of the fit.

    Returns:
        `settings` (JSON), `seed`, the digests of both feature files, and `code`, the digest of the method's code.
    """
    return {
        "settings": json.dumps(method.settings, sort_keys=True),
        "seed": str(seed),
        **{key: value for key, value in _fingerprints(image, text).items() if key.endswith("digest")},
        "code": code_digest(type(method).__module__),
    }


def _fingerprints(image: Features, text: Features) -> dict[str, str]:
    return {
        f"{side}_{key}": str(features.attrs.get(key, ""))
        for side, features in (("image", image), ("text", text))
        for key in ("fingerprint", "digest")
    }


def _csv(method: Method) -> str:
    rows = ([row[0], *(f"{each:.6g}" if each == each else "" for each in row[1:])] for row in method.log)
    return csv_text(method.log_columns, rows)
