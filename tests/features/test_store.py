import dataclasses
import sys
import time

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from drsl.features import Features, read_features, write_features
from drsl.features.errors import DamagedFile, MissingFile, SettingError, UserError
from drsl.features.store import FORMAT, VERSION, open_feature_writer

WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def any_features(draw):
    """Features of any small size, with any numbers and names."""
    ids = draw(st.lists(WORD, max_size=8, unique=True))
    classes = draw(st.lists(WORD, min_size=1, max_size=3, unique=True))
    rows = len(ids)
    return Features(
        id=np.array(ids, dtype=object),
        feature=draw(arrays.arrays(np.float32, (rows, draw(st.integers(1, 5))), elements=FLOAT32)),
        label=draw(arrays.arrays(np.int64, rows, elements=st.integers(0, len(classes) - 1))),
        split=draw(arrays.arrays(np.uint8, rows, elements=st.integers(0, 2))),
        classes=tuple(classes),
        attrs=draw(st.dictionaries(st.sampled_from(["dataset", "encoder", "fingerprint"]), WORD)),
    )


def content(features, without=()):
    """All that features say, as plain values that can be compared."""
    plain = {name: getattr(features, name).tolist() for name in ("id", "label", "split")}
    attrs = {key: value for key, value in features.attrs.items() if key not in without}
    return {**plain, "feature": features.feature.tobytes(), "classes": features.classes, "attrs": attrs}


SEAL = ("format", "version", "rows", "digest", "sealed")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "toy" / "image.h5"
    path.parent.mkdir()
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "toy" / "image.h5"


@pytest.fixture
def sealed(path, make_features):
    """A whole feature file of 12 rows."""
    write_features(path, make_features())
    return path


def refused(path, *words):
    """Reads a damaged file; the one-line message must name the file, the repair and the words."""
    with pytest.raises(DamagedFile) as info:
        read_features(path)
    message = str(info.value)
    assert "\n" not in message
    for word in (str(path), "make it again with `drsl encode image -d toy`", *words):
        assert word in message, message


def writer_of(path, features, **changes):
    columns = {"id": features.id.tolist(), "label": features.label, "split": features.split}
    columns |= {"classes": features.classes, "dim": features.feature.shape[1], "attrs": features.attrs}
    return open_feature_writer(path, **{**columns, **changes})


# What is written comes back.


@given(any_features())
def test_features_come_back_as_they_were_written(scratch, features):
    write_features(scratch, features)
    found = read_features(scratch)
    assert content(found, without=SEAL) == content(features)
    assert (found.feature.dtype, found.label.dtype, found.split.dtype) == (np.float32, np.int64, np.uint8)
    assert found.feature.shape == features.feature.shape
    assert len(found) == len(features.id)


@given(any_features())
def test_reading_and_writing_again_gives_the_same_bytes(scratch, features):
    write_features(scratch, features)
    first = scratch.read_bytes()
    write_features(scratch.with_name("again.h5"), read_features(scratch))
    assert scratch.with_name("again.h5").read_bytes() == first


@given(any_features(), st.lists(st.integers(0, 8), max_size=4))
def test_blocks_of_any_size_give_the_same_bytes(scratch, features, cuts):
    write_features(scratch, features)
    other = scratch.with_name("a much longer name.h5")
    with writer_of(other, features) as writer:
        for block in np.split(features.feature, sorted(min(cut, len(features)) for cut in cuts)):
            writer.append(block)
    assert other.read_bytes() == scratch.read_bytes()


def test_blocks_of_any_size_give_the_same_bytes_across_many_chunks(path, make_features):
    features = make_features(n=700, dim=1024)
    write_features(path, features)
    whole = path.read_bytes()
    with writer_of(path, features) as writer:
        for block in np.array_split(features.feature, 23):
            writer.append(block)
    assert path.read_bytes() == whole
    assert content(read_features(path), without=SEAL) == content(features)


def test_another_time_and_another_process_give_the_same_bytes(sealed, start_python):
    time.sleep(1.1)  # HDF5 could store times in whole seconds
    code = "import sys; from pathlib import Path; from drsl.features import read_features, write_features\n"
    code += "write_features(Path(sys.argv[2]), read_features(Path(sys.argv[1])))"
    other = sealed.parent / "deep" / "other.h5"
    _, stderr = start_python(code, sealed, other).communicate(timeout=60)
    assert stderr == ""
    assert other.read_bytes() == sealed.read_bytes()


