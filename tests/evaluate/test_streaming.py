"""Average precision from blocks against that of the whole matrix."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from drsl.evaluate import average_precision
from drsl.evaluate.streaming import average_precision_of_blocks
from drsl.features.errors import UserError


def cut(score, edges):
    return lambda: [(a, score[a:b]) for a, b in pairwise(sorted({0, *edges, len(score)}))]


@given(st.data())
def test_equals_the_whole_matrix_with_many_ties(data):
    images, texts = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 9))
    score = data.draw(arrays(np.float32, (images, texts), elements=st.sampled_from([0.0, -0.0, 1.0, 2.5])))
    image_label, text_label = (
        data.draw(arrays(np.int64, size, elements=st.integers(0, 3))) for size in (images, texts)
    )
    blocks = cut(score, data.draw(st.lists(st.integers(0, images), max_size=3)))
    at = data.draw(st.sampled_from([None, 1, 3]))
    found = average_precision_of_blocks(blocks, image_label, text_label, at)
    np.testing.assert_allclose(found[0], average_precision(score, image_label, text_label, at), rtol=1e-12)
    np.testing.assert_allclose(found[1], average_precision(score.T, text_label, image_label, at), rtol=1e-12)


def test_many_pairs_on_several_threads():
    draw = np.random.default_rng(0)
    score = draw.standard_normal((300, 500), np.float32)
    image_label, text_label = draw.integers(0, 9, 300), draw.integers(0, 10, 500)
    found = average_precision_of_blocks(cut(score, [64, 200]), image_label, text_label)
    np.testing.assert_allclose(found[0], average_precision(score, image_label, text_label), rtol=1e-12)
    np.testing.assert_allclose(found[1], average_precision(score.T, text_label, image_label), rtol=1e-12)


def test_blocks_may_come_in_any_order():
    score = np.random.default_rng(0).standard_normal((6, 4), np.float32)
    label = np.array([0, 1, 0, 1, 0, 1])
    blocks = [(4, score[4:]), (0, score[:3]), (3, score[3:4])]
    found = average_precision_of_blocks(lambda: blocks, label, label[:4])
    np.testing.assert_allclose(found[1], average_precision(score.T, label[:4], label))


def test_a_score_that_is_not_finite_is_refused():
    score = np.full((2, 2), np.nan, np.float32)
    with pytest.raises(UserError, match="cca gives scores that are NaN or infinite"):
        average_precision_of_blocks(lambda: [(0, score)], np.zeros(2), np.zeros(2), name="cca")
