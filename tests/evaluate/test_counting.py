"""Ranks by counting against ranks by sorting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from drsl.evaluate.counting import Relevant, relevant_ranks
from drsl.evaluate.ranking import rank


def by_sorting(score, query_label, gallery_label):
    hit = gallery_label[rank(score)] == query_label[:, np.newaxis]
    return np.nonzero(hit)[1] + 1


def check(score, query_label, gallery_label):
    ours = relevant_ranks(score, Relevant(query_label, gallery_label), 0)
    np.testing.assert_array_equal(ours, by_sorting(score, query_label, gallery_label))


@given(st.data())
def test_equals_sorting_with_many_ties(data):
    queries, items = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 12))
    score = data.draw(arrays(np.float32, (queries, items), elements=st.sampled_from([0.0, -0.0, 1.0, 2.5, -3e38])))
    labels = [data.draw(arrays(np.int64, size, elements=st.integers(0, 3))) for size in (queries, items)]
    check(score, *labels)


@pytest.mark.parametrize("classes", [1, 2, 7, 900])
@pytest.mark.parametrize("levels", [1, 5, 10**6])
def test_equals_sorting_for_few_and_for_very_many_relevant_items(classes, levels):
    draw = np.random.default_rng(classes)
    score = draw.integers(0, levels, (30, 2500)).astype(np.float32)
    check(score, draw.integers(0, classes, 30), draw.integers(0, classes, 2500))


def test_blocks_of_a_transposed_matrix_that_may_not_be_written():
    draw = np.random.default_rng(0)
    score = draw.standard_normal((50, 400), np.float32)
    score.setflags(write=False)
    query_label, gallery_label = draw.integers(0, 5, 400), draw.integers(0, 5, 50)
    relevant = Relevant(query_label, gallery_label)
    parts = [relevant_ranks(score.T[start : start + 37], relevant, start) for start in range(0, 400, 37)]
    np.testing.assert_array_equal(np.concatenate(parts), by_sorting(score.T, query_label, gallery_label))


def test_labels_may_be_words_and_a_query_may_have_no_relevant_item():
    relevant = Relevant(np.array(["b", "zebra", "a", "0"]), np.array(["b", "a", "b"]))
    assert relevant.count.tolist() == [2, 0, 1, 0]
    score = np.array([[0.1, 0.2, 0.3]] * 4)
    assert relevant_ranks(score, relevant, 0).tolist() == [1, 3, 2]


@pytest.mark.parametrize("dtype", ["longdouble", "uint64", "int64"])
def test_numbers_that_float64_cannot_tell_apart(dtype):
    large = np.array(2**62, dtype)
    score = np.stack([large, large + 1, large - 1])[np.newaxis]
    assert relevant_ranks(score, Relevant(np.array([0]), np.array([1, 1, 0])), 0).tolist() == [3]
    assert relevant_ranks(score, Relevant(np.array([0]), np.array([1, 0, 1])), 0).tolist() == [1]
