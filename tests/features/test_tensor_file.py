import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import save_file

from drsl.features.errors import DamagedFile, MissingFile, UserError
from drsl.features.tensor_file import read_tensors, write_tensors

WORD = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TYPES = ["<f4", ">f4", "<f8", "<f2", "<i8", ">i8", "|u1", "|i1", "<i4", "|b1"]
ARRAYS = arrays.arrays(st.sampled_from(TYPES), arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
NAMED = st.dictionaries(WORD, ARRAYS, max_size=4)
ABOUT = st.dictionaries(
    WORD,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORD,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)
REPAIR = "drsl finetune image -d toy"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("tensors") / "image.safetensors"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "image.safetensors"


@pytest.fixture
def whole(path):
    """A whole tensor file."""
    layer = {"first.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "first.bias": np.ones(2, np.float32)}
    write_tensors(path, "drsl-network", layer, {"modality": "image", "sizes": [3, 2]})
    return path


def refused(path, *words):
    """Reads a damaged file; the one-line message must name the file, the repair and the words."""
    with pytest.raises(DamagedFile) as info:
        read_tensors(path, "drsl-network", REPAIR)
    message = str(info.value)
    assert "\n" not in message
    for word in (str(path), f"run `{REPAIR}`", *words):
        assert word in message, message


# What is written comes back.


@given(NAMED, ABOUT)
def test_arrays_and_description_come_back(scratch, named, about):
    write_tensors(scratch, "drsl-network", named, about)
    found, told = read_tensors(scratch, "drsl-network", REPAIR)
    assert told == about
    assert set(found) == set(named)
    for name, array in named.items():
        assert (found[name].shape, found[name].dtype) == (array.shape, array.dtype.newbyteorder("<"))
        assert found[name].tobytes() == array.astype(array.dtype.newbyteorder("<")).tobytes()


@given(NAMED, ABOUT)
def test_the_same_content_gives_the_same_bytes(scratch, named, about):
    write_tensors(scratch, "drsl-network", named, about)
    other = scratch.with_name("a much longer name")
    backwards = {name: np.asarray(named[name], order="F") for name in reversed(named)}
    write_tensors(other, "drsl-network", backwards, dict(reversed(about.items())))
    assert other.read_bytes() == scratch.read_bytes()


def test_another_process_writes_the_same_bytes(whole, start_python):
    code = """
import sys
from pathlib import Path
from drsl.features.tensor_file import read_tensors, write_tensors
write_tensors(Path(sys.argv[2]), "drsl-network", *read_tensors(Path(sys.argv[1]), "drsl-network", "nothing"))
"""
    other = whole.parent / "deep" / "other"
    _, stderr = start_python(code, whole, other).communicate(timeout=60)
    assert stderr == ""
    assert other.read_bytes() == whole.read_bytes()


def test_views_are_stored_as_they_look(path):
    square = np.arange(16, dtype=np.float32).reshape(4, 4)
    square.flags.writeable = False
    views = {"turned": square.T, "back": square[::-1, ::2], "one": square[0, 0]}
    write_tensors(path, "drsl-network", views, {})
    found, _ = read_tensors(path, "drsl-network", REPAIR)
    for name, view in views.items():
        np.testing.assert_array_equal(found[name], view)
        assert found[name].shape == view.shape


def test_a_description_comes_back_as_json_has_it(path):
    write_tensors(path, "drsl-network", {}, {"sizes": (1, 2), "map": {number: number for number in range(12)}})
    _, about = read_tensors(path, "drsl-network", REPAIR)
    assert about == {"sizes": [1, 2], "map": {str(number): number for number in range(12)}}


def test_what_json_cannot_hold_leaves_nothing(path):
    with pytest.raises(TypeError):
        write_tensors(path, "drsl-network", {}, {"path": Path("x")})
    assert list(path.parent.iterdir()) == []


def test_a_killed_process_leaves_the_old_file(whole, start_python):
    before = whole.read_bytes()
    code = """
import os, sys
from pathlib import Path
from drsl.features import tensor_file
os.fsync = lambda _: os._exit(9)  # just before it gets its name
tensor_file.write_tensors(Path(sys.argv[1]), "drsl-network", {}, {})
"""
    assert start_python(code, whole).wait(timeout=60) == 9
    assert whole.read_bytes() == before
    write_tensors(whole, "drsl-network", *read_tensors(whole, "drsl-network", REPAIR))
    assert list(whole.parent.iterdir()) == [whole]


def test_an_output_that_is_a_folder(path):
    path.mkdir()
    with pytest.raises(UserError, match="is a folder"):
        write_tensors(path, "drsl-network", {}, {})


# Damage is found, and nothing is executed.


def test_a_missing_file_names_the_command_that_makes_it(path):
    with pytest.raises(MissingFile, match=f"run `{REPAIR}`") as info:
        read_tensors(path, "drsl-network", REPAIR)
    assert str(path) in str(info.value)


def test_every_wrong_bit_is_found(whole):
    content = whole.read_bytes()
    for place in range(len(content)):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[place] ^= 1 << bit
            whole.write_bytes(damaged)
            with pytest.raises(DamagedFile):
                read_tensors(whole, "drsl-network", REPAIR)


def test_a_wrong_number_is_named_as_a_change(whole):
    content = bytearray(whole.read_bytes())
    content[-1] ^= 1
    whole.write_bytes(content)
    refused(whole, "changed after it was written")


def test_every_shorter_file_is_found(whole):
    content = whole.read_bytes()
    for kept in range(len(content)):
        whole.write_bytes(content[:kept])
        refused(whole, "damaged or not a drsl-network file")


def test_a_longer_file_is_found(whole):
    whole.write_bytes(whole.read_bytes() + b"\0")
    refused(whole)


def test_a_file_of_another_kind_is_named(whole):
    with pytest.raises(DamagedFile, match=r"is a drsl-network file, not drsl-method: run `drsl fit`"):
        read_tensors(whole, "drsl-method", "drsl fit")


def test_arrays_of_somebody_else(path):
    save_file({"x": np.zeros(3)}, path)
    refused(path, "damaged or not a drsl-network file")
    save_file({"x": np.zeros(3)}, path, metadata={"format": "pt"})
    refused(path)


@pytest.mark.parametrize(
    "head",
    [
        "",
        "null",
        "[]",
        '"text"',
        "{}",
        '{"about": []}',
        '{"about": {}, "format": "drsl-network"}',
        '{"about": {}, "format": "drsl-network", "digest": 3}',
        '{"about": [], "format": "drsl-network", "digest": "0"}',
        '{"about": "\\ud800", "format": "drsl-network", "digest": "0"}',
        '{"about": {"a": "\\ud800"}, "format": "drsl-network", "digest": "0"}',
        "[" * 100_000,
        '{"about": ' * 100_000,
        "1" * 5000,
    ],
)
def test_a_head_that_is_not_right(path, head):
    save_file({"x": np.zeros(3)}, path, metadata={"drsl": head})
    refused(path)


@pytest.mark.parametrize(
    ("kind", "size"), [("BF16", 2), ("F8_E4M3", 1), ("F8_E5M2", 1), ("F4", 1), ("C64", 8), ("X", 1)]
)
def test_number_types_that_numpy_lacks(path, kind, size):
    head = {"__metadata__": {"drsl": "{}"}, "x": {"dtype": kind, "shape": [1], "data_offsets": [0, size]}}
    encoded = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + b"\0" * size)
    refused(path)


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_refused_and_nothing_in_it_is_executed(path, protocol):
    path.write_bytes(pickle.dumps(Bomb(path.with_name("trace")), protocol))
    refused(path)
    assert not path.with_name("trace").exists()


def test_a_zipped_pickle_is_refused_and_nothing_in_it_is_executed(path):
    with zipfile.ZipFile(path, "w") as archive:  # as torch.save makes them
        archive.writestr("archive/data.pkl", pickle.dumps(Bomb(path.with_name("trace"))))
        archive.writestr("archive/version", "3")
    refused(path)
    assert not path.with_name("trace").exists()


def test_a_pickled_array_is_refused_and_nothing_in_it_is_executed(path):
    with path.open("wb") as file:
        np.save(file, np.array([Bomb(path.with_name("trace"))], dtype=object), allow_pickle=True)
    refused(path)
    assert not path.with_name("trace").exists()


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_refused(scratch, junk, headed):
    scratch.write_bytes(struct.pack("<Q", len(junk)) * headed + junk)
    refused(scratch)


@given(st.text(max_size=100))
def test_any_head_is_refused(scratch, head):
    save_file({}, scratch, metadata={"drsl": head.encode("utf-8", "replace").decode()})
    refused(scratch)


@given(st.data())
def test_any_damage_is_found(scratch, data):
    write_tensors(scratch, "drsl-network", {"x": np.arange(5)}, {"a": 1})
    content = scratch.read_bytes()
    damaged = bytearray(content)
    start = data.draw(st.integers(0, len(damaged)))
    damaged[start : start + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=30))
    scratch.write_bytes(damaged)
    if damaged != content:
        refused(scratch)
