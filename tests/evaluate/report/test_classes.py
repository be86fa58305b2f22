"""Each class's precision, and which classes are taken for which."""

import math

import numpy as np
import pytest

from drsl.evaluate.queries import Query
from drsl.evaluate.report.classes import class_scores, confusion
from drsl.evaluate.scores import Scores


def test_classes_come_from_their_queries():
    one = [Query("i2t", "1", "cat", 0.5), Query("i2t", "2", "dog", 0.2), Query("t2i", "1", "cat", 0.7)]
    two = [Query("i2t", "1", "cat", 0.9), Query("i2t", "2", "dog", 0.4), Query("t2i", "1", "cat", math.nan)]
    found = class_scores({"a": [one, two], "b": [two]})
    assert [row.label for row in found] == ["dog", "cat"]  # the hardest for the first method comes first
    assert [row.queries for row in found] == [1, 2]
    assert found[0].precision == {"a": pytest.approx(0.3), "b": 0.4}
    assert found[1].precision == {"a": pytest.approx(0.7), "b": 0.9}
    assert class_scores({}) == ()


def test_a_class_without_a_relevant_item_has_no_number():
    found = class_scores({"a": [[Query("i2t", "1", "cat", math.nan), Query("i2t", "2", "dog", 0.5)]]})
    assert [(row.label, row.precision["a"]) for row in found] == [("dog", 0.5), ("cat", None)]


def test_confusion_is_a_count_of_the_best_answers(naive):
    draw = np.random.default_rng(0)
    image, text = draw.integers(0, 3, 17), draw.integers(0, 3, 23)
    score = draw.standard_normal((17, 23)).astype(np.float32)
    scores = Scores(
        score, *(np.array([*map(str, range(n))], object) for n in score.shape), image, text, ("a", "b", "c")
    )
    for found, (matrix, query, gallery) in zip(
        confusion(scores, top=5), ((score, image, text), (score.T, text, image)), strict=True
    ):
        expected = np.zeros((3, 3))
        for row, label in zip(matrix, query, strict=True):
            for place in naive.order(row)[:5]:
                expected[label, gallery[place]] += 1
        np.testing.assert_allclose(found.share, expected / expected.sum(axis=1, keepdims=True))
        np.testing.assert_allclose(found.share.sum(axis=1), 1)
        first = found.worst[0]
        off = found.share - np.diag(np.diag(found.share))
        assert first[2] == off.max()
        assert off["abc".index(first[0]), "abc".index(first[1])] == off.max()


def test_a_small_gallery_and_classes_that_do_not_occur():
    score = np.eye(2, dtype=np.float32)
    ids = np.array(["x", "y"], object)
    image, text = confusion(Scores(score, ids, ids, np.array([0, 2]), np.array([0, 2]), ("a", "b", "c")), top=1)
    assert image.classes == ("a", "c")
    np.testing.assert_array_equal(image.share, np.eye(2))
    assert image.worst == text.worst == ()
