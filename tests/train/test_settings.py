"""Settings from what people write: types, lists for tuples, the nearest name."""

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.features.errors import SettingError, require
from drsl.train.settings import make_settings, plain_settings


@dataclass(frozen=True)
class Config:
    flag: bool = False
    count: int = 3
    rate: float = 0.5
    word: str = "relu"
    widths: tuple[int, ...] = (4, 2)
    powers: tuple[float, ...] = (0.0,)
    names: tuple[str, ...] = ("a",)
    betas: tuple[float, float] = (0.9, 0.999)

    def __post_init__(self):
        require(self.count > 0, f"count: {self.count} must be at least 1")


NUMBER = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**40), 2**40)
VALUES = {
    "flag": st.booleans(),
    "count": st.integers(1, 2**40),
    "rate": NUMBER,
    "word": st.text(),
    "widths": st.lists(st.integers(-(2**40), 2**40)),
    "powers": st.lists(NUMBER),
    "names": st.lists(st.text()),
    "betas": st.lists(NUMBER, min_size=2, max_size=2),
}


@given(st.fixed_dictionaries({}, optional=VALUES))
def test_what_is_given_is_taken_and_comes_back_as_json_has_it(given):
    config = make_settings(Config, given)
    plain = plain_settings(config)
    assert plain == plain_settings(Config()) | given
    assert json.loads(json.dumps(plain)) == plain
    assert make_settings(Config, plain) == config


def test_numbers_have_the_types_of_the_fields():
    config = make_settings(Config, {"rate": 1, "powers": [1, 2], "betas": [0, 1], "widths": (7,)})
    assert [type(each) for each in (config.rate, *config.powers, *config.betas)] == [float] * 5
    assert config.widths == (7,)


def test_nothing_given_is_the_defaults():
    assert make_settings(Config, {}) == Config()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("flag", 1, "flag: 1 must be true or false"),
        ("flag", "true", "flag: 'true' must be true or false"),
        ("count", True, "count: True must be a whole number"),
        ("count", 2.0, "count: 2.0 must be a whole number"),
        ("count", None, "count: None must be a whole number"),
        ("rate", "1e-4", "rate: '1e-4' must be a number"),
        ("rate", False, "rate: False must be a number"),
        ("word", 3, "word: 3 must be a word"),
        ("widths", 7, "widths: 7 must be a list of whole numbers"),
        ("widths", "42", "widths: '42' must be a list of whole numbers"),
        ("widths", [1, 2.5], "widths: [1, 2.5] must be whole numbers"),
        ("widths", [True], "widths: [True] must be whole numbers"),
        ("powers", ["a"], "powers: ['a'] must be numbers"),
        ("names", [1], "names: [1] must be words"),
        ("betas", [0.9], "betas: [0.9] must be two numbers"),
        ("betas", [0.9, 0.9, 0.9], "betas: [0.9, 0.9, 0.9] must be two numbers"),
        ("count", 0, "count: 0 must be at least 1"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(key, value, words):
    with pytest.raises(SettingError) as info:
        make_settings(Config, {key: value})
    assert str(info.value) == words


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(SettingError, match=r"setting 'cuont' is not known.*did you mean 'count'"):
        make_settings(Config, {"cuont": 3})
    with pytest.raises(SettingError, match="did you mean 'preset'"):
        make_settings(Config, {"prest": 3}, also=["preset"])
    with pytest.raises(SettingError, match="'preset' is not known"):
        make_settings(Config, {"preset": 3}, also=["preset"])
