import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from drsl.features.digest import differences, digest_array, digest_bytes, digest_file, fingerprint

NUMBERS = arrays.arrays(
    st.sampled_from([np.float32, np.int64, np.uint8, np.bool_]), arrays.array_shapes(min_dims=0, max_dims=3, max_side=4)
)
RECIPES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text("ab", max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text("abc", max_size=2), inner)),
    max_leaves=8,
)


def test_bytes():
    assert digest_bytes(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(st.binary())
def test_a_file_has_the_digest_of_its_bytes(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "digest.bin"
    path.write_bytes(content)
    assert digest_file(path) == digest_bytes(content) == hashlib.sha256(content).hexdigest()


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="nothing"):
        digest_file(tmp_path / "nothing")


@given(NUMBERS)
def test_memory_order_does_not_change_an_arrays_digest(array):
    spread = np.zeros((*array.shape, 2), dtype=array.dtype)[..., 0]
    spread[...] = array
    assert digest_array(array) == digest_array(np.asarray(array, order="F")) == digest_array(spread)


@given(NUMBERS)
def test_type_and_shape_are_part_of_an_arrays_digest(array):
    others = [array.astype(np.complex64), array[np.newaxis], array.reshape(*array.shape, 1, 1)]
    assert len({digest_array(each) for each in [array, *others]}) == 4


@given(NUMBERS.filter(lambda array: array.size), st.data())
def test_one_bit_changes_an_arrays_digest(array, data):
    changed = array.copy()
    flat = changed.reshape(-1).view(np.uint8)
    flat[data.draw(st.integers(0, flat.size - 1))] ^= 1
    assert digest_array(changed) != digest_array(array)


@given(st.dictionaries(st.text(), RECIPES))
def test_the_order_of_keys_does_not_change_a_fingerprint(recipe):
    assert fingerprint(dict(reversed(recipe.items()))) == fingerprint(recipe)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {"b": 1}),
        ({"a": {"b": 1}}, {"a": {"b": True}}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": None}, {}),
        ({"a": "größe"}, {"a": "grösse"}),
    ],
)
def test_any_difference_changes_a_fingerprint(one, other):
    assert fingerprint(one) != fingerprint(other)


@given(st.dictionaries(st.text(), RECIPES))
def test_nothing_differs_from_itself(recipe):
    assert differences(recipe, recipe) == []


@given(st.dictionaries(st.text("ab"), RECIPES), st.dictionaries(st.text("ab"), RECIPES))
def test_differences_are_named_whichever_way_round(made, asked):
    assert len(differences(made, asked)) == len(differences(asked, made))


def test_what_differs_is_named():
    made = {"epochs": 6, "net": {"width": 300, "norm": True}, "seed": 0}
    asked = {"epochs": 12, "net": {"width": 1024, "norm": True}, "seed": 0}
    assert differences(made, asked) == ["epochs was 6, now 12", "net.width was 300, now 1024"]


def test_a_missing_key_is_named():
    assert differences({}, {"weights": "imagenet"}) == ["weights was not set, now imagenet"]


def test_digests_are_cut_short():
    assert differences({"w": "a" * 64}, {"w": "b" * 64}) == ["w was aaaaaaaaaaaa, now bbbbbbbbbbbb"]


def test_a_tuple_is_what_json_makes_of_it():
    assert differences({"sizes": [1, [2]], "net": {"a": [1]}}, {"sizes": (1, (2,)), "net": {"a": (1,)}}) == []
    assert differences({"sizes": [1, 2]}, {"sizes": (1, 3)}) == ["sizes was [1, 2], now [1, 3]"]
