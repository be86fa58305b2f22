"""Score files: what is written is read, the same scores give the same bytes, and damage is found."""

import h5py
import numpy as np
import pytest

from drsl.evaluate import open_score_writer, read_scores
from drsl.evaluate.scores import FORMAT, VERSION
from drsl.features.errors import DamagedFile, MissingFile, UserError

IMAGES, TEXTS = 7, 5
REPAIR = "`drsl fit -d pascal -m drsl-c -s 3`"
ATTRS = {"dataset": "pascal", "method": "drsl-c", "seed": 3, "rate": 0.1, "exact": True, "note": ""}


def matrix(images=IMAGES, texts=TEXTS):
    return np.random.default_rng(0).standard_normal((images, texts)).astype(np.float32)


def columns(images=IMAGES, texts=TEXTS, **changed):
    return {
        "image_id": [f"bild-{row}-é" for row in range(images)],
        "text_id": [f"text-{row}-文" for row in range(texts)],
        "image_label": np.arange(images) % 3,
        "text_label": np.arange(texts) % 3,
        "classes": ["aeroplane", "dog", "käse"],
        "attrs": ATTRS,
    } | changed


def write(path, score=None, blocks=None, **changed):
    score = matrix() if score is None else score
    with open_score_writer(path, **columns(*score.shape, **changed)) as writer:
        for first, last in blocks or [(0, len(score))]:
            writer.write(first, score[first:last])
    return path


def nothing_left(folder):
    return list(folder.iterdir()) == []


def test_what_is_written_is_read(tmp_path):
    scores = read_scores(write(tmp_path / "0.scores.h5"))
    expected = columns()
    np.testing.assert_array_equal(scores.score, matrix())
    assert scores.score.dtype == np.float32
    assert scores.image_id.tolist() == expected["image_id"]
    assert scores.text_id.tolist() == expected["text_id"]
    assert scores.image_label.tolist() == expected["image_label"].tolist()
    assert scores.text_label.tolist() == expected["text_label"].tolist()
    assert scores.image_label.dtype == scores.text_label.dtype == np.int64
    assert scores.classes == ("aeroplane", "dog", "käse")
    assert {key: scores.attrs[key] for key in ATTRS} == ATTRS
    assert [type(scores.attrs[key]) for key in ATTRS] == [type(value) for value in ATTRS.values()]
    assert len(scores.attrs["digest"]) == 64


def test_numbers_have_checksums_and_no_time_stamp(tmp_path):
    with h5py.File(write(tmp_path / "s.h5")) as file:
        assert all(file[name].fletcher32 for name in ("score", "image_label", "text_label"))
        assert file.attrs["format"] == FORMAT
        assert file.attrs["version"] == VERSION


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (1, 1)])
def test_empty_and_tiny(tmp_path, shape):
    score = matrix(*shape)
    scores = read_scores(write(tmp_path / "s.h5", score))
    np.testing.assert_array_equal(scores.score, score)
    assert (len(scores.image_id), len(scores.text_id)) == shape


@pytest.mark.parametrize(
    "blocks",
    [
        [(row, row + 1) for row in range(IMAGES)],
        [(4, 7), (0, 1), (1, 4)],
        [(0, 7), (2, 5)],  # a shard that was given out again
        [(0, 0), (0, 7)],
    ],
)
def test_the_same_bytes_whatever_the_blocks(tmp_path, blocks):
    expected = write(tmp_path / "a" / "0.scores.h5").read_bytes()
    assert write(tmp_path / "b" / "0.scores.h5", blocks=blocks).read_bytes() == expected


def test_the_same_bytes_over_many_chunks_in_any_order(tmp_path):
    score = matrix(1100, 500)  # 524 rows a chunk
    blocks = [(first, min(first + 90, 1100)) for first in range(0, 1100, 90)]
    expected = write(tmp_path / "a.h5", score).read_bytes()
    assert write(tmp_path / "b.h5", score, blocks=blocks).read_bytes() == expected
    assert write(tmp_path / "c.h5", score, blocks=blocks[::-1]).read_bytes() == expected
    np.testing.assert_array_equal(read_scores(tmp_path / "c.h5").score, score)


