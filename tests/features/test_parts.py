import json
import mmap
import signal
import sys

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from drsl.features import open_parts
from drsl.features.errors import DamagedFile, MissingFile, SettingError, UserError
from drsl.features.parts import FORMAT, KINDS, VERSION, open_parts_writer

WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
HALF = st.floats(width=16, allow_nan=False, allow_infinity=False)


def columns_of(rows):
    return {
        "id": [f"item-{row}" for row in range(rows)],
        "label": np.arange(rows) % 3,
        "split": np.arange(rows) // 3 % 3,
        "classes": ("red", "grün", "blue"),
        "attrs": {"dataset": "toy", "manifest_digest": "0" * 64, "encoder": '{"architecture":"toy"}'},
    }


def contents(kind, rows=12, seed=0, wide=7):
    """Parts of one kind with all that the writer takes: part, mask, shape, words and vectors."""
    draw = np.random.default_rng(seed)
    if kind == "words":
        part = draw.integers(0, 4, (rows, wide)).astype(np.int32)
        vectors = np.concatenate([np.zeros((1, 5)), draw.standard_normal((3, 5))]).astype(np.float32)
        return {"part": part, "mask": None, "extra": {"words": ("a", "bé", "c"), "vectors": vectors}}
    part = draw.standard_normal((rows, 4, wide)).astype(np.float16)
    mask = draw.random((rows, 4)) < 0.7 if KINDS[kind].masked else None
    return {"part": part, "mask": mask, "extra": {}}


def write(path, kind, blocks=1, **given):
    made = given.pop("made", None) or contents(kind, **given)
    about = columns_of(len(made["part"]))
    with open_parts_writer(path, kind, shape=made["part"].shape[1:], **about, **made["extra"]) as writer:
        for rows in np.array_split(np.arange(len(made["part"])), blocks):
            writer.append(made["part"][rows], None if made["mask"] is None else made["mask"][rows])
    return made


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "toy"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("parts") / "toy"


def path_of(folder, kind):
    return folder / f"{KINDS[kind].modality}.{kind}.h5"


def refused(path, *words):
    """Opens a damaged file and reads it whole; the one-line message must name the file, the repair and the words."""
    with pytest.raises(DamagedFile) as info:
        open_parts(path, verify=True)
    message, (modality, kind, _) = str(info.value), path.name.split(".")
    assert "\n" not in message
    for word in (str(path), f"make it with `drsl encode {modality} --parts {kind} -d toy`", *words):
        assert word in message, message


# What is written comes back.


@pytest.mark.parametrize("kind", KINDS)
def test_parts_come_back_as_they_were_written(folder, kind):
    made = write(path_of(folder, kind), kind, blocks=3)
    found = open_parts(path_of(folder, kind))
    about = columns_of(12)
    assert found.id.tolist() == about["id"]
    assert found.label.tolist() == about["label"].tolist()
    assert found.split.tolist() == about["split"].tolist()
    assert found.classes == about["classes"]
    assert {key: found.attrs[key] for key in about["attrs"]} == about["attrs"]
    assert (found.kind, len(found)) == (kind, 12)
    assert (found.part.dtype, found.part.shape) == (KINDS[kind].dtype, made["part"].shape)
    assert np.asarray(found.part).tobytes() == made["part"].tobytes()
    if made["mask"] is None:
        assert found.mask is None
    else:
        assert found.mask[:].dtype == np.bool_
        assert np.array_equal(found.mask, made["mask"])
    assert found.words == made["extra"].get("words", ())
    if kind == "words":
        assert np.array_equal(found.vectors, made["extra"]["vectors"])
    assert set(found.arrays) == {"part"} | ({"mask"} if KINDS[kind].masked else set()) | (
        {"vectors"} if kind == "words" else set()
    )


@given(
    arrays.arrays(np.float16, st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 3)), elements=HALF),
    st.lists(WORD, min_size=6, max_size=6, unique=True),
    st.integers(1, 4),
)
def test_any_numbers_and_names_come_back(scratch, part, ids, blocks):
    about = columns_of(len(part)) | {"id": ids[: len(part)]}
    path, again = scratch / "image.grid.h5", scratch / "image.grid.again.h5"
    for place, count in ((path, 1), (again, blocks)):
        with open_parts_writer(place, "grid", shape=part.shape[1:], **about) as writer:
            for rows in np.array_split(part, count):
                writer.append(rows)
    found = open_parts(path, verify=True)
    assert np.asarray(found.part).tobytes() == part.tobytes()
    assert found.part.shape == part.shape
    assert found.id.tolist() == about["id"]
    assert again.read_bytes() == path.read_bytes()


