import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.extract.captions import lines_of


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a dog", ["a dog"]),
        ("a dog\na cat", ["a dog", "a cat"]),
        ("a dog\n \n\na cat\n", ["a dog", "a cat"]),
        ("", [""]),
        (" \n\t\n", [""]),
        ("dog\n" * 500, ["dog"] * 100),
    ],
)
def test_lines_that_are_not_blank_are_texts(text, lines):
    assert lines_of(text, "mean") == lines


@given(st.text())
def test_joined_captions_are_the_text(text):
    assert lines_of(text, "join") == [text]
