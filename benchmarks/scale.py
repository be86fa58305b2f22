"""Growth: time and memory against the number of training pairs and of gallery items.

`python benchmarks/scale.py` prints one JSON object; `--smoke` runs small sizes; `--picture FILE` draws it (needs
matplotlib).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from measure import peak_megabytes, report  # isort: skip (sets threads)
import numpy as np
from scoring import fresh_method
from table7 import DataSet, features

from drsl.train import get_method, top_k

QUERIES = 200


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="small sizes")
    parser.add_argument("--picture", type=Path, help="draw the growth into this file")
    arguments = parser.parse_args()
    pairs = (200, 400) if arguments.smoke else (1000, 2000, 4000, 8000, 16000, 32000, 64000)
    galleries = (500, 1000) if arguments.smoke else (1000, 10_000, 100_000, 1_000_000)
    found = {
        "training": [train(each) for each in pairs],
        "retrieval": [retrieve(each) for each in galleries],
    }
    first, last = found["training"][0], found["training"][-1]
    found["training_growth"] = {
        "pairs": last["pairs"] / first["pairs"],
        "seconds": last["seconds_an_epoch"] / first["seconds_an_epoch"],
    }
    report("scale", found)
    if arguments.picture:
        draw_growth(found, arguments.picture)


def train(pairs: int) -> dict[str, float | None]:
    """One epoch of the preset `paper` at its batch of 200; the features are there before."""
    sizes = DataSet(pairs, 0, 20, (1024, 300), False, 0.0, 0.0)
    image, text = features(sizes, 4096), features(sizes, 300)
    method = get_method("drsl-c", epochs=1, precision="bfloat16")
    seconds = 0.0

    def work() -> None:
        nonlocal seconds
        start = time.perf_counter()
        method.fit(image, text, seed=0)
        seconds = time.perf_counter() - start

    peak = peak_megabytes(work)
    work()
    return {
        "pairs": pairs,
        "seconds_an_epoch": seconds,
        "peak_megabytes": peak,
        "feature_megabytes": (image.feature.nbytes + text.feature.nbytes) / 2**20,
    }


def retrieve(gallery: int) -> dict[str, float | None]:
    """The best 100 of a growing gallery of texts for 200 images."""
    draw = np.random.default_rng(0)
    image, text = draw.random((QUERIES, 4096), np.float32), draw.random((gallery, 300), np.float32)
    method = fresh_method()
    seconds = 0.0

    def work() -> None:
        nonlocal seconds
        start = time.perf_counter()
        top_k(method, image, text, 100, "i2t")
        seconds = time.perf_counter() - start

    peak = peak_megabytes(work)
    work()
    return {"queries": QUERIES, "gallery": gallery, "seconds": seconds, "peak_megabytes": peak}


def draw_growth(found: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Time and memory on double logarithmic axes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, part, size, seconds, title in (
        (axes[0], "training", "pairs", "seconds_an_epoch", "one epoch, batch 200"),
        (axes[1], "retrieval", "gallery", "seconds", "best 100 for 200 images"),
    ):
        sizes = [each[size] for each in found[part]]
        axis.loglog(sizes, [each[seconds] for each in found[part]], "o-", label="seconds")
        axis.loglog(sizes, [max(1, each["peak_megabytes"] or 0) for each in found[part]], "s--", label="peak MB on top")
        if part == "training":
            axis.loglog(sizes, [each["feature_megabytes"] for each in found[part]], ":", label="MB of the features")
        axis.set(xlabel=f"{size} items" if size == "gallery" else "training pairs", title=title)
        axis.legend()
        axis.grid(alpha=0.3)
    figure.savefig(path)
    print(json.dumps({"picture": str(path)}))


if __name__ == "__main__":
    main()