@pytest.mark.parametrize(("n", "dim"), [(0, 4), (1, 1), (1, 4096), (5000, 1)])
def test_any_number_of_rows(path, make_features, n, dim):
    features = make_features(n=n, dim=dim)
    write_features(path, features)
    assert content(read_features(path), without=SEAL) == content(features)


def test_other_number_types_and_memory_layouts_are_stored_as_the_contract_says(path, make_features):
    features = make_features()
    wide = np.asfortranarray(features.feature.astype(np.float64))
    wide.flags.writeable = False
    write_features(
        path,
        dataclasses.replace(
            features, feature=wide, label=features.label.astype(np.uint8), split=features.split.astype(np.int32)
        ),
    )
    assert content(read_features(path), without=SEAL) == content(features)


def test_a_long_description_comes_back(path, make_features):
    attrs = {"encoder": "é" * 100_000, "seed": 7, "note": "GCOL" * 3000}
    write_features(path, dataclasses.replace(make_features(), attrs=attrs))
    assert {key: read_features(path).attrs[key] for key in attrs} == attrs


def test_the_file_is_as_the_contract_says(sealed, make_features):
    features = make_features()
    with h5py.File(sealed) as file:
        assert file["feature"].shape == (12, 8)
        assert (file["feature"].dtype, file["feature"].fletcher32) == (np.float32, True)
        assert (file["label"].dtype, file["split"].dtype) == (np.int64, np.uint8)
        assert file["id"].asstr()[...].tolist() == features.id.tolist()
        assert tuple(file["classes"].asstr()[...]) == features.classes
        assert (file.attrs["format"], file.attrs["version"]) == (FORMAT, VERSION) == ("drsl-features", 1)
        assert {key: file.attrs[key] for key in features.attrs} == features.attrs
        assert (file.attrs["rows"], file.attrs["sealed"]) == (12, 1)


def test_the_digest_depends_on_every_column_and_on_the_recipe(path, make_features):
    features = make_features()
    changes = [
        {},
        {"feature": features.feature[::-1]},
        {"label": features.label[::-1]},
        {"split": features.split[::-1]},
        {"id": features.id[::-1]},
        {"classes": features.classes[::-1]},
        {"attrs": {**features.attrs, "encoder": "{}"}},
    ]
    digests = set()
    for change in changes:
        write_features(path, dataclasses.replace(features, **change))
        digests.add(read_features(path).attrs["digest"])
    assert len(digests) == len(changes)


@given(any_features())
def test_the_splits_share_out_all_rows_in_order(features):
    parts = {name: features.select(name) for name in ("train", "val", "test")}
    for code, part in enumerate(parts.values()):
        rows = np.flatnonzero(features.split == code)
        assert part.id.tolist() == features.id[rows].tolist()
        assert part.feature.tobytes() == features.feature[rows].tobytes()
        assert part.label.tolist() == features.label[rows].tolist()
        assert set(part.split.tolist()) <= {code}
        assert (part.classes, part.attrs) == (features.classes, features.attrs)
    assert sum(len(part) for part in parts.values()) == len(features)


def test_an_unknown_split_is_refused_with_the_nearest_one(make_features):
    with pytest.raises(SettingError, match=r"split: 'trian' .*did you mean 'train'"):
        make_features().select("trian")