def test_the_same_bytes_in_another_process(tmp_path, start_python):
    code = """
import sys
import numpy as np
from drsl.evaluate import open_score_writer
names = {"image_id": list("abc"), "text_id": list("xyz"), "classes": ["c"], "attrs": {"method": "cca", "seed": 1}}
label = np.zeros(3, int)
with open_score_writer(sys.argv[1], image_label=label, text_label=label, **names) as writer:
    writer.write(0, np.eye(3))
"""
    paths = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for path in paths:
        process = start_python(code, path)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_every_part_changes_the_digest(tmp_path):
    other = matrix()
    other[6, 4] = np.nextafter(other[6, 4], np.float32(9))
    variants = [
        {},
        {"score": other},
        {"image_id": [f"other-{row}" for row in range(IMAGES)]},
        {"text_id": [f"other-{row}" for row in range(TEXTS)]},
        {"image_label": np.zeros(IMAGES, int)},
        {"text_label": np.zeros(TEXTS, int)},
        {"classes": ["aeroplane", "dog", "cat"]},
        {"attrs": ATTRS | {"seed": 4}},
        {"attrs": ATTRS | {"more": "x"}},
    ]
    digests = [read_scores(write(tmp_path / f"{row}.h5", **each)).attrs["digest"] for row, each in enumerate(variants)]
    assert len(set(digests)) == len(variants)


def test_attributes_that_were_read_can_be_written_again(tmp_path):
    first = write(tmp_path / "a.h5")
    again = write(tmp_path / "b.h5", attrs=read_scores(first).attrs)
    assert again.read_bytes() == first.read_bytes()


def test_scores_of_another_type_are_stored_as_float32(tmp_path):
    score = np.asfortranarray(matrix().astype(np.float64))
    score.flags.writeable = False
    assert write(tmp_path / "a.h5", score).read_bytes() == write(tmp_path / "b.h5").read_bytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_scores_that_are_not_finite_are_refused_and_name_the_method(tmp_path, value):
    score = matrix().astype(np.float64)
    score[4, 2] = value
    with pytest.raises(UserError, match=r"^drsl-c gives scores .*'bild-4-é', text 'text-2-文'.*fit it again"):
        write(tmp_path / "s.h5", score, blocks=[(0, 3), (3, 7)])
    assert nothing_left(tmp_path)


def test_a_row_that_was_not_written_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="row 3 of 7 was never written"):
        write(tmp_path / "s.h5", blocks=[(0, 3), (4, 7)])
    assert nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("first", "shape"), [(-1, (2, 5)), (6, (2, 5)), (0, (2, 4)), (0, (2, 6)), (0, (5,)), (0, (8, 5))]
)
def test_a_block_that_does_not_fit_is_an_error(tmp_path, first, shape):
    with (
        pytest.raises(ValueError, match="does not fit in"),
        open_score_writer(tmp_path / "s.h5", **columns()) as writer,
    ):
        writer.write(first, np.zeros(shape))
    assert nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"image_id": ["same"] * IMAGES}, "image_id must be unique"),
        ({"text_id": ["same"] * TEXTS}, "text_id must be unique"),
        ({"image_label": np.zeros(IMAGES - 1, int)}, "image_label must hold 7 integers"),
        ({"text_label": np.zeros(TEXTS)}, "text_label must hold 5 integers"),
        ({"image_label": np.full(IMAGES, 3)}, "image_label must be from 0 to 2"),
        ({"text_label": np.full(TEXTS, -1)}, "text_label must be from 0 to 2"),
        ({"attrs": {"settings": {"a": 1}}}, "attribute settings must be a string or a number, not dict"),
        ({"attrs": {"settings": None}}, "attribute settings must be a string or a number, not NoneType"),
    ],
)
def test_columns_that_do_not_fit_are_an_error(tmp_path, changed, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "s.h5", **changed)
    assert nothing_left(tmp_path)


def test_an_error_while_writing_leaves_the_old_file(tmp_path):
    path = write(tmp_path / "s.h5")
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), open_score_writer(path, **columns()) as writer:
        writer.write(0, np.zeros((3, TEXTS)))
        raise KeyboardInterrupt
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["s.h5"]


def test_a_full_disk_is_told_before_the_first_row(tmp_path, start_python):
    pytest.importorskip("resource", reason="this system cannot limit the size of a file")
    code = """
import resource, sys
import numpy as np
from drsl.evaluate import open_score_writer
from drsl.features.errors import UserError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
names = [str(each) for each in range(400)]
label = np.zeros(400, int)
try:
    with open_score_writer(
        sys.argv[1], image_id=names, text_id=names, image_label=label, text_label=label, classes=["c"], attrs={}
    ):
        raise SystemExit("the room was not claimed")
except UserError as error:
    assert "cannot write" in str(error), error
"""
    process = start_python(code, tmp_path / "s.h5")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (7, 5), (600, 500), (3, 20_000), (3000, 2)])
