import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.extract.tokens import Tokenizer


def tokenize(text):
    return list(Tokenizer()(text))


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
        ("nul\0byte", ["nul", "byte"]),
        ("one\ntwo", ["one", "two"]),
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


# Characters


@pytest.mark.parametrize(
    ("text", "ngram", "tokens"),
    [
        ("红狐狸", 1, ["红", "狐", "狸"]),
        ("红狐狸", 2, ["红", "红狐", "狐", "狐狸", "狸"]),
        ("红狐狸", 3, ["红", "红狐", "红狐狸", "狐", "狐狸", "狸"]),
        ("猫。犬，猫", 2, ["猫", "犬", "猫"]),
        ("猫 犬\n鳥", 3, ["猫", "犬", "鳥"]),
        ("สวัสดี", 1, ["ส", "วั", "ส", "ดี"]),
        ("Ａb_c", 2, ["a", "ab", "b", "c"]),
        ("ｶﾞ", 1, ["ガ"]),
        ("👩‍🚀", 2, []),
        ("", 3, []),
    ],
)
def test_texts_are_split_into_character_ngrams(text, ngram, tokens):
    assert list(Tokenizer("characters", ngram)(text)) == tokens


@given(st.text(), st.integers(1, 3))
def test_the_single_characters_are_the_texts_letters(text, ngram):
    """Whatever the n-grams, those of one letter are all letters in order, and every n-gram is made of neighbours."""
    letters = list(Tokenizer("characters", 1)(text))
    tokens = list(Tokenizer("characters", ngram)(text))
    assert len(letters) <= len(tokens) <= ngram * len(letters)
    assert all(token in "".join(letters) for token in tokens)
    plain = unicodedata.normalize("NFKC", text).lower()
    assert all(token in plain for token in tokens)


def test_the_start_of_a_long_text_is_what_it_is_alone():
    tokens = Tokenizer("characters", 2)("红狐" * 500_000)
    assert [next(tokens) for _ in range(4)] == ["红", "红狐", "狐", "狐红"]