# Writing leaves a whole file or nothing.


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([np.zeros((11, 8))], "11 rows were written, 12 announced"),
        ([np.zeros((13, 8))], "does not fit"),
        ([np.zeros((12, 8)), np.zeros((1, 8))], "does not fit"),
        ([np.zeros((12, 7))], "does not fit"),
        ([np.zeros(8)], "does not fit"),
        ([np.zeros((3, 8)), np.full((9, 8), np.nan)], "row 3 .*not finite"),
        ([np.full((12, 8), -np.inf)], "row 0 .*not finite"),
        ([np.full((12, 8), 1e300)], "row 0 .*not finite"),
        ([], "0 rows were written"),
    ],
)
def test_wrong_rows_are_refused_and_leave_nothing(path, make_features, blocks, message):
    with pytest.raises(ValueError, match=message), writer_of(path, make_features()) as writer:
        for block in blocks:
            writer.append(block)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ["a"] * 12},
        {"id": ["a", "b"]},
        {"id": ["nul\0"] + [str(row) for row in range(11)]},
        {"label": np.zeros(11, dtype=np.int64)},
        {"label": np.full(12, 3)},
        {"label": np.full(12, -1)},
        {"split": np.zeros(13, dtype=np.uint8)},
        {"split": np.full(12, 3)},
        {"split": np.full(12, 256)},
        {"classes": ()},
    ],
)
def test_wrong_columns_are_refused_before_the_first_row(path, make_features, changes):
    with pytest.raises(ValueError, match=r"."), writer_of(path, make_features(), **changes):
        pytest.fail("the block must not run")
    assert not path.parent.exists() or list(path.parent.iterdir()) == []


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, UserError])
def test_a_block_that_raises_leaves_the_old_file_and_nothing_else(sealed, make_features, error):
    before = sealed.read_bytes()
    with pytest.raises(error), writer_of(sealed, make_features(seed=1)) as writer:
        writer.append(np.zeros((3, 8)))
        raise error
    assert sealed.read_bytes() == before
    assert list(sealed.parent.iterdir()) == [sealed]


def test_a_killed_process_leaves_no_file_and_the_next_one_writes_the_same_bytes(sealed, start_python, make_features):
    other = sealed.parent / "other.h5"
    code = """
import os, sys
from pathlib import Path
from drsl.features.store import open_feature_writer, read_features
old = read_features(Path(sys.argv[1]))
columns = dict(id=old.id.tolist(), label=old.label, split=old.split, classes=old.classes, dim=8, attrs=old.attrs)
with open_feature_writer(Path(sys.argv[2]), **columns) as writer:
    writer.append(old.feature[:5])
    os._exit(9)
"""
    process = start_python(code, sealed, other)
    assert process.wait(timeout=60) == 9
    assert not other.exists()
    assert len(list(sealed.parent.iterdir())) == 2  # and the temporary file of the dead process
    write_features(other, make_features())
    assert other.read_bytes() == sealed.read_bytes()
    assert sorted(sealed.parent.iterdir()) == [sealed, other]


def test_an_output_that_is_a_folder(path, make_features):
    path.mkdir(parents=True)
    with pytest.raises(UserError, match=r"image\.h5 is a folder"), writer_of(path, make_features()):
        pytest.fail("the block must not run")


def test_a_folder_without_permission(read_only_folder, make_features):
    with pytest.raises(UserError, match="allow writing in"), writer_of(read_only_folder / "a.h5", make_features()):
        pytest.fail("the block must not run")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
@pytest.mark.parametrize("kept", [0, 3000, 100_000, 600_000])
def test_a_full_disk_is_found_before_the_first_row(sealed, start_python, kept):
    code = """
import resource, sys
from pathlib import Path
import numpy as np
from drsl.features.errors import UserError
from drsl.features.store import open_feature_writer
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
ids, zeros = [str(row) for row in range(2000)], np.zeros(2000, dtype=np.int64)
try:
    with open_feature_writer(Path(sys.argv[1]), id=ids, label=zeros, split=zeros, classes=["a"], dim=100, attrs={}):
        print("the block ran")
except UserError as error:
    print(error)
"""
    before = sealed.read_bytes()
    process = start_python(code, sealed, kept)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")
    assert stdout.count("\n") == 1
    for words in (f"cannot write {sealed}", "bytes are needed", "bytes are free", "make room"):
        assert words in stdout
    assert sealed.read_bytes() == before
    assert list(sealed.parent.iterdir()) == [sealed]


