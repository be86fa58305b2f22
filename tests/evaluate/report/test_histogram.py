"""How the scores of related and unrelated pairs are spread."""

import numpy as np
import pytest

from drsl.evaluate.report.histogram import score_histogram
from drsl.evaluate.scores import Scores


@pytest.fixture
def scores_of():
    def build(score, image_label, text_label):
        ids = [
            np.array([f"{side}{row}" for row in range(size)], object)
            for side, size in zip("it", score.shape, strict=True)
        ]
        labels = [np.array(each) for each in (image_label, text_label)]
        return Scores(np.asarray(score, np.float32), *ids, *labels, ("a", "b", "c"))

    return build


@pytest.mark.parametrize("decimals", [None, 1, 0])
def test_the_overlap_is_what_is_left_of_the_area_under_the_roc_curve(scores_of, decimals):
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(0)
    image, text = draw.integers(0, 3, 40), draw.integers(0, 3, 30)
    score = draw.standard_normal((40, 30)) + (image[:, None] == text)
    score = score if decimals is None else score.round(decimals)
    found = score_histogram(scores_of(score, image, text))
    truth = (image[:, None] == text).ravel()
    assert found.overlap == pytest.approx(1 - metrics.roc_auc_score(truth, score.astype(np.float32).ravel()), abs=1e-12)


def test_the_bins_hold_all_pairs(scores_of):
    draw = np.random.default_rng(1)
    image, text = draw.integers(0, 3, 70), draw.integers(0, 3, 60)
    score = draw.standard_normal((70, 60))
    score[0, 0] = 1e6  # one far score must not flatten the rest
    found = score_histogram(scores_of(score, image, text), bins=10)
    assert found.related_pairs + found.unrelated_pairs == score.size
    assert found.related_pairs == int((image[:, None] == text).sum())
    inside = sum(found.related) * found.related_pairs + sum(found.unrelated) * found.unrelated_pairs
    assert inside == pytest.approx((1 - found.outside) * score.size)
    assert 0 < found.outside < 0.01
    assert found.edges[-1] < 5
    count = np.histogram(score[image[:, None] == text].astype(np.float32), found.edges)[0]
    np.testing.assert_allclose(np.array(found.related) * found.related_pairs, count, atol=1e-9)


@pytest.mark.parametrize("labels", [([0, 1], [0, 1]), ([0, 0], [0, 0]), ([0, 0], [1, 1])])
def test_equal_scores(scores_of, labels):
    found = score_histogram(scores_of(np.ones((2, 2)), *labels))
    assert sum(found.related) + sum(found.unrelated) in (1, 2)
    assert found.overlap == 0.5 or np.isnan(found.overlap)


def test_no_pairs(scores_of):
    assert np.isnan(score_histogram(scores_of(np.zeros((0, 3)), [], [0, 1, 2])).overlap)
