"""The ranking rule: descending, ties by gallery position, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.evaluate.ranking import check_scores, rank, ranked_hits, tied_pairs, tied_share
from drsl.features.errors import UserError

TYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint64", "bool"]


def test_rank_is_descending_and_keeps_ties_in_gallery_order():
    score = np.array([[1.0, 3.0, 2.0, 3.0, 1.0], [0.0, 0.0, 0.0, 0.0, 0.0], [5.0, 4.0, 3.0, 2.0, 1.0]])
    assert rank(score).tolist() == [[1, 3, 2, 0, 4], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]


@pytest.mark.parametrize("dtype", TYPES)
def test_rank_is_right_for_every_type_and_its_extremes(dtype, naive):
    if dtype == "bool":
        values = [False, True]
    elif dtype.startswith("f"):
        values = [np.finfo(dtype).min, np.finfo(dtype).max, 0.0, -0.0, 1.0, -1.0]
    else:
        values = [np.iinfo(dtype).min, np.iinfo(dtype).max, 0, 1, np.iinfo(dtype).min + 1]
    score = np.array(values * 3, dtype=dtype)[np.newaxis]
    assert rank(score)[0].tolist() == naive.order(score[0].tolist())


def test_minus_zero_ties_with_zero():
    assert rank(np.array([[-0.0, 0.0, -0.0]])).tolist() == [[0, 1, 2]]
    assert tied_pairs(np.array([[-0.0, 0.0, -0.0]])).tolist() == [3]


def test_near_ties_are_not_ties():
    score = np.array([[0.5, np.nextafter(0.5, 1), np.nextafter(0.5, 0)]])
    assert rank(score).tolist() == [[1, 0, 2]]
    assert tied_share(score) == 0.0


def test_hits_of_a_hand_made_block():
    score = np.array([[0.1, 0.9, 0.5, 0.5], [0.4, 0.3, 0.2, 0.1], [0.4, 0.3, 0.2, 0.1]])
    (hits,) = ranked_hits(score, np.array([7, 5, 7]), np.array([7, 9, 9, 7]))
    assert hits.count.tolist() == [2, 0, 2]
    assert hits.query.tolist() == [0, 0, 2, 2]
    assert hits.rank.tolist() == [3, 4, 1, 4]
    assert hits.ordinal.tolist() == [1, 2, 1, 2]


@given(
    rows=st.lists(st.lists(st.integers(-2, 2), min_size=6, max_size=6), min_size=1, max_size=9),
    block_items=st.integers(1, 60),
)
def test_hits_do_not_depend_on_the_blocks(rows, block_items):
    score = np.array(rows, dtype=np.float32)
    query_label = np.arange(len(rows)) % 3
    gallery_label = np.array([0, 1, 0, 1, 3, 3])
    (whole,) = ranked_hits(score, query_label, gallery_label, block_items=10**6)
    parts = list(ranked_hits(score, query_label, gallery_label, block_items=block_items))
    assert len(parts) == -(-len(rows) // max(1, block_items // 6))
    for name in ("count", "rank", "ordinal"):
        assert np.concatenate([getattr(part, name) for part in parts]).tolist() == getattr(whole, name).tolist()


def test_no_query_gives_one_empty_block():
    (hits,) = ranked_hits(np.zeros((0, 5)), np.zeros(0, int), np.zeros(5, int))
    assert [len(column) for column in (hits.count, hits.query, hits.rank, hits.ordinal)] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("score", "query", "gallery"), [((2, 3), 3, 2), ((2, 3), 2, 2), ((2, 3), 3, 3), ((6,), 2, 3), ((2, 3, 1), 2, 3)]
)
def test_shapes_that_do_not_fit_are_named(score, query, gallery):
    with pytest.raises(ValueError, match=r"score \(.*query_label \(\d,\).*gallery_label \(\d,\)"):
        check_scores(np.zeros(score), np.zeros(query, int), np.zeros(gallery, int))


@pytest.mark.parametrize("dtype", ["complex64", "U1", "object"])
def test_scores_that_are_no_real_numbers_are_refused(dtype):
    with pytest.raises(ValueError, match="real numbers"):
        check_scores(np.zeros((1, 1)).astype(dtype), np.zeros(1, int), np.zeros(1, int))


def test_labels_of_two_kinds_are_refused():
    with pytest.raises(ValueError, match="query_label is int64 and gallery_label is <U1"):
        check_scores(np.zeros((1, 1)), np.array([1]), np.array(["1"]))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_score_that_is_not_finite_is_an_error_that_names_the_method(value, dtype, monkeypatch):
    monkeypatch.setattr("drsl.evaluate.ranking.BLOCK_ITEMS", 8)  # the third block holds it
    score = np.zeros((7, 4), dtype=dtype)
    score[5, 2] = value
    with pytest.raises(UserError, match=r"^dccae gives scores .*query 5, gallery item 2.*fit it again"):
        check_scores(score, np.zeros(7, int), np.zeros(4, int), name="dccae")
    with pytest.raises(UserError, match=r"^the method gives"):
        check_scores(score, np.zeros(7, int), np.zeros(4, int))


def test_nothing_is_copied_or_changed():
    score = np.zeros((3, 4), dtype=np.float32)
    score.flags.writeable = False
    checked, _, _ = check_scores(score, np.zeros(3, int), np.zeros(4, int))
    assert checked is score


@given(rows=st.lists(st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=1, max_size=8))
def test_tied_pairs_equal_the_double_loop(rows, naive):
    score = np.array(rows, dtype=np.float64)
    expected = naive.tied_pairs(score)
    assert tied_pairs(score).tolist() == expected
    assert tied_share(score) == pytest.approx(sum(expected) / (len(rows) * 10))


def test_tied_pairs_do_not_depend_on_the_blocks(make_problem, monkeypatch):
    score = make_problem(queries=9, gallery=31, decimals=1).score
    whole = tied_pairs(score)
    monkeypatch.setattr("drsl.evaluate.ranking.BLOCK_ITEMS", 62)
    assert whole.sum() > 0
    assert tied_pairs(score).tolist() == whole.tolist()


def test_tied_share_of_the_extremes():
    assert tied_share(np.ones((3, 50), dtype=np.float32)) == 1.0
    assert tied_share(np.arange(6.0).reshape(2, 3)) == 0.0
    assert [tied_share(np.zeros(shape)) for shape in ((0, 0), (0, 5), (5, 0), (5, 1))] == [0.0] * 4


def test_tied_pairs_are_counted_over_rows_of_any_order(make_problem):
    score = make_problem(decimals=1).score
    assert tied_pairs(score.T).tolist() == tied_pairs(np.ascontiguousarray(score.T)).tolist()
    with pytest.raises(ValueError, match="matrix"):
        tied_pairs(np.zeros(3))
