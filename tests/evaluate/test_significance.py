"""The sign-flip test beside scipy's, Holm's correction by hand, the interval beside numpy's."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from drsl.evaluate import bootstrap_interval, compare_to_reference, holm, sign_flip_p


def scipys(difference, draws=np.inf):
    def mean(first, axis):
        return first.mean(axis=axis)

    return stats.permutation_test(
        (difference,), mean, permutation_type="samples", vectorized=True, n_resamples=draws, rng=1
    ).pvalue


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [2, 3, 5, 11])
def test_few_pairs_are_exact_as_scipys(count, seed):
    difference = np.random.default_rng(seed).normal(0.3, 1, count).round(1)  # rounded: sums are equal
    # scipy drops no zeros: it goes through each pattern of theirs too, with the same outcome
    assert sign_flip_p(difference) == pytest.approx(scipys(difference), abs=1e-12)


def test_all_patterns_one_by_one():
    difference = np.array([0.3, -0.1, 0.0, 0.4, 0.2])
    sums = [abs(np.dot(signs, difference)) for signs in itertools.product((-1, 1), repeat=5)]
    assert sign_flip_p(difference) == np.mean([each >= abs(difference.sum()) - 1e-12 for each in sums])


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.25])
def test_many_pairs_are_near_scipys(shift):
    difference = np.random.default_rng(3).normal(shift, 1, 150)
    assert sign_flip_p(difference) == pytest.approx(scipys(difference, 20_000), abs=0.015)


def test_drawn_and_exact_agree():
    difference = np.random.default_rng(5).normal(0.3, 1, 14)
    exact = sign_flip_p(difference, draws=2**14)
    assert sign_flip_p(difference, draws=2**14 - 1) == pytest.approx(exact, abs=0.015)


def test_the_draws_are_the_same_each_time_and_never_zero():
    difference = np.ones(100)
    assert sign_flip_p(difference) == 1 / 20_001
    assert sign_flip_p(difference, seed=1) == sign_flip_p(difference, seed=1)


def test_no_difference_is_no_finding():
    assert sign_flip_p(np.zeros(7)) == 1.0
    assert sign_flip_p(np.zeros(0)) == 1.0
    assert bootstrap_interval(np.zeros(0)) == (0.0, 0.0)


@given(st.lists(st.floats(-1, 1), max_size=10))
def test_p_values_are_shares_and_blind_to_the_side(values):
    found = sign_flip_p(np.array(values))
    assert 0 < found <= 1
    assert found == pytest.approx(sign_flip_p(-np.array(values)))


def test_under_the_null_the_level_is_kept():
    draw = np.random.default_rng(0)
    found = [sign_flip_p(draw.normal(0, 1, 9)) for _ in range(800)]
    assert np.mean(np.array(found) <= 0.05) == pytest.approx(0.05, abs=0.02)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_the_value_and_bonferronis(values):
    found = holm(values)
    for each, corrected in zip(values, found, strict=True):
        assert each <= corrected <= min(1.0, len(values) * each) + 1e-15
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(np.array(found)[order]) >= 0)


def test_the_interval_is_near_scipys():
    difference = np.random.default_rng(2).normal(0.2, 1, 80)
    theirs = stats.bootstrap((difference,), np.mean, method="percentile", n_resamples=9999, rng=1).confidence_interval
    assert bootstrap_interval(difference / 80) == pytest.approx((theirs.low, theirs.high), abs=0.02)
    assert bootstrap_interval(difference / 80)[0] < difference.mean() < bootstrap_interval(difference / 80)[1]


def queries(seed, shift=0.0, images=40, texts=25):
    draw = np.random.default_rng(seed)
    keys = [("i2t", f"item-{row}") for row in range(images)] + [("t2i", f"item-{row}") for row in range(texts)]
    return {key: float(value) for key, value in zip(keys, draw.uniform(0, 0.5, len(keys)) + shift, strict=True)}


def test_methods_against_a_reference():
    table = {"drsl-c": queries(0), "up": queries(0, 0.1), "down": queries(1, -0.3), "same": queries(0)}
    table["other"] = {**table["up"], ("i2t", "another"): 0.5}
    found = compare_to_reference(table, "drsl-c")
    assert set(found) == {"up", "down", "same"}  # other queries cannot be paired
    assert found["up"].mean.value == pytest.approx(0.1)
    assert (found["up"].mean.low, found["up"].mean.high) == pytest.approx((0.1, 0.1), abs=0.05)
    assert found["up"].mean.p == pytest.approx(3 / 20_001)
    assert found["same"].mean.value == 0
    assert found["same"].mean.p == found["same"].i2t.p == 1.0
    assert found["down"].t2i.p_alone < 0.05
    for each in found.values():
        assert each.mean.value == pytest.approx((each.i2t.value + each.t2i.value) / 2)
        assert each.mean.p >= each.mean.p_alone


def test_each_direction_weighs_half():
    table = {"a": queries(0), "b": queries(9)}
    mean = {
        (method, direction): np.mean([value for key, value in found.items() if key[0] == direction])
        for method, found in table.items()
        for direction in ("i2t", "t2i")
    }
    found = compare_to_reference(table, "a")["b"].mean.value
    assert found == pytest.approx(sum((mean["b", each] - mean["a", each]) / 2 for each in ("i2t", "t2i")))


def test_the_two_queries_of_an_item_flip_together():
    items = [f"item-{row}" for row in range(6)]
    base = {(direction, item): 0.5 for direction in ("i2t", "t2i") for item in items}
    better = {key: value + 0.1 for key, value in base.items()}
    assert compare_to_reference({"a": base, "b": better}, "a")["b"].mean.p == pytest.approx(2 / 2**6)


def test_one_direction_alone():
    base = {("i2t", str(row)): 0.5 for row in range(6)}
    better = {key: 0.6 for key in base}
    found = compare_to_reference({"a": base, "b": better}, "a")["b"]
    assert found.mean.value == pytest.approx(0.1)
    assert found.t2i.p == 1.0
    assert compare_to_reference({"a": {}, "b": {}}, "a") == {}
