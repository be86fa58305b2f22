from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.extract.tokens import Tokenizer
from drsl.extract.vectors.base import TableVectors
from drsl.extract.words import Coverage, Vocabulary, build_vocabulary, count_tokens
from drsl.features.digest import digest_array
from drsl.features.errors import DamagedFile, UserError

WORDS = {"red": [1, 2, 3], "fox": [4, 5, 6], "naïve": [7, 8, 9], "don't": [-1, 0, 1]}
VECTORS = TableVectors("a table", list(WORDS), np.array(list(WORDS.values()), np.float32))


def build(texts, vectors=VECTORS, tokenizer=Tokenizer()):  # noqa: B008
    return build_vocabulary(count_tokens(texts, tokenizer).words, vectors, tokenizer)


def row(word):
    return np.array(WORDS[word], np.float32)


# Counts


@given(st.lists(st.text("ab "), max_size=5))
def test_words_are_counted_as_texts_stream_by(texts):
    found = count_tokens(iter(texts), Tokenizer())
    assert found.words == Counter(word for text in texts for word in text.split())
    assert found.longest == max((len(text.split()) for text in texts), default=0)


# Vocabulary


def test_known_words_are_sorted_after_a_row_of_zeros():
    vocabulary, _ = build(["Red fox, red hen", "naïve fox’s don’t"])
    assert vocabulary.words == ("don't", "fox", "naïve", "red")
    expected = [[0, 0, 0]] + [WORDS[word] for word in vocabulary.words]
    assert np.array_equal(vocabulary.vectors, np.array(expected, np.float32))
    assert vocabulary.vectors.dtype == np.float32
    assert vocabulary.index == {"don't": 1, "fox": 2, "naïve": 3, "red": 4}


def test_coverage_counts_words_and_running_words():
    _, coverage = build(["red red fox", "red hen, hen ox"])
    assert coverage == Coverage(words=4, found=2, tokens=7, tokens_found=4)
    assert str(coverage) == "2 of 4 different words have no vector (50.0%; 42.9% of the running words)"
    assert not coverage.is_poor


def test_coverage_is_poor_under_half_of_the_running_words():
    assert [build([text])[1].is_poor for text in ("red hen", "red hen ox", "red red hen ox")] == [False, True, False]


def test_full_coverage_and_no_words_can_be_said():
    assert str(Coverage(2, 2, 3, 3)).startswith("0 of 2 different words have no vector (0.0%; 0.0%")
    assert str(Coverage(0, 0, 0, 0)).startswith("0 of 0")


def test_capitals_are_told():
    vectors = TableVectors("news", ["Paris", "NASA", "red"], np.eye(3, dtype=np.float32))
    vocabulary, coverage = build(["paris, red, nasa"], vectors)
    assert vocabulary.words == ("nasa", "paris", "red")
    assert np.array_equal(vocabulary.vectors[1:], np.eye(3)[[1, 0, 2]])
    assert coverage.cased == 2
    assert str(coverage).endswith("; 2 words have one in capitals only")


def test_the_order_of_texts_does_not_matter():
    one, _ = build(["red fox", "naïve"])
    other, _ = build(["naïve", "fox", "red"])
    assert one.words == other.words
    assert one.digest == other.digest == digest_array(one.vectors)


@pytest.mark.parametrize("texts", [["hen ox"], ["!!!"], [""], []])
def test_no_known_word_at_all_is_an_error(texts):
    with pytest.raises(UserError, match="no word of the texts has a word vector in a table") as info:
        build(texts)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_vector_that_is_not_finite_is_named(bad):
    vectors = TableVectors("v.bin", ["fox", "red", "hen"], np.array([[1, 2], [0, bad], [bad, 0]], np.float32))
    with pytest.raises(DamagedFile, match=r"the word vector of 'red' in v\.bin is NaN or infinite"):
        build(["red fox"], vectors)
    assert build(["fox"], vectors)[0].words == ("fox",)


def test_texts_become_ids_padded_or_cut():
    vocabulary, _ = build(["red fox"])
    assert vocabulary.ids("Red hen fox", 5).tolist() == [2, 0, 1, 0, 0]  # an unknown word keeps its place
    assert vocabulary.ids("red hen fox red", 3).tolist() == [2, 0, 1]
    assert vocabulary.ids("", 2).tolist() == [0, 0]
    assert vocabulary.ids("red", 4).dtype == np.int64
    assert vocabulary.unknown("hen, red ox hen") == ("hen", "ox")


def test_new_words_are_added_behind():
    vocabulary, _ = build(["red fox"])
    larger = vocabulary.extended({each: row(each) for each in ("naïve", "don't", "fox")})
    assert larger.words == ("fox", "red", "don't", "naïve")
    assert np.array_equal(larger.vectors[:3], vocabulary.vectors)
    assert np.array_equal(larger.vectors[3:], np.stack([row("don't"), row("naïve")]))
    assert larger.ids("red naïve", 2).tolist() == [2, 4]
    assert vocabulary.words == ("fox", "red")


def test_nothing_new_leaves_the_vocabulary():
    vocabulary, _ = build(["red fox"])
    assert vocabulary.extended({"red": row("red")}) is vocabulary.extended({}) is vocabulary


def test_a_vocabulary_can_be_made_of_words_and_vectors_alone():
    vocabulary = Vocabulary(("a", "b"), np.zeros((3, 2), np.float32))
    assert vocabulary.ids("b a c", 3).tolist() == [2, 1, 0]


def test_a_vocabulary_of_characters_splits_as_it_was_made():
    characters = Tokenizer("characters", 2)
    vectors = TableVectors("t", ["红", "狐", "红狐"], np.eye(3, dtype=np.float32))
    vocabulary, coverage = build(["红狐"], vectors, characters)
    assert vocabulary.ids("红狐", 4).tolist() == [vocabulary.index[each] for each in ("红", "红狐", "狐")] + [0]
    assert vocabulary.extended({"x": np.zeros(3)}).tokenizer == characters
    assert coverage.found == 3
