import json
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.features.settings import from_stored, to_stored


@dataclass(frozen=True)
class Inner:
    rate: float
    seed: int = 0


@dataclass(frozen=True)
class Outer:
    inner: Inner
    windows: tuple[int, ...]
    name: str = "words"
    on: bool = False
    second: Inner = Inner(0.5)


PLAIN = Outer(Inner(0.1), (3, 4))


def test_defaults_are_left_out():
    assert to_stored(PLAIN) == {"inner": {"rate": 0.1}, "windows": [3, 4]}


@pytest.mark.parametrize(
    ("changes", "stored"),
    [
        ({"name": "characters"}, {"name": "characters"}),
        ({"on": True}, {"on": True}),
        ({"second": Inner(0.5, 7)}, {"second": {"rate": 0.5, "seed": 7}}),
        ({"second": Inner(0.5, 0)}, {}),
        ({"inner": Inner(0.1, 3)}, {"inner": {"rate": 0.1, "seed": 3}}),
    ],
)
def test_what_is_not_at_its_default_is_told(changes, stored):
    assert to_stored(replace(PLAIN, **changes)) == to_stored(PLAIN) | stored


INNERS = st.builds(Inner, st.floats(allow_nan=False), st.integers())


@given(st.builds(Outer, INNERS, st.lists(st.integers()).map(tuple), st.text(), st.booleans(), INNERS))
def test_settings_come_back_through_json(config):
    assert from_stored(Outer, json.loads(json.dumps(to_stored(config)))) == config


def test_a_file_of_before_a_setting_has_its_default():
    assert from_stored(Outer, {"inner": {"rate": 1.0}, "windows": []}).name == "words"


@pytest.mark.parametrize("stored", [{"inner": {"rate": 1.0}}, {**to_stored(PLAIN), "later": 1}])
def test_other_fields_are_an_error(stored):
    with pytest.raises(TypeError):
        from_stored(Outer, stored)
