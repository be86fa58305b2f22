"""Features joined with parts: rows are put together when they are asked for."""

import numpy as np
import pytest

from drsl.features import Features, open_parts
from drsl.features.joined import JoinedRows, join_parts
from drsl.features.parts import open_parts_writer

FEATURE = np.arange(12, dtype=np.float32).reshape(4, 3)
PART = np.arange(40, dtype=np.float16).reshape(4, 2, 5)
MASK = np.array([[1, 1], [1, 0], [0, 1], [1, 1]], bool)
WHOLE = np.hstack([FEATURE, PART.reshape(4, 10), MASK]).astype(np.float32)


@pytest.fixture
def rows():
    return JoinedRows(FEATURE, PART, MASK)


def test_a_row_is_feature_parts_and_mask(rows):
    assert (len(rows), rows.shape, rows.ndim, rows.dtype) == (4, (4, 15), 2, np.float32)
    for key in (slice(None), slice(1, 3), slice(None, None, -2), slice(2, 2), [3, 0], np.array([1]), MASK[:, 0]):
        found = rows[key]
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, WHOLE[key])
    np.testing.assert_array_equal(list(rows), WHOLE)
    np.testing.assert_array_equal(rows.feature, FEATURE)


def test_rows_that_are_taken_are_still_to_be_read(rows):
    some = rows.take([3, 1, 0]).take(np.array([2, 0]), axis=0)
    assert isinstance(some, JoinedRows)
    np.testing.assert_array_equal(some[:], WHOLE[[0, 3]])
    np.testing.assert_array_equal(some[[1]], WHOLE[[3]])
    np.testing.assert_array_equal(some.feature, FEATURE[[0, 3]])


def test_other_keys_are_refused(rows):
    for call in (lambda: rows[2], lambda: rows[[9]], lambda: rows.take([0], axis=1), lambda: rows.take([4])):
        with pytest.raises(IndexError):
            call()


def test_word_ids_stay_exact():
    ids = np.array([[0, 1], [2**24 - 1, 3]], np.int32)
    rows = JoinedRows(FEATURE[:2], ids, vectors=np.zeros((2**24, 1), np.float32))
    assert rows.layout == (3, 2, 1, 0, 2**24)
    np.testing.assert_array_equal(rows[:][:, 3:].astype(np.int64), ids)


def features():
    return Features(
        id=np.array(list("abcd"), dtype=object),
        feature=FEATURE,
        label=np.array([0, 1, 0, 1]),
        split=np.array([0, 0, 1, 2], np.uint8),
        classes=("ant", "bee"),
        attrs={"dataset": "toy", "digest": "d"},
    )


def test_a_mapped_file_is_joined_and_selected_without_being_read(tmp_path, monkeypatch):
    one = features()
    about = {"id": one.id.tolist(), "label": one.label, "split": one.split, "classes": one.classes, "attrs": one.attrs}
    with open_parts_writer(tmp_path / "image.patches.h5", "patches", shape=(2, 5), **about) as writer:
        writer.append(PART, MASK)
    parts = open_parts(tmp_path / "image.patches.h5")
    read = []
    getitem = type(parts.part).__getitem__
    monkeypatch.setattr(type(parts.part), "__getitem__", lambda self, key: read.append(key) or getitem(self, key))
    joined = join_parts(one, parts)
    test = joined.select("test")
    assert not read
    np.testing.assert_array_equal(test.feature[:], WHOLE[3:])
    assert read
    np.testing.assert_array_equal(joined.feature[[2, 0]], WHOLE[[2, 0]])
    assert joined.attrs["parts"] == "patches"
    assert joined.attrs["digest"] not in (one.attrs["digest"], parts.attrs["digest"])


def test_other_numbers_of_items_are_refused():
    with pytest.raises(ValueError, match="4 items have the parts of 3"):
        join_parts(features(), _Three())


class _Three:
    def __len__(self):
        return 3
