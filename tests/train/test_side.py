"""Rows of a split, couples, and rows resident on a device."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from drsl.features.errors import SettingError, UserError
from drsl.train.side import Side, couples, rows_of

ITEMS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 2)), min_size=1, max_size=12, unique_by=lambda each: each[0]
)


def make(as_features, items):
    return as_features(
        np.zeros((len(items), 2)), split=[each[1] for each in items], ids=[f"{each[0]}" for each in items]
    )


@given(items=ITEMS)
def test_rows_of_a_split_are_ascending(as_features, items):
    features = make(as_features, items)
    for number, split in enumerate(("train", "val", "test")):
        assert list(rows_of(features, split)) == [row for row, each in enumerate(items) if each[1] == number]


@given(images=ITEMS, texts=ITEMS, split=st.integers(0, 2))
def test_couples_are_the_ids_of_both_sides_in_the_split(as_features, images, texts, split):
    sides = make(as_features, images), make(as_features, texts)
    name = ("train", "val", "test")[split]
    left, right = couples(*sides, name)
    assert left.dtype == right.dtype == np.int64
    expected = [
        (row, place)
        for row, image in enumerate(images)
        for place, text in enumerate(texts)
        if image[0] == text[0] and image[1] == text[1] == split
    ]
    assert list(zip(left, right, strict=True)) == expected
    if not expected:
        with pytest.raises(
            UserError, match=f"cca learns from items that have both .* the {name} split has none"
        ) as info:
            couples(*sides, name, "cca")
        assert "\n" not in str(info.value)


def test_a_split_has_its_name(toy):
    with pytest.raises((SettingError, ValueError)):
        rows_of(toy[0], "validation")


@pytest.fixture
def side(as_features):
    feature = np.arange(12, dtype=np.float32).reshape(6, 2)
    features = as_features(feature, label=[0, 1, 2, 0, 1, 2])
    return features, Side(features, np.array([1, 3, 4]), "cpu")


def test_a_side_has_the_rows_it_was_given(side):
    _, own = side
    assert len(own) == 3
    np.testing.assert_array_equal(own.numbers, [1, 0, 1])
    assert own.label.dtype == torch.int64
    assert own.label.tolist() == [1, 0, 1]
    assert own.feature().tolist() == [[2, 3], [6, 7], [8, 9]]
    assert own.feature(torch.tensor([2, 0, 2])).tolist() == [[8, 9], [2, 3], [8, 9]]
    assert own.feature(torch.tensor([], dtype=torch.int64)).shape == (0, 2)


def test_the_features_are_not_copied_on_the_cpu(side):
    features, own = side
    assert own._feature.data_ptr() == features.feature.ctypes.data


def test_features_that_cannot_be_written_to_are_taken_and_left(as_features):
    features = as_features(np.ones((4, 2)))
    features.feature.flags.writeable = False
    own = Side(features, np.arange(4), "cpu")
    own.feature().zero_()
    assert (features.feature == 1).all()
