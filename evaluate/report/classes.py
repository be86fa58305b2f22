"""How each class fares, and which classes are taken for which."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from drsl.evaluate.queries import Query
from drsl.evaluate.report.content import ClassScore, Confusion
from drsl.evaluate.scores import Scores
from drsl.evaluate.top_k import TopK

__all__ = ["class_scores", "confusion"]


def class_scores(methods: Mapping[str, Sequence[Sequence[Query]]]) -> tuple[ClassScore, ...]:
    """Works out each class's mean average precision.

    Args:
        methods: method to the queries of each of its runs, as `read_queries` gives them.

    Returns:
        One entry a class, by the first method's precision, the hardest first. Both directions' queries of a class count
        alike, and so do the runs; queries without a relevant item are left out.
    """
    if not methods:
        return ()
    count: dict[str, int] = {}
    for each in next(iter(methods.values()))[0]:
        count[each.label] = count.get(each.label, 0) + 1
    found: dict[str, dict[str, float | None]] = {label: {} for label in count}
    for method, runs in methods.items():
        values: dict[str, list[float]] = {}
        for run in runs:
            for each in run:
                if not math.isnan(each.average_precision):
                    values.setdefault(each.label, []).append(each.average_precision)
        for label in found:
            here = values.get(label)
            found[label][method] = math.fsum(here) / len(here) if here else None
    first = next(iter(methods))
    rows = [ClassScore(label, count[label], precision) for label, precision in found.items()]
    return tuple(sorted(rows, key=lambda row: (row.precision[first] is None, row.precision[first] or 0.0, row.label)))


def confusion(scores: Scores, top: int = 10, worst: int = 8) -> tuple[Confusion, ...]:
    """Counts the classes of the best answers, by the query's class.

    Args:
        scores: of all test images against all test texts.
        top: answers a query that count; fewer for a smaller gallery.
        worst: how many wrong pairs of classes are named.

    Returns:
        Image queries, then text queries.
    """
    found = []
    for direction, score, query, gallery in (
        ("i2t", scores.score, scores.image_label, scores.text_label),
        ("t2i", np.ascontiguousarray(scores.score.T), scores.text_label, scores.image_label),
    ):
        best = TopK(len(query), min(top, len(gallery)), "the method")
        best.update(0, 0, score)
        answer = gallery[best.position]
        size = len(scores.classes)
        count = np.zeros((size, size))
        np.add.at(count, (np.repeat(query, answer.shape[1]), answer.ravel()), 1)
        there = np.flatnonzero((count.sum(axis=1) + count.sum(axis=0)) > 0)
        count = count[np.ix_(there, there)]
        share = count / np.maximum(count.sum(axis=1, keepdims=True), 1)
        names = tuple(scores.classes[each] for each in there.tolist())
        wrong = share - np.diag(np.diag(share))
        order = np.argsort(-wrong, axis=None, kind="stable")[:worst].tolist()
        pairs = [divmod(each, len(names)) for each in order]
        found.append(
            Confusion(
                direction,
                names,
                share,
                min(top, len(gallery)),
                tuple(
                    (names[row], names[column], float(wrong[row, column]))
                    for row, column in pairs
                    if wrong[row, column] > 0
                ),
            )
        )
    return tuple(found)