def test_the_claimed_room_is_enough(tmp_path, shape, monkeypatch):
    claimed = []
    monkeypatch.setattr("drsl.features.hdf5.reserve", lambda path, file, size: claimed.append(size))
    path = write(tmp_path / "s.h5", matrix(*shape))
    assert claimed[0] == claimed[1] >= path.stat().st_size


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("results/pascal/drsl-c/3.scores.h5", REPAIR),
        ("somewhere/else.h5", "`drsl fit -d DATASET -m METHOD -s SEED`"),
        ("results/pascal/drsl-c/best.scores.h5", "`drsl fit -d DATASET -m METHOD -s SEED`"),
    ],
)
def test_a_missing_file_names_the_command_that_makes_it(tmp_path, name, command):
    with pytest.raises(MissingFile) as caught:
        read_scores(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert command in str(caught.value)


def test_a_folder_is_not_a_score_file(tmp_path):
    with pytest.raises(MissingFile):
        read_scores(tmp_path)


def damaged(path, *words):
    with pytest.raises(DamagedFile) as caught:
        read_scores(path)
    for word in (str(path), "make it again with", *words):
        assert word in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89HDF\r\n\x1a\n", b"\0" * 5000])
def test_a_file_of_another_kind(tmp_path, content):
    path = tmp_path / "results" / "pascal" / "drsl-c" / "3.scores.h5"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    damaged(path, REPAIR)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
def test_a_file_cut_short(tmp_path, share):
    path = write(tmp_path / "s.h5", matrix(300, 300))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    damaged(path)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"format": "drsl-features"}, ("format is 'drsl-features', not 'drsl-scores'", REPAIR)),
        ({"version": VERSION + 1}, ("version 2, this program reads 1", REPAIR)),
        ({"sealed": 0}, ("never sealed", REPAIR)),
        ({"method": "cca"}, ("changed after it was sealed", "`drsl fit -d pascal -m cca -s 3`")),
        ({"digest": "0" * 64}, ("changed after it was sealed", REPAIR)),
        ({"extra": 1}, ("changed after it was sealed", REPAIR)),
    ],
)
def test_attributes_that_were_changed(tmp_path, changed, words):
    path = write(tmp_path / "s.h5")
    with h5py.File(path, "a") as file:
        file.attrs.update(changed)
    damaged(path, *words)


@pytest.mark.parametrize("name", ["digest", "sealed", "format", "version", "rate"])
def test_attributes_that_were_removed(tmp_path, name):
    path = write(tmp_path / "s.h5")
    with h5py.File(path, "a") as file:
        del file.attrs[name]
    damaged(path, REPAIR)


def change_number(file, name, place, value):
    file[name][place] = value


def replace(file, name, data):
    del file[name]
    file[name] = data


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda file: change_number(file, "score", (0, 0), 9), ("changed after it was sealed",)),
        (lambda file: change_number(file, "image_label", 0, 2), ("changed after it was sealed",)),
        (lambda file: change_number(file, "text_id", 0, "x"), ("its texts are not as they were sealed",)),
        (lambda file: replace(file, "score", matrix().T), ("score is (5, 7)",)),
        (lambda file: replace(file, "score", matrix().astype(np.float64)), ("not a float32 matrix",)),
        (lambda file: replace(file, "score", matrix().ravel()), ("not a float32 matrix",)),
        (lambda file: replace(file, "text_label", np.zeros(TEXTS, np.int32)), ("text_label is not int64",)),
        (lambda file: replace(file, "image_id", np.arange(IMAGES)), ()),
        (lambda file: file.__delitem__("classes"), ("classes",)),
    ],
)
def test_columns_that_were_changed(tmp_path, change, words):
    path = write(tmp_path / "s.h5")
    with h5py.File(path, "a") as file:
        change(file)
    damaged(path, REPAIR, *words)


def test_a_matrix_larger_than_its_file_is_refused_before_memory_is_filled(tmp_path):
    path = write(tmp_path / "s.h5")
    with h5py.File(path, "a") as file:
        del file["score"]
        file.create_dataset("score", (10**7, 10**7), np.float32, chunks=(1000, 1000))
    damaged(path, "shorter than its own scores")


def test_a_flipped_bit_is_found_or_harmless(tmp_path):
    path = write(tmp_path / "s.h5", matrix(40, 40))
    whole, content = read_scores(path), path.read_bytes()
    draw, found = np.random.default_rng(0), 0
    for place in draw.integers(0, len(content), 150):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(draw.integers(8))
        path.write_bytes(flipped)
        try:
            scores = read_scores(path)  # only DamagedFile may come out of it
        except DamagedFile:
            found += 1
            continue
        np.testing.assert_array_equal(scores.score, whole.score)  # the bit was in an unused place
        assert scores.attrs == whole.attrs
        assert scores.image_id.tolist() == whole.image_id.tolist()
    assert found > 75


def test_every_flipped_bit_of_the_scores_is_found(tmp_path):
    path = write(tmp_path / "s.h5", matrix(40, 40))
    content = path.read_bytes()
    start = content.index(matrix(40, 40)[:2].tobytes())
    for place in range(start, start + 6400, 331):
        flipped = bytearray(content)
        flipped[place] ^= 4
        path.write_bytes(flipped)
        damaged(path, REPAIR)