def test_blocks_of_any_size_give_the_same_bytes_across_many_checksums(folder):
    made = contents("sentences", rows=700, wide=300)
    bytes_of = []
    for blocks in (1, 23, 700):
        write(folder / f"{blocks}" / "text.sentences.h5", "sentences", blocks=blocks, made=made)
        bytes_of.append((folder / f"{blocks}" / "text.sentences.h5").read_bytes())
    assert bytes_of[0] == bytes_of[1] == bytes_of[2]


def test_rows_are_read_as_numpy_reads_them(folder):
    path = folder / "image.grid.h5"
    part = write(path, "grid", rows=3000, wide=32)["part"]
    keys = [0, -1, np.int64(7), slice(5, 9), slice(None, None, 700), slice(9, 3, -2), [2, 2999, -3], np.array([4, 4])]
    keys += [
        np.arange(3000) % 1000 == 1,
        [],
        ...,
        slice(4, 4),
        (3, 1),
        ([5, 1200], slice(1, 3), 0),
        (slice(2, 900), -1),
    ]
    for key in keys:
        found = open_parts(path).part[key]
        assert np.array_equal(found, part[key]), key
        assert found.flags.writeable  # the reader's own, not the file's
    for key in (3000, -3001, [0, 3000], np.ones(4, dtype=bool), (0, 4)):
        with pytest.raises(IndexError):
            open_parts(path).part[key]


def test_rows_of_a_split(folder):
    path = folder / "image.grid.h5"
    write(path, "grid")
    found = open_parts(path)
    assert found.rows("val").tolist() == [3, 4, 5]
    with pytest.raises(SettingError, match="did you mean 'train'"):
        found.rows("trian")


def test_the_file_is_as_the_contract_says(folder):
    path = folder / "text.words.h5"
    write(path, "words")
    with h5py.File(path) as file:
        assert (file["part"].dtype, file["vectors"].dtype) == (np.int32, np.float32)
        assert file["part"].chunks is None
        assert file["part"].id.get_offset() % 64 == file["vectors"].id.get_offset() % 64 == 0
        assert file["words"].asstr()[...].tolist() == ["a", "bé", "c"]
        assert (file.attrs["format"], file.attrs["version"], file.attrs["sealed"]) == (FORMAT, VERSION, 1)
        assert FORMAT == "drsl-parts"


def test_an_open_file_may_be_replaced(folder):
    path = folder / "image.grid.h5"
    before = write(path, "grid")["part"]
    found = open_parts(path)
    write(path, "grid", seed=1)
    assert np.array_equal(found.part, before)
    assert not np.array_equal(open_parts(path).part, before)


# Large files.

