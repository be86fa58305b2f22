"""The streamed best k against ranking the whole matrix."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from drsl.evaluate.ranking import rank
from drsl.evaluate.top_k import TopK
from drsl.features.errors import UserError


@given(st.data())
def test_blocks_in_any_order_give_the_first_k_of_the_ranking(data):
    queries, items, k = (data.draw(st.integers(1, most)) for most in (7, 12, 14))
    score = data.draw(arrays(np.float32, (queries, items), elements=st.sampled_from([0.0, -0.0, 1.0, -2.5, 3e38])))
    rows = sorted({0, queries, *data.draw(st.lists(st.integers(0, queries), max_size=2))})
    columns = sorted({0, items, *data.draw(st.lists(st.integers(0, items), max_size=3))})
    blocks = [(a, b, c, d) for a, b in pairwise(rows) for c, d in pairwise(columns)]
    best = TopK(queries, k)
    for a, b, c, d in data.draw(st.permutations(blocks)):
        best.update(a, c, score[a:b, c:d])
    kept = min(k, items)
    expected = rank(score)[:, :kept]
    np.testing.assert_array_equal(best.position[:, :kept], expected)
    np.testing.assert_array_equal(best.score[:, :kept], np.take_along_axis(score, expected, axis=1))
    assert (best.position[:, kept:] == -1).all()
    assert (best.score[:, kept:] == -np.inf).all()


def test_many_queries_and_items_on_several_threads():
    score = np.random.default_rng(0).integers(0, 50, (100, 3000)).astype(np.float64)
    best = TopK(100, 20)
    best.update(0, 0, score[:, :1000])
    best.update(0, 1000, score[:, 1000:])
    np.testing.assert_array_equal(best.position, rank(score)[:, :20])


def test_none_wanted():
    best = TopK(2, 0)
    best.update(0, 0, np.ones((2, 3)))
    assert best.position.shape == (2, 0)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_names_its_pair(wrong):
    score = np.zeros((2, 3))
    score[1, 2] = wrong
    with pytest.raises(
        UserError, match=r"cca gives scores that are NaN or infinite \(first: query 11, gallery item 22"
    ):
        TopK(20, 5, "cca").update(10, 20, score)
