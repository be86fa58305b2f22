"""mAP by counting against the loop over rankings and against a vectorised sort, all equal.

`python benchmarks/metrics.py` prints one JSON object; `--smoke` runs a small size once.
"""

from __future__ import annotations

import argparse

from measure import in_turn, peak_megabytes, report  # isort: skip (sets threads)
import numpy as np

from drsl.evaluate import mean_average_precision


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="small size, one repeat")
    smoke = parser.parse_args().smoke
    items, classes = (200, 10) if smoke else (4000, 200)
    draw = np.random.default_rng(0)
    score = draw.standard_normal((items, items), dtype=np.float32)
    query, gallery = (draw.integers(0, classes, items) for _ in range(2))
    ways = {
        "ours": lambda: mean_average_precision(score, query, gallery),
        "ours_other_direction": lambda: mean_average_precision(score.T, gallery, query),
        "loop": lambda: by_loop(score, query, gallery),
        "sort": lambda: by_sort(score, query, gallery),
    }
    values = {name: way() for name, way in ways.items()}
    assert np.allclose([values["loop"], values["sort"]], values["ours"], rtol=0, atol=1e-12)
    seconds = in_turn(ways, 1 if smoke else {"ours": 20, "ours_other_direction": 20, "loop": 5, "sort": 5})
    report(
        "metrics",
        {
            "sizes": {"queries": items, "gallery": items, "classes": classes},
            "seconds": seconds,
            "ratio_to_loop": seconds["loop"] / seconds["ours"],
            "ratio_to_sort": seconds["sort"] / seconds["ours"],
            "map": values,
            "peak_megabytes": {name: peak_megabytes(way) for name, way in ways.items()},
        },
    )


def by_loop(score: np.ndarray, query: np.ndarray, gallery: np.ndarray) -> float:
    """Query after query: rank the gallery, mean precision at the ranks of the relevant items."""
    found = []
    for row, label in zip(score, query, strict=True):
        relevant = gallery[np.argsort(-row, kind="stable")] == label
        if relevant.any():
            rank = np.flatnonzero(relevant) + 1
            found.append(np.mean(np.arange(1, len(rank) + 1) / rank))
    return float(np.mean(found))


def by_sort(score: np.ndarray, query: np.ndarray, gallery: np.ndarray) -> float:
    """All queries at once: one sort of the matrix, one cumulative sum."""
    relevant = gallery[np.argsort(-score, axis=1, kind="stable")] == query[:, None]
    precision = np.cumsum(relevant, axis=1) / np.arange(1, score.shape[1] + 1)
    count = relevant.sum(axis=1)
    return float(((precision * relevant).sum(axis=1)[count > 0] / count[count > 0]).mean())


if __name__ == "__main__":
    main()
