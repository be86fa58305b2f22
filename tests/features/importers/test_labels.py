"""Labels in every published form give the same class names; what is open is asked for."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.features.errors import SettingError
from drsl.features.importers.labels import label_counts, name_labels, place_labels

TRAIN = np.array([0, 1, 2, 2, 1, 0, 0])
TEST = np.array([2, 0, 1])
NAMES = ("art", "biology", "music")
WANTED = {"train": [NAMES[each] for each in TRAIN], "test": [NAMES[each] for each in TEST]}


def named(lists, names=NAMES, orientation=None, labels_from=None):
    """All steps on labels alone."""
    vectors, size = place_labels(lists, list(label_counts(lists)), orientation)
    return name_labels(vectors, dict.fromkeys(vectors, size) if size else {}, names, labels_from)[0]


FORMS = {
    "from 0": lambda each: each,
    "from 1": lambda each: each + 1,
    "a row": lambda each: each[None] + 1,
    "a column": lambda each: each[:, None] + 1,
    "floats": lambda each: (each + 1).astype(np.float64)[:, None],
    "uint64": lambda each: each.astype(np.uint64),
    "one-hot rows": lambda each: np.eye(3)[each],
    "one-hot columns": lambda each: np.eye(3, dtype=np.uint8)[each].T,
    "one-hot truth values": lambda each: np.eye(3, dtype=bool)[each],
    "texts": lambda each: np.array([NAMES[number] for number in each], dtype=object),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_same_names(form):
    lists = {"train": FORMS[form](TRAIN), "test": FORMS[form](TEST)}
    way = "columns" if form == "one-hot columns" else "rows"  # test's 3 x 3 fits both ways
    assert named(lists, orientation=way) == WANTED
    assert named(lists, orientation=None) == WANTED  # but train's does not: all splits together decide


@given(
    st.lists(st.integers(0, 8), min_size=1, max_size=40),
    st.sampled_from([0, 1]),
    st.sampled_from([np.int8, np.uint16, np.int64, np.float32, np.float64]),
)
def test_counting_from_0_or_1_is_told_apart_or_asked_for(numbers, base, dtype):
    lists = {"train": (np.array(numbers) + base).astype(dtype)}
    names = tuple(f"name-{number}" for number in range(9))
    wanted = [names[number] for number in numbers]
    assert named(lists, names, labels_from=base)["train"] == wanted
    with contextlib.suppress(SettingError):  # it is asked for; but never settled wrongly
        assert named(lists, names)["train"] == wanted


def test_labels_without_names_keep_their_numbers():
    assert named({"train": TRAIN + 1}, ())["train"][:3] == ["class-1", "class-2", "class-3"]
    assert named({"train": TRAIN}, ())["train"][:3] == ["class-0", "class-1", "class-2"]
    many = named({"train": np.arange(1, 13)}, ())["train"]
    assert many == sorted(many)  # class-01, class-02: the order of names is that of the numbers


@pytest.mark.parametrize(
    ("lists", "names", "words"),
    [
        ({"train": TRAIN * 2 + 1}, (), "say `--labels-from 0` or `--labels-from 1`"),  # 1, 3, 5
        ({"train": TRAIN + 2}, (), "say `--labels-from 0`"),
        ({"train": TRAIN + 1}, ("z", *NAMES), "say `--labels-from 0`"),  # four names: the first or the last is unused
        ({"train": TRAIN, "test": TEST + 1}, (), "count from 0 in train .0 to 2. but from 1 in test .1 to 3."),
        ({"image train": TRAIN + 1, "text train": TRAIN}, (), "from 0 in text train .0 to 2. but from 1 in image"),
        ({"train": TRAIN - 1}, (), "down to -1"),
        ({"train": TRAIN + 0.5}, (), "entry 1 is no whole number"),
        ({"train": TRAIN * np.nan}, (), "entry 1 is no whole number"),
        ({"train": TRAIN}, NAMES[:2], "there are 2 names"),
        ({"train": np.array(["art", "arts"], dtype=object)}, NAMES, "'arts'"),
        ({"train": np.array(["art", " "], dtype=object)}, (), "entry 2 is empty"),
        ({"train": np.array(["a\0b"], dtype=object)}, (), "no text"),
        ({"train": TRAIN, "test": np.array(["art"], dtype=object)}, (), "convert one"),
        ({"train": np.eye(3)[TRAIN] * 2}, (), "other numbers than 0 and 1"),
        ({"train": np.eye(3)[TRAIN], "test": TEST}, (), "one-hot in one split and a list in another"),
        ({"train": np.eye(3)[TRAIN], "test": np.eye(4)[TEST]}, (), "different numbers of classes"),
        ({"train": np.eye(3)[[0, 2, 1]]}, (), "--orientation rows"),
        ({"train": np.ones((2, 3, 4))}, (), "no list and no matrix"),
    ],
)
def test_what_is_open_or_wrong_is_said(lists, names, words):
    with pytest.raises(SettingError, match=words):
        named(lists, names)


def test_items_with_several_labels_are_counted():
    labels = np.eye(3)[TRAIN]
    labels[[1, 4]] = 1
    with pytest.raises(SettingError, match="2 items have more than one label"):
        named({"train": labels}, orientation="rows")
    labels[[1, 4]] = 0
    with pytest.raises(SettingError, match="2 items have no label"):
        named({"train": labels}, orientation="rows")


def test_a_wrong_word_on_the_base_is_refused():
    with pytest.raises(SettingError, match="must be 0 or 1"):
        named({"train": TRAIN}, labels_from=2)
    with pytest.raises(SettingError, match="down to 0"):
        named({"train": TRAIN}, labels_from=1)
