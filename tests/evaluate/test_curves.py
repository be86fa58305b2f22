"""The two curves against hand-made examples, a double loop and trec_eval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.evaluate import mean_average_precision, precision_recall, precision_scope
from drsl.features.errors import SettingError, UserError


def test_precision_recall_by_hand():
    # hits at ranks 1, 3 and 4: precision 1, 2/3 and 3/4 at recall 1/3, 2/3 and 1; 3/4 beats 2/3
    score, labels = np.array([[5.0, 4.0, 3.0, 2.0, 1.0]]), (np.array([1]), np.array([1, 0, 1, 1, 0]))
    recall, precision = precision_recall(score, *labels)
    assert recall.tolist() == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0], abs=1e-15)
    assert precision.tolist() == [1.0] * 4 + [0.75] * 7
    assert recall.dtype == precision.dtype == np.float64


def test_precision_scope_by_hand():
    score, labels = np.array([[5.0, 4.0, 3.0, 2.0, 1.0]] * 2), (np.array([1, 0]), np.array([1, 0, 1, 1, 0]))
    assert precision_scope(score, *labels, [1, 2, 5]).tolist() == pytest.approx([0.5, 0.5, 0.5])
    assert precision_scope(score[:1], labels[0][:1], labels[1], [5, 1, 4]).tolist() == pytest.approx([0.6, 1.0, 0.75])


@pytest.mark.parametrize("decimals", [None, 0, 1])
@pytest.mark.parametrize("seed", range(3))
def test_equal_the_double_loop(make_problem, naive, decimals, seed):
    problem = make_problem(seed, queries=20, gallery=43, classes=20 if seed == 2 else 3, decimals=decimals)
    np.testing.assert_allclose(precision_recall(*problem)[1], naive.precision_recall(*problem), rtol=0, atol=1e-14)
    scope = [1, 2, 10, 42, 43]
    np.testing.assert_allclose(
        precision_scope(*problem, scope), naive.precision_scope(*problem, scope), rtol=0, atol=1e-14
    )


@pytest.mark.parametrize("decimals", [None, 1])
def test_equal_trec_eval(make_problem, trec, decimals):
    problem = make_problem(4, queries=20, gallery=60, classes=3, decimals=decimals)
    theirs = trec(*problem, {"iprec_at_recall", "P_1,7,20,60"})
    recall, precision = precision_recall(*problem)
    expected = [np.mean([each[f"iprec_at_recall_{level:.2f}"] for each in theirs]) for level in recall]
    np.testing.assert_allclose(precision, expected, rtol=0, atol=1e-12)
    expected = [np.mean([each[f"P_{top}"] for each in theirs]) for top in (1, 7, 20, 60)]
    np.testing.assert_allclose(precision_scope(*problem, [1, 7, 20, 60]), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("relevant", range(1, 41))
def test_levels_of_recall_are_reached_in_whole_numbers(relevant, naive):
    # only the k-th hit exists at rank 2k, so every hit has its own place in the curve
    gallery_label = np.array([0, 1] * relevant)
    score = -np.arange(2.0 * relevant)[np.newaxis]
    score[0, 0] -= 1000.0  # the first item comes last: precision rises and falls
    labels = np.array([1]), gallery_label
    np.testing.assert_allclose(
        precision_recall(score, *labels)[1], naive.precision_recall(score, *labels), rtol=0, atol=1e-15
    )


@given(seed=st.integers(0, 10**6))
def test_precision_falls_with_recall_and_stays_between_0_and_1(make_problem, seed):
    problem = make_problem(seed, queries=5, gallery=16, classes=3)
    _, precision = precision_recall(*problem)
    assert (np.isnan(precision).all()) or (
        (np.diff(precision) <= 0).all() and precision[0] <= 1 and precision[-1] >= 1 / 16
    )


@given(seed=st.integers(0, 10**6))
def test_the_order_of_the_gallery_does_not_matter_without_ties(make_problem, seed):
    score, query_label, gallery_label = make_problem(seed, queries=5, gallery=16, classes=3)
    order = np.random.default_rng(seed).permutation(16)
    other = score[:, order], query_label, gallery_label[order]
    for curve in (lambda *three: precision_recall(*three)[1], lambda *three: precision_scope(*three, [1, 3, 16])):
        np.testing.assert_array_equal(curve(*other), curve(score, query_label, gallery_label))


@given(seed=st.integers(0, 10**6), block_items=st.integers(1, 150))
def test_the_size_of_the_blocks_does_not_matter(make_problem, seed, block_items):
    problem = make_problem(seed, queries=8, gallery=16, classes=4, decimals=1)
    whole = precision_recall(*problem)[1], precision_scope(*problem, [2, 9])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("drsl.evaluate.ranking.BLOCK_ITEMS", block_items)
        np.testing.assert_array_equal(precision_recall(*problem)[1], whole[0])
        np.testing.assert_array_equal(precision_scope(*problem, [2, 9]), whole[1])


def test_queries_without_a_relevant_item_are_left_out(make_problem):
    score, query_label, gallery_label = make_problem(9, queries=6)
    more = np.concatenate([score[:2], score[:1], score[2:], score[:1]])
    label = np.concatenate([query_label[:2], [99], query_label[2:], [98]])
    np.testing.assert_array_equal(
        precision_recall(more, label, gallery_label)[1], precision_recall(score, query_label, gallery_label)[1]
    )
    np.testing.assert_array_equal(
        precision_scope(more, label, gallery_label, [3]), precision_scope(score, query_label, gallery_label, [3])
    )


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0), (2, 4)])
def test_no_query_with_a_relevant_item_gives_nan(shape):
    problem = np.zeros(shape), np.zeros(shape[0], int), np.ones(shape[1], int)
    recall, precision = precision_recall(*problem)
    assert recall.shape == precision.shape == (11,)
    assert np.isnan(precision).all()
    if shape[1]:
        assert np.isnan(precision_scope(*problem, [1, 4])).tolist() == [True, True]


def test_one_query_and_one_item():
    problem = np.array([[0.0]]), np.array([3]), np.array([3])
    assert precision_recall(*problem)[1].tolist() == [1.0] * 11
    assert precision_scope(*problem, [1]).tolist() == [1.0]


def test_constant_scores_follow_the_gallery():
    problem = np.zeros((1, 4)), np.array([1]), np.array([0, 0, 1, 1])
    assert precision_recall(*problem)[1].tolist() == [0.5] * 11
    assert precision_scope(*problem, [2, 3, 4]).tolist() == pytest.approx([0, 1 / 3, 1 / 2])


def test_perfect_scores_give_a_flat_curve(make_problem):
    _, query_label, gallery_label = make_problem()
    score = (query_label[:, np.newaxis] == gallery_label).astype(np.int8)
    assert precision_recall(score, query_label, gallery_label)[1].tolist() == [1.0] * 11
    assert mean_average_precision(score, query_label, gallery_label) == 1.0


@pytest.mark.parametrize("scope", [[0], [5, -1], [2.5], ["3"]])
def test_a_scope_must_be_a_positive_whole_number(make_problem, scope):
    with pytest.raises(SettingError, match=r"^scope: .* whole number"):
        precision_scope(*make_problem(), scope)


def test_a_scope_beyond_the_gallery_is_refused_and_names_its_size(make_problem):
    assert precision_scope(*make_problem(gallery=29), [29]).shape == (1,)
    with pytest.raises(SettingError, match=r"^scope: 30 is larger than the gallery of 29 items"):
        precision_scope(*make_problem(gallery=29), [10, 30])


def test_scopes_of_any_sequence_and_none(make_problem):
    problem = make_problem()
    expected = precision_scope(*problem, [3, 5]).tolist()
    assert precision_scope(*problem, (3, 5)).tolist() == expected
    assert precision_scope(*problem, np.array([3, 5])).tolist() == expected
    assert precision_scope(*problem, range(3, 6, 2)).tolist() == expected
    assert precision_scope(*problem, []).shape == (0,)


def test_shapes_and_scores_are_checked(make_problem):
    score, query_label, gallery_label = make_problem()
    for curve in (precision_recall, lambda *three, **name: precision_scope(*three, [1], **name)):
        with pytest.raises(ValueError, match="gallery_label"):
            curve(score, gallery_label, query_label)
        with pytest.raises(UserError, match=r"^mvda gives"):
            curve(np.where(score > 2, np.inf, score), query_label, gallery_label, name="mvda")