_WRITE = """
import resource, sys
from pathlib import Path
import numpy as np
from drsl.features.parts import open_parts_writer
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
count, block = int(sys.argv[2]), np.ones((50, 49, 512), dtype=np.float32)
zeros, ids = np.zeros(count, dtype=np.int64), [str(row) for row in range(count)]
with open_parts_writer(
    Path(sys.argv[1]), "grid", id=ids, label=zeros, split=zeros, classes=["a"], shape=(49, 512), attrs={}
) as writer:
    writer.append(block)
    before = peak()
    for _ in range(count // 50 - 1):
        writer.append(block)
print(peak() - before)
"""
_READ = """
import resource, sys
from pathlib import Path
from drsl.features import open_parts
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
open_parts(Path(sys.argv[2])).part[0]
before = peak()
found = open_parts(Path(sys.argv[1]), verify=sys.argv[3] == "all")
found.part[1500]
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux")
def test_memory_grows_neither_with_what_is_written_nor_with_what_is_read(folder, start_python):
    path, small = folder / "image.grid.h5", folder / "small" / "image.grid.h5"
    write(small, "grid")

    def said(code, *arguments):
        out, err = start_python(code, *arguments).communicate(timeout=60)
        assert err == ""
        return int(out)

    assert said(_WRITE, path, 3000) < 30
    assert path.stat().st_size > 3000 * 49 * 512 * 2  # 150 MB
    assert said(_READ, path, small, "one") < 20
    assert said(_READ, path, small, "all") < 100  # what was compared is let go of
    assert isinstance(open_parts(path).part._content, mmap.mmap)


def test_a_killed_process_leaves_no_file_and_the_next_one_starts_over(folder, start_python):
    path = folder / "image.grid.h5"
    code = _WRITE.replace("    before = peak()", "    print('writing', flush=True)\n    sys.stdin.read()")
    process = start_python(code, path, 3000)
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    assert not path.exists()
    assert len(list(folder.iterdir())) == 1  # the temporary file of the dead process
    write(path, "grid")
    assert list(folder.iterdir()) == [path]
    open_parts(path, verify=True)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
def test_a_full_disk_is_found_before_the_first_row(folder, start_python):
    path = folder / "image.grid.h5"
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\nimport drsl.features.errors\ntry:\n    "
    code = _WRITE.replace("with open", limit + "manager = open").replace(") as writer:", ").__enter__()", 1)
    code = code[: code.index("    writer.append")] + "except drsl.features.errors.UserError as error:\n    print(error)"
    out, err = start_python(code, path, 3000).communicate(timeout=60)
    assert err == ""
    for words in (f"cannot write {path}", "bytes are needed", "make room"):
        assert words in out
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("kind", "rows", "wide"), [("words", 0, 1), ("grid", 1, 1), ("sentences", 3000, 9)])
def test_the_room_claimed_is_enough(folder, monkeypatch, kind, rows, wide):
    claimed = []
    monkeypatch.setattr("drsl.features.hdf5.reserve", lambda path, file, size: claimed.append(size))
    write(path_of(folder, kind), kind, rows=rows, wide=wide)
    assert path_of(folder, kind).stat().st_size <= min(claimed)


# Wrong content is refused, and leaves nothing.


@pytest.mark.parametrize(
    ("number", "kept"), [(65504, True), (65505, False), (-1e9, False), (np.nan, False), (np.inf, False)]
)
def test_a_value_that_float16_cannot_hold_is_refused_with_its_id(folder, number, kept):
    path = folder / "image.grid.h5"
    made = contents("grid")
    made["part"] = made["part"].astype(np.float32)
    made["part"][5, 3, 2] = number
    if kept:
        write(path, "grid", made=made, blocks=5)
        assert open_parts(path).part[5, 3, 2] == number
        return
    with pytest.raises(UserError, match="a part of 'item-5' is NaN, infinite or larger than float16 holds"):
        write(path, "grid", made=made, blocks=5)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "part", "mask", "message"),
    [
        ("grid", np.zeros((11, 4, 7)), None, "11 rows were written, 12 announced"),
        ("grid", np.zeros((13, 4, 7)), None, "do not fit"),
        ("grid", np.zeros((12, 4, 6)), None, "do not fit"),
        ("grid", np.zeros((12, 28)), None, "do not fit"),
        ("grid", np.zeros((12, 4, 7)), np.ones((12, 4)), "no mask"),
        ("sentences", np.zeros((12, 4, 7)), None, "has a mask"),
        ("sentences", np.zeros((12, 4, 7)), np.ones((12, 3)), "do not fit"),
        ("sentences", np.zeros((12, 4, 7)), np.ones((11, 4)), "11 rows were written"),
        ("words", np.full((12, 7), 4), None, "not from 0 to 3"),
        ("words", np.full((12, 7), -1), None, "not from 0 to 3"),
    ],
)
def test_wrong_rows(folder, kind, part, mask, message):
    made = contents(kind)
    about = columns_of(12)
    writing = open_parts_writer(folder / "a.h5", kind, shape=made["part"].shape[1:], **about, **made["extra"])
    with pytest.raises(ValueError, match=message), writing as writer:
        writer.append(part, mask)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("grid", {"shape": (4,)}),
        ("words", {"shape": (4, 2)}),
        ("words", {"vectors": None}),
        ("words", {"words": ("a",)}),
        ("words", {"vectors": np.full((4, 5), np.nan)}),
        ("grid", {"vectors": np.zeros((1, 5))}),
        ("grid", {"id": ["a"] * 12}),
        ("grid", {"label": np.full(12, 3)}),
        ("grid", {"split": np.full(12, 3)}),
        ("grid", {"split": np.zeros(11)}),
    ],
)
def test_wrong_columns_are_refused_before_the_first_row(folder, kind, changes):
    made = contents(kind)
    about = {"shape": made["part"].shape[1:], **columns_of(12), **made["extra"], **changes}
    with pytest.raises(ValueError, match=r"."), open_parts_writer(folder / "a.h5", kind, **about):
        pytest.fail("the block must not run")
    assert not folder.exists()


def test_an_unknown_kind(folder):
    with (
        pytest.raises(SettingError, match="did you mean 'grid'"),
        open_parts_writer(folder / "a.h5", "grit", shape=(1, 1), **columns_of(1)),
    ):
        pytest.fail("the block must not run")


# Damage is found.


def test_a_missing_file_names_the_command_that_makes_it(folder):
    with pytest.raises(MissingFile, match="drsl encode image --parts patches -d toy"):
        open_parts(folder / "image.patches.h5")


@pytest.mark.parametrize("junk", [b"", b"\0", b"not HDF5", b"\0" * 4096, b"\x89HDF\r\n\x1a\n" + b"\3" * 999])
def test_another_format(folder, junk):
    folder.mkdir()
    (folder / "image.grid.h5").write_bytes(junk)
    refused(folder / "image.grid.h5")


def test_a_feature_file_is_not_a_parts_file(folder, make_features):
    from drsl.features import write_features

    write_features(folder / "image.grid.h5", make_features())
    refused(folder / "image.grid.h5", "format is 'drsl-features'")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.9999])
def test_a_file_cut_short_or_with_zeros_at_its_end(folder, kind, share):
    path = path_of(folder, kind)
    write(path, kind)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    refused(path)
    if share < 0.9:
        path.write_bytes(whole[: int(share * len(whole))].ljust(len(whole), b"\0"))
        refused(path)


@pytest.mark.parametrize("kind", KINDS)
def test_every_wrong_bit_in_a_stored_number_is_found(folder, kind):
    path = path_of(folder, kind)
    made = write(path, kind)
    whole = path.read_bytes()
    stored = [made["part"], np.arange(12) % 3, (np.arange(12) // 3 % 3).astype(np.uint8)]
    stored += [each for each in (made["mask"], made["extra"].get("vectors")) if each is not None]
    for column in stored:
        start = whole.index(column.tobytes())
        for place in range(start, start + column.nbytes, 3):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << place % 8
            path.write_bytes(damaged)
            refused(path)


@pytest.mark.parametrize("kind", ["grid", "words"])
def test_every_wrong_bit_in_a_text_is_found(folder, kind):
    path = path_of(folder, kind)
    made = write(path, kind)
    whole = path.read_bytes()
    about = columns_of(12)
    for text in (*about["id"], *about["classes"], *about["attrs"].values(), *made["extra"].get("words", ()), FORMAT):
        start = whole.index(text.encode())
        for place in range(start - 16, start + len(text.encode()), 2):  # with HDF5's counters, which can hang it
            damaged = bytearray(whole)
            damaged[place] ^= 1 << place % 8
            path.write_bytes(damaged)
            refused(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_bit_anywhere_is_found_or_changes_nothing(folder, kind):
    def content():
        found = open_parts(path)
        columns = [each.tolist() for each in (found.id, found.label, found.split)]
        return [
            *columns,
            found.classes,
            found.words,
            dict(found.attrs),
            *(each[:].tobytes() for each in found.arrays.values()),
        ]

    path = path_of(folder, kind)
    write(path, kind)
    right, whole = content(), path.read_bytes()
    for place in range(0, len(whole), 41):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            found = content()
        except DamagedFile:
            continue
        assert found == right, f"byte {place}"


def test_opening_does_not_read_the_rows_but_reading_proves_them(folder):
    path = folder / "image.grid.h5"
    part = write(path, "grid", rows=3000, wide=32)["part"]
    with path.open("r+b") as file:
        file.seek(path.read_bytes().index(part.tobytes()) + 2000 * part[0].nbytes)
        file.write(b"\1\1")
    found = open_parts(path)
    assert np.array_equal(found.part[:10], part[:10])
    with pytest.raises(
        DamagedFile, match=r"image\.grid\.h5: the part of 'item-\d+' or of the \d+ behind it was changed"
    ):
        found.part[[3, 2001]]
    with pytest.raises(DamagedFile, match="drsl encode image --parts grid -d toy"):
        open_parts(path, verify=True)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_with_its_id(folder, number):
    path = folder / "image.grid.h5"
    write(path, "grid")
    with h5py.File(path, "r+") as file:
        file["part"][5, 3, 1] = number
    refused(path, "the part of 'item-5' holds a value that is NaN, infinite or out of range")


@pytest.mark.parametrize("number", [-1, 4, 1 << 30])
def test_a_word_id_out_of_range_with_its_id(folder, number):
    path = folder / "text.words.h5"
    write(path, "words")
    with h5py.File(path, "r+") as file:
        file["part"][7, 3] = number
    refused(path, "the part of 'item-7' holds a value")


def test_a_word_vector_that_is_not_finite_with_its_word(folder):
    path = folder / "text.words.h5"
    write(path, "words")
    with h5py.File(path, "r+") as file:
        file["vectors"][2, 3] = np.nan
    refused(path, "the vectors of 'bé' holds a value")


@pytest.mark.parametrize(
    ("name", "number", "message"),
    [("label", 3, "the label of 'item-6' is out of range"), ("split", 3, "the split of 'item-6' is out of range")],
)
def test_a_label_or_split_out_of_range_with_its_id(folder, name, number, message):
    path = folder / "image.grid.h5"
    write(path, "grid")
    with h5py.File(path, "r+") as file:
        file[name][6] = number
    refused(path, message)


NAMES = {"part", "part_digest", "mask", "mask_digest", "id", "label", "split", "classes"}


@pytest.mark.parametrize(
    ("kind", "name"), [*(("patches", name) for name in sorted(NAMES)), ("words", "words"), ("words", "vectors")]
)
def test_a_missing_column_or_a_group_in_its_place(folder, kind, name):
    path = path_of(folder, kind)
    write(path, kind)
    with h5py.File(path, "r+") as file:
        del file[name]
    refused(path, "damaged or not a parts file")
    with h5py.File(path, "r+") as file:
        file.create_group(name)
    refused(path)


@pytest.mark.parametrize(
    ("kind", "name", "change"),
    [
        ("grid", "part", lambda old: old.astype(np.float32)),
        ("grid", "part", lambda old: old.astype(">f2")),
        ("grid", "part", lambda old: old[:11]),
        ("grid", "part", lambda old: old[:, :3]),
        ("grid", "part", lambda old: old.reshape(12, 28)),
        ("grid", "part", lambda old: old.transpose(0, 2, 1)),
        ("grid", "part_digest", lambda old: old[:0]),
        ("grid", "part_digest", lambda old: old.astype(np.int64)),
        ("grid", "part_digest", lambda old: old[::-1] ^ 1),
        ("sentences", "mask", lambda old: old.astype(np.int64)),
        ("sentences", "mask", lambda old: old[:, :3]),
        ("sentences", "mask", lambda old: ~old),
        ("words", "part", lambda old: old.astype(np.int64)),
        ("words", "vectors", lambda old: old[:3]),
        ("words", "vectors", lambda old: old.astype(np.float64)),
        ("words", "words", lambda old: old[:2]),
        ("words", "words", lambda old: old[::-1]),
        ("grid", "label", lambda old: old.astype(np.int32)),
        ("grid", "label", lambda old: old[::-1]),
        ("grid", "id", lambda old: old[:5]),
        ("grid", "classes", lambda old: old[:0]),
    ],
)
def test_a_column_of_a_wrong_type_or_shape_or_changed(folder, kind, name, change):
    path = path_of(folder, kind)
    write(path, kind)
    with h5py.File(path, "r+") as file:
        old = file[name][...]
        del file[name]
        file[name] = change(old)
    refused(path)


def test_a_chunked_array_and_one_larger_than_the_file(folder):
    path = folder / "image.grid.h5"
    for shape in ((12, 4, 7), (12, 4, 1 << 40)):
        write(path, "grid")
        with h5py.File(path, "r+") as file:
            del file["part"]
            file.create_dataset("part", shape, np.float16, chunks=(1, 4, 7))
        refused(path, "does not lie in one piece")


@pytest.mark.parametrize("key", ["dataset", "kind", "encoder", "manifest_digest"])
def test_a_description_that_was_changed_after_the_seal(folder, key):
    path = folder / "image.grid.h5"
    write(path, "grid")
    with h5py.File(path, "r+") as file:
        file.attrs[key] = "patches" if key == "kind" else json.dumps("another")
    refused(path)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("sealed", 0, "never sealed"),
        ("version", 2, "version 2, this program reads 1"),
        ("rows", 11, "do not all have 11 rows"),
        ("kind", "grit", ""),
        ("format", "drsl-scores", "not 'drsl-parts'"),
        ("digest", np.bytes_("0" * 64), "changed after it was sealed"),
        ("texts", None, "it has no seal"),
    ],
)
def test_a_head_that_is_not_right(folder, key, value, words):
    path = folder / "image.grid.h5"
    write(path, "grid")
    with h5py.File(path, "r+") as file:
        del file.attrs[key]
        if value is not None:
            file.attrs[key] = value
    refused(path, words)