@pytest.mark.parametrize(("n", "dim", "length"), [(0, 3, 1), (1, 1, 1), (3000, 1, 500), (400, 1000, 10), (20, 2, 9000)])
def test_the_room_claimed_is_enough(path, monkeypatch, n, dim, length):
    claimed = []
    monkeypatch.setattr("drsl.features.hdf5.reserve", lambda path, file, size: claimed.append(size))
    names = tuple(f"{row:é>{length}}" for row in range(n)) or ("one",)
    zeros = np.zeros(n, dtype=np.int64)
    attrs = {"encoder": "x" * 20_000}
    write_features(path, Features(np.array(names[:n], dtype=object), np.zeros((n, dim)), zeros, zeros, names, attrs))
    assert claimed
    assert path.stat().st_size <= min(claimed)


# Damage is found.


def test_a_missing_file_names_the_command_that_makes_it(path):
    with pytest.raises(MissingFile, match="drsl encode") as info:
        read_features(path)
    assert str(path) in str(info.value)


@pytest.mark.parametrize(
    "junk", [b"", b"\0", b"not HDF5", b"\0" * 4096, b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + b"\3" * 999]
)
def test_another_format(sealed, junk):
    sealed.write_bytes(junk)
    refused(sealed)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.9999])
def test_a_file_cut_short(sealed, share):
    whole = sealed.read_bytes()
    sealed.write_bytes(whole[: int(share * len(whole))])
    refused(sealed)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.25, 0.5, 0.75, 0.9])
def test_zeros_at_the_end_as_after_a_power_cut(sealed, share):
    whole = sealed.read_bytes()
    sealed.write_bytes(whole[: int(share * len(whole))].ljust(len(whole), b"\0"))
    refused(sealed)


def test_every_wrong_bit_in_a_stored_number_is_found(sealed, make_features):
    features = make_features()
    whole = sealed.read_bytes()
    for column in (features.feature, features.label, features.split):
        start = whole.index(column.tobytes())
        for place in range(start, start + column.nbytes + 4):  # and the checksum behind it
            damaged = bytearray(whole)
            damaged[place] ^= 1 << place % 8
            sealed.write_bytes(damaged)
            refused(sealed)


def test_every_wrong_bit_in_a_text_is_found(sealed, make_features):
    features = make_features()
    whole = sealed.read_bytes()
    for text in (*features.id, *features.classes, *features.attrs.values(), FORMAT):
        start = whole.index(text.encode())
        for place in range(start - 16, start + len(text)):  # with HDF5's counters in front, which can hang it
            damaged = bytearray(whole)
            damaged[place] ^= 1 << place % 8
            sealed.write_bytes(damaged)
            refused(sealed)


@pytest.mark.parametrize("first", range(3))
def test_a_wrong_bit_anywhere_is_found_or_changes_nothing(sealed, first):
    right, whole = content(read_features(sealed)), sealed.read_bytes()
    for place in range(first, len(whole), 21):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        sealed.write_bytes(damaged)
        try:
            found = content(read_features(sealed))
        except DamagedFile:
            continue
        assert found == right, f"byte {place}"


@pytest.mark.parametrize("name", ["id", "feature", "label", "split", "classes"])
def test_a_missing_column(sealed, name):
    with h5py.File(sealed, "r+") as file:
        del file[name]
    refused(sealed, "damaged or not a feature file")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("feature", lambda old: old.astype(np.float64)),
        ("feature", lambda old: old.astype(">f4")),
        ("feature", lambda old: old.astype(np.int32)),
        ("feature", lambda old: old.reshape(-1)),
        ("feature", lambda old: old.reshape(12, 8, 1)),
        ("feature", lambda old: old[:11]),
        ("feature", lambda old: old[:, :7]),
        ("feature", lambda old: old.T),
        ("label", lambda old: old.astype(np.int32)),
        ("label", lambda old: old.astype(np.float64)),
        ("label", lambda old: old[:, np.newaxis]),
        ("label", lambda old: old[:5]),
        ("split", lambda old: old.astype(np.int64)),
        ("split", lambda old: old.reshape(12, 1)),
        ("id", lambda old: np.arange(12)),
        ("id", lambda old: old[:5]),
        ("id", lambda old: old.reshape(12, 1)),
        ("id", lambda old: old[0]),
        ("classes", lambda old: old[0]),
        ("classes", lambda old: np.arange(3)),
        ("classes", lambda old: old[:0]),
        ("classes", lambda old: old.reshape(1, 3)),
    ],
)
def test_a_column_of_a_wrong_type_or_shape(sealed, name, change):
    with h5py.File(sealed, "r+") as file:
        old = file[name][...]
        del file[name]
        file[name] = change(old)
    refused(sealed)


