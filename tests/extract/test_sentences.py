import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.extract.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("A cat. A dog.", ["A cat.", "A dog."]),
        ("no mark at all", ["no mark at all"]),
        ("Really?! Yes... No…  Well", ["Really?!", "Yes...", "No…", "Well"]),
        ("Version 3.5 of www.example.org is out. Good!", ["Version 3.5 of www.example.org is out.", "Good!"]),
        ('He said "Stop." Then (slowly!) he went.', ['He said "Stop."', "Then (slowly!)", "he went."]),
        ("one\ntwo\r\nthree\u2028four\n\n\nfive. six", ["one", "two", "three", "four", "five.", "six"]),
        ("一只猫。两只狗！真的吗？是的", ["一只猫。", "两只狗！", "真的吗？", "是的"]),
        ("「猫がいる。」犬もいる。", ["「猫がいる。」", "犬もいる。"]),
        ("هل هذا قط؟ نعم.", ["هل هذا قط؟", "نعم."]),
        ("यह बिल्ली है। वह कुत्ता है।", ["यह बिल्ली है।", "वह कुत्ता है।"]),
        ("! ... A cat. ***\n---", ["A cat."]),
        ("🐱 🐶", ["🐱 🐶"]),
        ("...", ["..."]),
        ("  ", ["  "]),
    ],
)
def test_sentences(text, sentences):
    assert split_sentences(text, 10) == sentences


@pytest.mark.parametrize(
    ("most", "sentences"),
    [(1, ["A. B. C. D."]), (2, ["A.", "B. C. D."]), (3, ["A.", "B.", "C. D."]), (4, ["A.", "B.", "C.", "D."])],
)
def test_what_is_left_counts_as_one_sentence(most, sentences):
    assert split_sentences("A. B.\nC. D.", most) == sentences


@given(st.text(), st.integers(1, 4))
def test_nothing_with_a_letter_or_digit_is_lost(text, most):
    def seen(of):
        return [letter for letter in of if letter.isalnum()]

    sentences = split_sentences(text, most)
    assert 1 <= len(sentences) <= most
    assert seen("".join(sentences)) == seen(text)


def test_a_long_text_takes_no_longer_than_its_length():
    start = time.perf_counter()
    split_sentences("word " * 200_000, 10)
    split_sentences("." * 200_000 + "a", 10)
    split_sentences("a" + ".b" * 200_000, 10)
    split_sentences("a" + ")" * 200_000 + "." * 20_000, 10)
    assert time.perf_counter() - start < 10  # a hang, not a speed claim
