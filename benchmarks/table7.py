"""Table 7 of the paper: 20 epochs of training and one test pass, on synthetic features of the true sizes.

`python benchmarks/table7.py` prints one JSON object; `--smoke` runs small sizes. The preset `paper` is trained in full.
The preset `released`, whose second hidden layer runs over pairs, is trained for a few steps, and its time for 20 epochs
is that of a step times their number.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass, replace
from typing import Any

from measure import report  # isort: skip (sets threads)
import numpy as np

from drsl.features import Features
from drsl.train import get_method
from drsl.train.batches import steps_per_epoch

EPOCHS = 20


@dataclass(frozen=True)
class DataSet:
    """Sizes of a data set (section 4.1), its networks (section 4.3), and what table 7 says of DRSL on a GTX 1080 Ti."""

    train: int
    test: int
    classes: int
    image_fnn: tuple[int, ...]
    batch_norm: bool
    paper_training: float
    paper_testing: float


SETS = {
    "xmedianet": DataSet(32000, 4000, 200, (1024, 300), True, 245.7, 9.63),
    "wikipedia": DataSet(2173, 462, 10, (1024, 300), False, 17.98, 0.48),
    "pascal": DataSet(800, 100, 20, (300,), False, 9.96, 0.40),
}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="small sizes, two epochs")
    parser.add_argument("--steps", type=int, default=6, help="steps of the preset `released`")
    arguments = parser.parse_args()
    found = {}
    for name, each in SETS.items():
        sizes = replace(each, train=60, test=20) if arguments.smoke else each
        found[name] = paper(sizes, 2 if arguments.smoke else EPOCHS)
        found[name]["released"] = released(sizes, 1 if arguments.smoke else arguments.steps)
    report("table7", {"epochs": EPOCHS, "batch": 200, "data_sets": found})


def paper(sizes: DataSet, epochs: int) -> dict[str, Any]:
    """Trains and tests with the preset `paper`."""
    method = get_method(
        "drsl-c",
        image_fnn=list(sizes.image_fnn),
        fnn_batch_norm=sizes.batch_norm,
        relation_batch_norm=sizes.batch_norm,
        epochs=epochs,
        precision="auto",
    )
    image, text = features(sizes, 4096), features(sizes, 300)
    lines = method.tune(image, text)
    start = time.perf_counter()
    method.fit(image, text, seed=0)
    trained = time.perf_counter()
    method.score(image.select("test").feature, text.select("test").feature)
    training, testing = trained - start, time.perf_counter() - trained
    return {
        "settled": lines,
        "training_seconds": training,
        "testing_seconds": testing,
        "paper_training_seconds": sizes.paper_training,
        "paper_testing_seconds": sizes.paper_testing,
        "training_ratio": sizes.paper_training / training,
        "testing_ratio": sizes.paper_testing / testing,
    }


def released(sizes: DataSet, steps: int) -> dict[str, Any]:
    """Times a few steps with the preset `released`."""
    few = replace(sizes, train=min(sizes.train, 200 * steps), test=min(sizes.test, 400))
    method = get_method("drsl-c", preset="released", epochs=1, precision="auto")
    image, text = features(few, 4096), features(few, 300)
    lines = method.tune(image, text)
    start = time.perf_counter()
    method.fit(image, text, seed=0)
    step = (time.perf_counter() - start) / steps_per_epoch(few.train, few.train, 200)
    start = time.perf_counter()
    method.score(image.select("test").feature, text.select("test").feature)
    pair = (time.perf_counter() - start) / few.test**2
    return {
        "settled": lines,
        "seconds_a_step": step,
        "training_seconds_from_steps": step * EPOCHS * math.ceil(sizes.train / 200),
        "testing_seconds_from_pairs": pair * sizes.test**2,
    }


def features(sizes: DataSet, dim: int) -> Features:
    """Random features, as ReLU leaves them, of train and test items."""
    draw = np.random.default_rng(dim)
    rows = sizes.train + sizes.test
    return Features(
        id=np.arange(rows).astype(str).astype(object),
        feature=draw.random((rows, dim), dtype=np.float32),
        label=draw.integers(0, sizes.classes, rows),
        split=np.repeat(np.array([0, 2], np.uint8), [sizes.train, sizes.test]),
        classes=tuple(str(each) for each in range(sizes.classes)),
    )


if __name__ == "__main__":
    main()
