"""Average precision against hand-made examples, a double loop, trec_eval and scikit-learn."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.evaluate import average_precision, mean_average_precision
from drsl.features.errors import SettingError, UserError


def one(score, relevant, at=None):
    """AP of one query with label 1."""
    return average_precision(np.array([score], dtype=float), np.array([1]), np.array(relevant), at)[0]


@pytest.mark.parametrize(
    ("score", "relevant", "at", "expected"),
    [
        ([4, 3, 2, 1], [1, 0, 1, 0], None, (1 / 1 + 2 / 3) / 2),
        ([1, 2, 3, 4], [1, 0, 1, 0], None, (1 / 2 + 2 / 4) / 2),
        ([4, 3, 2, 1], [1, 1, 1, 1], None, 1.0),
        ([4, 3, 2, 1], [0, 0, 0, 1], None, 1 / 4),
        ([4, 3, 2, 1], [1, 0, 1, 0], 1, 1.0),  # one found within 1, of two
        ([4, 3, 2, 1], [1, 0, 1, 0], 2, 1.0),
        ([4, 3, 2, 1], [1, 0, 1, 0], 3, (1 / 1 + 2 / 3) / 2),
        ([4, 3, 2, 1], [0, 0, 0, 1], 3, 0.0),  # there is one, but not within 3
        ([4, 3, 2, 1], [0, 1, 0, 1], 99, (1 / 2 + 2 / 4) / 2),  # no gallery is that large
    ],
)
def test_by_hand(score, relevant, at, expected):
    assert one(score, relevant, at) == pytest.approx(expected, abs=1e-15)


def test_ties_are_ranked_by_gallery_position():
    assert one([0, 0, 0, 0], [1, 0, 0, 0]) == 1.0
    assert one([0, 0, 0, 0], [0, 0, 0, 1]) == 0.25
    assert one([1, 2, 2, 1], [0, 0, 1, 0]) == 0.5
    assert one([1, 2, 2, 1], [0, 1, 0, 0]) == 1.0


def test_a_query_without_a_relevant_item_is_nan_and_left_out_of_the_mean():
    score = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    labels = np.array([1, 9]), np.array([0, 1, 0])
    assert average_precision(score, *labels).tolist() == pytest.approx([0.5, np.nan], nan_ok=True)
    assert mean_average_precision(score, *labels) == 0.5
    # with a cut-off, too: the one has a relevant item, though not within the cut-off, the other has none at all
    assert average_precision(score, *labels, at=1).tolist() == pytest.approx([0.0, np.nan], nan_ok=True)
    assert mean_average_precision(score, *labels, at=1) == 0.0


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0)])
def test_empty_sides(shape):
    labels = np.zeros(shape[0], int), np.zeros(shape[1], int)
    each = average_precision(np.zeros(shape), *labels)
    assert each.shape == shape[:1]
    assert each.dtype == np.float64
    assert np.isnan(each).all()
    assert np.isnan(mean_average_precision(np.zeros(shape), *labels))


def test_one_query_and_one_item():
    assert mean_average_precision(np.array([[-3.0]]), np.array([5]), np.array([5])) == 1.0
    assert np.isnan(mean_average_precision(np.array([[-3.0]]), np.array([5]), np.array([6])))


@pytest.mark.parametrize("decimals", [None, 0, 1])
@pytest.mark.parametrize("at", [None, 1, 5, 28, 29, 1000])
def test_equals_the_double_loop(make_problem, naive, decimals, at):
    problem = make_problem(3, classes=5, decimals=decimals)
    expected = naive.average_precision(*problem, at)
    np.testing.assert_allclose(average_precision(*problem, at), expected, rtol=0, atol=1e-14)
    assert mean_average_precision(*problem, at) == pytest.approx(np.nanmean(expected), abs=1e-14)


@pytest.mark.parametrize("decimals", [None, 1])
def test_equals_trec_eval(make_problem, trec, decimals):
    problem = make_problem(4, queries=20, gallery=60, classes=6, decimals=decimals)
    theirs = [each["map"] for each in trec(*problem, {"map"})]
    np.testing.assert_allclose(average_precision(*problem), theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("at", [1, 7, 30])
def test_the_cut_off_equals_trec_eval_on_the_cut_list(make_problem, trec, at):
    problem = make_problem(5, queries=20, gallery=60, classes=6, decimals=1)
    ours = average_precision(*problem, at)
    theirs = [each["map"] for each in trec(*problem, {"map"}, top=at)]
    np.testing.assert_allclose(ours[ours > 0], theirs, rtol=0, atol=1e-12)


def test_equals_scikit_learn_without_ties(make_problem):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    score, query_label, gallery_label = make_problem(6, queries=20, gallery=60, classes=6)
    theirs = [
        metrics.average_precision_score(gallery_label == label, row)
        for row, label in zip(score, query_label, strict=True)
    ]
    np.testing.assert_allclose(average_precision(score, query_label, gallery_label), theirs, rtol=0, atol=1e-12)


@given(seed=st.integers(0, 10**6), at=st.none() | st.integers(1, 20))
def test_is_between_0_and_1_and_the_order_of_the_gallery_does_not_matter_without_ties(make_problem, seed, at):
    score, query_label, gallery_label = make_problem(seed, queries=4, gallery=17, classes=3)
    order = np.random.default_rng(seed).permutation(17)
    each = average_precision(score, query_label, gallery_label, at)
    assert ((each >= 0) & (each <= 1) | np.isnan(each)).all()
    np.testing.assert_array_equal(average_precision(score[:, order], query_label, gallery_label[order], at), each)


@given(seed=st.integers(0, 10**6), decimals=st.sampled_from([0, 1, None]))
def test_only_the_order_of_the_scores_matters(make_problem, seed, decimals):
    score, *labels = make_problem(seed, queries=4, gallery=17, classes=3, decimals=decimals)
    each = average_precision(score, *labels)
    np.testing.assert_array_equal(average_precision(np.exp(3 * score) - 100, *labels), each)


@given(seed=st.integers(0, 10**6), block_items=st.integers(1, 200))
def test_the_size_of_the_blocks_does_not_matter(make_problem, seed, block_items):
    problem = make_problem(seed, queries=8, gallery=17, classes=3, decimals=1)
    whole = average_precision(*problem), mean_average_precision(*problem, at=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("drsl.evaluate.ranking.BLOCK_ITEMS", block_items)
        np.testing.assert_array_equal(average_precision(*problem), whole[0])
        assert mean_average_precision(*problem, at=3) == pytest.approx(whole[1], abs=0, nan_ok=True)


@given(seed=st.integers(0, 10**6))
def test_moving_a_relevant_item_up_never_hurts(make_problem, seed):
    score, query_label, gallery_label = make_problem(seed, queries=1, gallery=12, classes=2)
    before = average_precision(score, query_label, gallery_label)[0]
    for item in np.flatnonzero(gallery_label == query_label[0]):
        better = score.copy()
        better[0, item] += 1.0
        assert average_precision(better, query_label, gallery_label)[0] >= before - 1e-15


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "uint8"])
def test_every_type_of_score(make_problem, naive, dtype):
    problem = make_problem(7)
    score = np.round(20 * (problem.score - problem.score.min())).astype(dtype)
    labels = problem.query_label, problem.gallery_label
    np.testing.assert_allclose(average_precision(score, *labels), naive.average_precision(score, *labels), atol=1e-14)


def test_any_memory_layout_and_read_only_arrays(make_problem):
    score, query_label, gallery_label = make_problem(8)
    expected = average_precision(score, query_label, gallery_label)
    wide = np.zeros((2 * len(score), 3 * score.shape[1]))
    wide[::2, ::3] = score
    layouts = {
        "column by column": np.asfortranarray(score),
        "strided": wide[::2, ::3],
        "backwards": score[::-1, ::-1].copy()[::-1, ::-1],
        "other byte order": score.astype(score.dtype.newbyteorder()),
    }
    for name, layout in layouts.items():
        for array in (layout, query_label, gallery_label):
            array.flags.writeable = False
        np.testing.assert_array_equal(average_precision(layout, query_label, gallery_label), expected, err_msg=name)
    np.testing.assert_array_equal(
        average_precision(score.tolist(), query_label.tolist(), gallery_label.tolist()), expected
    )


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_large_labels_are_told_apart(dtype):
    large = 2**62  # float64 cannot tell it from its neighbour
    score = np.array([[2.0, 1.0]])
    assert mean_average_precision(score, np.array([large + 1], dtype), np.array([large, large + 1], dtype)) == 0.5
    assert mean_average_precision(score, np.array([2**31 + 7]), np.array([7, 2**31 + 7])) == 0.5
    assert mean_average_precision(score, np.array([-(2**31) - 1]), np.array([2**31 - 1, -(2**31) - 1])) == 0.5


def test_labels_may_be_words():
    score = np.array([[2.0, 1.0, 0.0]])
    assert average_precision(score, ["cat"], ["dog", "cat", "bird"]).tolist() == [0.5]


@pytest.mark.parametrize("at", [0, -1, 2.0, "5"])
def test_a_cut_off_must_be_a_positive_whole_number(make_problem, at):
    with pytest.raises(SettingError, match=r"^at: "):
        average_precision(*make_problem(), at=at)


def test_a_cut_off_may_be_a_numpy_integer(make_problem):
    problem = make_problem()
    assert mean_average_precision(*problem, np.int32(5)) == mean_average_precision(*problem, 5)


def test_scores_that_are_not_finite_name_the_method(make_problem):
    score, *labels = make_problem()
    score[2, 3] = np.nan
    with pytest.raises(UserError, match=r"^jrl gives scores that are NaN"):
        mean_average_precision(score, *labels, name="jrl")


@pytest.mark.parametrize(("block_items", "most"), [(1 << 20, 48e6), (1 << 16, 3e6)])
def test_memory_follows_the_size_of_the_blocks(block_items, most, monkeypatch):
    monkeypatch.setattr("drsl.evaluate.ranking.BLOCK_ITEMS", block_items)
    score = np.random.default_rng(0).standard_normal((1500, 2000), dtype=np.float32)  # ranks of all would take 24 MB
    tracemalloc.start()
    try:
        mean_average_precision(score, np.arange(1500) % 10, np.arange(2000) % 10)
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