@pytest.mark.parametrize("name", ["id", "feature", "label", "split", "classes"])
def test_a_group_instead_of_a_column(sealed, name):
    with h5py.File(sealed, "r+") as file:
        del file[name]
        file.create_group(name)
    refused(sealed)


def test_a_shape_larger_than_the_file(sealed):
    with h5py.File(sealed, "r+") as file:
        del file["feature"]
        file.create_dataset("feature", (12, 1 << 40), np.float32, chunks=(1, 1024))
    refused(sealed, "shorter than its own features")


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_with_its_id(sealed, number):
    with h5py.File(sealed, "r+") as file:
        file["feature"][5, 3] = number
    refused(sealed, "the feature of 'item-5' is NaN or infinite")


@pytest.mark.parametrize("label", [-1, 3, 1 << 40])
def test_a_label_out_of_range_with_its_id(sealed, label):
    with h5py.File(sealed, "r+") as file:
        file["label"][7] = label
    refused(sealed, "the label of 'item-7' is out of range")


def test_a_split_out_of_range_with_its_id(sealed):
    with h5py.File(sealed, "r+") as file:
        file["split"][11] = 3
    refused(sealed, "the split of 'item-11' is out of range")


@pytest.mark.parametrize("name", ["feature", "label", "split", "id", "classes"])
def test_a_column_that_was_changed_after_the_seal(sealed, name):
    with h5py.File(sealed, "r+") as file:
        file[name][...] = file[name][...][::-1]
    refused(sealed)


@pytest.mark.parametrize("key", ["dataset", "modality", "encoder", "manifest_digest", "fingerprint"])
def test_a_description_that_was_changed_after_the_seal(sealed, key):
    with h5py.File(sealed, "r+") as file:
        file.attrs[key] = "another"
    refused(sealed)


def test_a_description_that_was_added_or_removed_after_the_seal(sealed):
    with h5py.File(sealed, "r+") as file:
        file.attrs["seed"] = 3
    refused(sealed, "changed after it was sealed")
    with h5py.File(sealed, "r+") as file:
        del file.attrs["seed"]
        del file.attrs["encoder"]
    refused(sealed)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("sealed", 0, "never sealed"),
        ("sealed", None, "never sealed"),
        ("version", 2, "version 2, this program reads 1"),
        ("version", np.inf, ""),
        ("version", None, ""),
        ("rows", 11, "do not all have 11 rows"),
        ("rows", None, ""),
        ("format", 3, "not 'drsl-features'"),
        ("format", [1, 2], ""),
        ("format", None, "not 'drsl-features'"),
        ("digest", np.bytes_("0" * 64), "changed after it was sealed"),
        ("digest", None, ""),
        ("texts", None, "it has no seal"),
        ("texts", 3, ""),
    ],
)
def test_a_head_that_is_not_right(sealed, key, value, words):
    with h5py.File(sealed, "r+") as file:
        if value is None:
            del file.attrs[key]
        else:
            file.attrs[key] = value
    refused(sealed, words)


def test_hdf5_of_somebody_else(sealed):
    sealed.unlink()
    with h5py.File(sealed, "w") as file:
        file["feature"] = np.zeros((3, 4))
    refused(sealed, "it has no seal of drsl-features")


def test_a_file_without_permission(sealed, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(h5py, "File", refuse)
    refused(sealed, "Permission denied")


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_refused(scratch, junk, signed):
    scratch.write_bytes(b"\x89HDF\r\n\x1a\n" * signed + junk)
    refused(scratch)


@given(data=st.data())
def test_any_damage_is_found_or_changes_nothing(scratch, make_features, data):
    write_features(scratch, make_features())
    right, damaged = content(read_features(scratch)), bytearray(scratch.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(damaged)))
        damaged[start : start + data.draw(st.integers(0, 100))] = data.draw(st.binary(max_size=100))
    scratch.write_bytes(damaged)
    try:
        found = content(read_features(scratch))
    except DamagedFile:
        return
    assert found == right
