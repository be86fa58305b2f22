"""Slow and obvious twins of the metrics, and small retrieval problems to compare on."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest


@dataclass(frozen=True)
class Problem:
    score: np.ndarray
    query_label: np.ndarray
    gallery_label: np.ndarray

    def __iter__(self):
        return iter((self.score, self.query_label, self.gallery_label))


def _make_problem(seed=0, *, queries=13, gallery=29, classes=4, decimals=None):
    """Random scores; with `decimals` they are rounded, so that many are equal."""
    draw = np.random.default_rng(seed)
    score = draw.standard_normal((queries, gallery))
    if decimals is not None:
        score = score.round(decimals)
    return Problem(score, draw.integers(0, classes, queries), draw.integers(0, classes, gallery))


def _naive_order(row):
    return sorted(range(len(row)), key=lambda item: (-row[item], item))


def _naive_relevance(score, query_label, gallery_label):
    """For each query a list of bools, best first."""
    return [
        [bool(gallery_label[item] == label) for item in _naive_order(row)]
        for row, label in zip(score.tolist(), query_label, strict=True)
    ]


def _naive_average_precision(score, query_label, gallery_label, at=None):
    result = []
    for relevance in _naive_relevance(score, query_label, gallery_label):
        total, found = 0.0, 0
        for position, relevant in enumerate(relevance[:at], start=1):
            if relevant:
                found += 1
                total += found / position
        result.append(total / found if found else (0.0 if any(relevance) else float("nan")))
    return result


def _naive_precision_recall(score, query_label, gallery_label):
    curves = []
    for relevance in _naive_relevance(score, query_label, gallery_label):
        relevant = sum(relevance)
        if relevant:
            points = [(sum(relevance[:top]), sum(relevance[:top]) / top) for top in range(1, len(relevance) + 1)]
            curves.append(
                [max(precision for found, precision in points if 10 * found >= level * relevant) for level in range(11)]
            )
    return np.mean(curves, axis=0)


def _naive_precision_scope(score, query_label, gallery_label, scope):
    kept = [each for each in _naive_relevance(score, query_label, gallery_label) if any(each)]
    return [np.mean([sum(relevance[:top]) / top for relevance in kept]) for top in scope]


def _naive_tied_pairs(score):
    return [
        sum(row[first] == row[second] for first in range(len(row)) for second in range(first)) for row in score.tolist()
    ]


@pytest.fixture(scope="session")
def make_problem():
    return _make_problem


@pytest.fixture(scope="session")
def naive():
    return SimpleNamespace(
        order=_naive_order,
        average_precision=_naive_average_precision,
        precision_recall=_naive_precision_recall,
        precision_scope=_naive_precision_scope,
        tied_pairs=_naive_tied_pairs,
    )


@pytest.fixture(scope="session")
def trec():
    """trec_eval's own numbers, fed with whole-number ranks: it would cut scores to float32 and break ties by name."""
    pytrec_eval = pytest.importorskip("pytrec_eval", reason="pytrec-eval-terrier is not installed")

    def judge(score, query_label, gallery_label, measures, top=None):
        truth, run = {}, {}
        for query, (row, label) in enumerate(zip(score.tolist(), query_label, strict=True)):
            order = _naive_order(row)[:top]
            run[str(query)] = {str(item): float(len(row) - position) for position, item in enumerate(order)}
            truth[str(query)] = {str(item): int(gallery_label[item] == label) for item in order}
        found = pytrec_eval.RelevanceEvaluator(truth, measures).evaluate(run)
        # trec_eval says 0 of a query without a relevant item
        return [found[query] for query in truth if any(truth[query].values())]

    return judge
