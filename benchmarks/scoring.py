"""Scores of all pairs against the plain form, and the best 100 of a million texts in bounded memory.

`python benchmarks/scoring.py` prints one JSON object; `--smoke` runs small sizes once. The plain form scores a tenth of
the images, in blocks of 20 of them (its memory is O(images texts 1024)); its time for all is ten times that.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from measure import in_turn, peak_megabytes, report, vector_operations  # isort: skip (sets threads)
import h5py
import numpy as np
import torch
from plain import plain_twin

from drsl.train import get_method, top_k
from drsl.train.kernels import vector_code
from drsl.train.methods.drsl import DrslConcat
from drsl.train.model import DrslModel


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="small sizes, one repeat")
    smoke = parser.parse_args().smoke
    items, queries, gallery, k = (100, 20, 2000, 10) if smoke else (4000, 2000, 1_000_000, 100)
    method = fresh_method()
    relation = method.model.relation
    twin = plain_twin(relation)
    draw = torch.Generator().manual_seed(0)
    z_image, z_text = (torch.rand(items, 300, generator=draw) for _ in range(2))
    part = items // 10

    @torch.no_grad()
    def plain() -> np.ndarray:
        return np.concatenate([twin(rows, z_text).numpy() for rows in z_image[:part].split(max(1, 80_000 // items))])

    ways = {"ours": lambda: method.relate(z_image, z_text), "plain_tenth": plain}
    difference = float(np.abs(ways["ours"]()[:part] - plain()).max())
    seconds = in_turn(ways, 1 if smoke else {"ours": 10, "plain_tenth": 3})
    seconds["plain"] = 10 * seconds["plain_tenth"]
    limit = 3 * items * items * 1024 / (vector_code.LANE_BYTES // 4) / vector_operations()
    report(
        "scoring",
        {
            "sizes": {"images": items, "texts": items, "hidden": 1024, "dim": 300},
            "seconds": seconds,
            "ratio": seconds["plain"] / seconds["ours"],
            "three_operation_limit_seconds": limit,
            "fraction_of_limit": limit / seconds["ours"],
            "largest_difference": difference,
            "peak_megabytes": {name: peak_megabytes(way) for name, way in ways.items()},
            "score_matrix_megabytes": items * items * 4 / 2**20,
            "top_k": best_of_many(method, queries, gallery, k),
        },
    )


def best_of_many(method: DrslConcat, queries: int, gallery: int, k: int) -> dict[str, float | None]:
    """The best k texts for each image; text features come from an HDF5 file, block by block."""
    draw = np.random.default_rng(0)
    image = draw.random((queries, 4096), dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder, h5py.File(Path(folder) / "text.h5", "w") as file:
        text = file.create_dataset("feature", (gallery, 300), np.float32, chunks=(min(gallery, 1000), 300))
        for start in range(0, gallery, 50_000):
            rows = min(50_000, gallery - start)
            text[start : start + rows] = draw.random((rows, 300), dtype=np.float32)
        seconds = 0.0

        def work() -> None:
            nonlocal seconds
            start = time.perf_counter()
            found = top_k(method, image, text, k, "i2t")["i2t"]
            seconds = time.perf_counter() - start
            assert (found.position >= 0).all()

        peak = peak_megabytes(work)
    return {
        "queries": queries,
        "gallery": gallery,
        "k": k,
        "seconds": seconds,
        "pairs_a_second": queries * gallery / seconds,
        "peak_megabytes": peak,
        "score_matrix_megabytes_not_held": queries * gallery * 4 / 2**20,
    }


def fresh_method() -> DrslConcat:
    """DRSL-C of the paper's widths with the weights it starts from; what it has learnt does not change its speed."""
    method = get_method("drsl-c")
    torch.manual_seed(0)
    method.model = DrslModel(method.config, 4096, 300)
    return method


if __name__ == "__main__":
    main()
