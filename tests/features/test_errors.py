import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.features import errors
from drsl.features.errors import SettingError, UserError, choose, did_you_mean


@pytest.mark.parametrize("name", ["DamagedFile", "MissingFile", "SettingError", "StaleFile"])
def test_every_kind_is_a_user_error(name):
    assert issubclass(getattr(errors, name), UserError)
    assert name in errors.__all__


def test_the_nearest_name_is_offered():
    assert did_you_mean("emojy", ["emoji", "pascal"]) == " (did you mean 'emoji'?)"


def test_all_names_are_listed_when_none_is_near():
    assert did_you_mean("zzz", ["pascal", "emoji"]) == " (there are: emoji, pascal)"


def test_names_with_line_breaks_stay_in_one_line():
    assert did_you_mean("zzz", ["a\nb", "c"]) == " (there are: 'a\\nb', c)"


def test_no_names_at_all():
    assert did_you_mean("zzz", []) == " (there are none)"


@given(st.text(), st.lists(st.text()))
def test_a_hint_can_follow_any_message(name, allowed):
    assert did_you_mean(name, allowed).startswith(" (")


@given(st.lists(st.text(), min_size=1).flatmap(lambda words: st.tuples(st.sampled_from(words), st.just(words))))
def test_an_allowed_word_is_returned(case):
    word, allowed = case
    assert choose("train.fusion", word, allowed) == word


@given(st.one_of(st.none(), st.integers(), st.booleans(), st.lists(st.integers()), st.text(min_size=4)))
def test_any_other_value_is_refused_with_the_key_and_the_value(value):
    with pytest.raises(SettingError) as info:
        choose("train.fusion", value, ("add", "mul"))
    assert str(info.value).startswith("train.fusion: ")
    assert repr(value) in str(info.value)


def test_a_misspelt_word_is_refused_with_the_right_one():
    with pytest.raises(SettingError, match="did you mean 'concat'"):
        choose("train.fusion", "conkat", ["add", "concat"])
