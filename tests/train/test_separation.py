"""A warning when pairs of one class score like all others: its rule, and where it is said."""

import math

import numpy as np
import pytest
import torch

from drsl.train.loop import LOG_COLUMNS
from drsl.train.separation import LEAST_GAP, MEAN_COLUMNS, pair_means, separation_warnings


def log(*rows):
    """Rows of (positive mean, negative mean, val mAP)."""
    return [(place, 0.1, *row) for place, row in enumerate(rows, start=1)]


def warned(*rows, advice=("do this",)):
    return separation_warnings("drsl-c", LOG_COLUMNS, log(*rows), advice)


def test_the_means_are_those_of_a_double_loop():
    scores, target = torch.randn(7, 5), (torch.rand(7, 5) < 0.3).float()
    found = {0: [], 1: []}
    for p in range(7):
        for q in range(5):
            found[int(target[p, q])].append(float(scores[p, q]))
    positive, negative = pair_means(scores, target)
    assert float(positive) == pytest.approx(np.mean(found[1]), abs=1e-6)
    assert float(negative) == pytest.approx(np.mean(found[0]), abs=1e-6)


@pytest.mark.parametrize(("every", "expected"), [(0.0, (0, 1)), (1.0, (1, 0))])
def test_the_mean_of_no_pairs_is_0(every, expected):
    assert [float(each) for each in pair_means(torch.ones(3, 4), torch.full((3, 4), every))] == list(expected)


@pytest.mark.parametrize(
    ("rows", "epoch"),
    [
        ([(0.006, 0.005, 0.02)], 1),
        ([(0.05 + LEAST_GAP - 1e-6, 0.05, 0.02)], 1),
        ([(0.3, 0.4, 0.02)], 1),  # the wrong way round
        ([(0.006, 0.005, 0.02), (0.5, 0.1, 0.01)], 1),  # the second separates, but the first is kept
        ([(0.006, 0.005, 0.02), (0.5, 0.1, 0.02)], 1),  # of equals the first is kept
        ([(0.5, 0.1, math.nan), (0.006, 0.005, 0.02), (0.5, 0.1, math.nan)], 2),
        ([(0.5, 0.1, math.nan), (0.006, 0.005, math.nan)], 2),  # without val the last is kept
    ],
)
def test_scores_that_do_not_separate_are_said(rows, epoch):
    (line,) = warned(*rows)
    assert "\n" not in line
    assert f"in the kept epoch {epoch}: do this" in line


@pytest.mark.parametrize(
    "rows",
    [
        [(0.05 + LEAST_GAP + 1e-6, 0.05, 0.02)],
        [(0.006, 0.005, 0.02), (0.5, 0.1, 0.03)],
        [(0.006, 0.005, 0.9), (0.5, 0.1, 0.91), (0.006, 0.005, 0.5)],
        [(0.006, 0.005, math.nan), (0.5, 0.1, math.nan)],
    ],
)
def test_scores_that_separate_are_not(rows):
    assert warned(*rows) == []


def test_the_advice_is_one_sentence():
    assert warned((0.0, 0.0, 0.1), advice=["a", "b", "c"])[0].endswith("the kept epoch 1: a, b, or c")
    assert warned((0.0, 0.0, 0.1), advice=["a"])[0].endswith("the kept epoch 1: a")


@pytest.mark.parametrize("name", ["drsl-c", "drsl-m", "drsl-a", "drsl-s", "drsl-plus"], indirect=True)
def test_a_fit_that_learns_nothing_warns_and_the_next_forgets(name, make_method, toy):
    """A learning rate of almost 0 leaves the scores where they began."""
    method = make_method(name)
    assert method.warnings == []
    changed = {"class_weight": 0.0, "average": 0.0} if name == "drsl-plus" else {}
    still = make_method(name, learning_rate=1e-9, epochs=1, **changed)
    if name == "drsl-plus":  # its scores separate from the start only where the posteriors happen to
        still.fit(*toy, seed=0)
        gap = np.subtract(*(still.log[-1][still.log_columns.index(each)] for each in MEAN_COLUMNS))
        assert bool(still.warnings) == (gap < LEAST_GAP)
    else:
        still.fit(*toy, seed=0)
        (line,) = still.warnings
        assert line.startswith(f"{name} hardly separates")
        assert "raise epochs or learning_rate, set standardise: true, or take drsl-plus" in line
        (line,) = make_method(name, learning_rate=1e-9, epochs=1, standardise=True).fit(*toy, seed=0).warnings
        assert "raise epochs or learning_rate, or take drsl-plus" in line
    wider = {} if name == "drsl-plus" else {"image_fnn": [48, 24], "text_fnn": [48, 24], "relation": [48], "epochs": 10}
    learned = make_method(name, **wider)
    learned.warnings = ["of the fit before"]
    assert learned.fit(*toy, seed=0).warnings == []


def test_methods_without_pairs_have_nothing_to_warn_of(make_method, toy):
    assert make_method("deep-sm").fit(*toy, seed=0).warnings == []
