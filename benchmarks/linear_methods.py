"""Fits of closed form at XMediaNet's size: each in a process of its own, with its default settings.

`python benchmarks/linear_methods.py` prints one JSON object; `--smoke` runs small sizes. The features are synthetic
(classes, a latent that both sides share, noise, ReLU) and held in memory. Memory on top is that of the fit beside them;
the peak is of the whole process, with the libraries. `--methods` takes other names, `--settings` JSON for all of them.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from measure import peak_megabytes, report  # isort: skip (sets threads)
import numpy as np

from drsl.features import Features
from drsl.train import get_method

METHODS = ("cca", "mvda", "mvda-vc", "jrl")
LATENT = 64
ROWS = 4000


@dataclass(frozen=True)
class Sizes:
    """Items of each split, widths and classes."""

    train: int = 32000
    val: int = 4000
    image: int = 4096
    text: int = 300
    classes: int = 200


SMALL = Sizes(400, 100, 512, 60, 10)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="small sizes")
    parser.add_argument("--methods", nargs="*", default=METHODS, help="which methods")
    parser.add_argument("--settings", default="{}", help="JSON object of settings")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sizes = SMALL if arguments.smoke else Sizes()
    if arguments.alone:
        print(json.dumps(fitted(arguments.alone, json.loads(arguments.settings), sizes)))
        return
    found = {}
    for name in arguments.methods:
        command = [sys.executable, __file__, "--alone", name, "--settings", arguments.settings]
        done = subprocess.run([*command, *["--smoke"] * arguments.smoke], stdout=subprocess.PIPE, text=True, check=True)
        found[name] = json.loads(done.stdout)
    report("linear_methods", {"sizes": sizes.__dict__, "methods": found})


def fitted(name: str, settings: dict[str, Any], sizes: Sizes) -> dict[str, Any]:
    """Fits one method once."""
    image, text = features(sizes)
    method = get_method(name, **settings)
    seconds = cpu_seconds = 0.0

    def work() -> None:
        nonlocal seconds, cpu_seconds
        start, cpu_start = time.perf_counter(), time.process_time()
        method.fit(image, text, seed=0)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start

    on_top = peak_megabytes(work)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "megabytes_on_top": on_top,
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "feature_megabytes": (image.feature.nbytes + text.feature.nbytes) / 2**20,
        "candidates": len(method.log),
        "val_map": method.best_val_map,
        "settings": method.settings,
    }


def features(sizes: Sizes) -> tuple[Features, Features]:
    """Couples of both sides; made in blocks, so that little more than the features is ever held."""
    draw = np.random.default_rng(0)
    rows = sizes.train + sizes.val
    label = draw.permutation(np.arange(rows) % sizes.classes)
    means = draw.standard_normal((sizes.classes, LATENT), np.float32)
    latent = means[label] + 2 * draw.standard_normal((rows, LATENT), np.float32)
    found = []
    for width, noise, offset in ((sizes.image, 1.5, -0.3), (sizes.text, 1.05, 0.5)):
        layer = draw.standard_normal((LATENT, width), np.float32) / 8
        feature = np.empty((rows, width), np.float32)
        for start in range(0, rows, ROWS):
            block = latent[start : start + ROWS] @ layer
            block += np.float32(noise) * draw.standard_normal(block.shape, np.float32) + np.float32(offset)
            np.maximum(0, block, out=feature[start : start + ROWS])
        found.append(
            Features(
                id=np.arange(rows).astype(str).astype(object),
                feature=feature,
                label=label,
                split=np.repeat(np.array([0, 1], np.uint8), [sizes.train, sizes.val]),
                classes=tuple(str(each) for each in range(sizes.classes)),
            )
        )
    return found[0], found[1]


if __name__ == "__main__":
    main()
