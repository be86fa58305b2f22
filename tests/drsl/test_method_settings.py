"""Which settings a method has on a data set, and the grids that `drsl tune` reads."""

import pytest

from drsl.features.errors import SettingError
from drsl.params import read_params

TEXT = """
datasets:
  one: {source: emoji, drsl: {batch: 8, epochs: 3}}
  two: {source: emoji}
methods:
  drsl-c: {epochs: 4}
  drsl-plus: {hidden: 5}
  cca:
    power: [1]
    ridge: [2]
    datasets: {one: {ridge: [3]}, two: {}}
grids: {cca: {ridge: [1, 2]}}
"""


@pytest.fixture
def read(tmp_path):
    def build(text):
        (tmp_path / "params.yaml").write_text(text, "utf-8")
        return read_params(tmp_path)

    return build


@pytest.mark.parametrize(
    ("dataset", "method", "settings"),
    [
        ("one", "drsl-c", {"batch": 8, "epochs": 4}),
        ("one", "drsl-s", {"batch": 8, "epochs": 3}),
        ("two", "drsl-c", {"epochs": 4}),
        ("one", "drsl-plus", {"hidden": 5}),  # no DRSL method of the paper: the data set's block is not for it
        ("one", "cca", {"power": [1], "ridge": [3]}),
        ("two", "cca", {"power": [1], "ridge": [2]}),
        ("one", "without-a-block", {}),
    ],
)
def test_what_is_named_later_overrides(read, dataset, method, settings):
    assert read(TEXT).method(dataset, method) == settings


def test_without_methods_and_grids(read):
    params = read("datasets: {one: {source: emoji}}\n")
    assert params.method("one", "cca") == {}
    assert params.grid("cca") == {}


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "two: {}}",
            "tow: {}}",
            r"methods\.cca\.datasets\.tow is no data set of params\.yaml \(did you mean 'two'\?\)",
        ),
        ("one: {ridge: [3]}", "one: 3", r"methods\.cca\.datasets\.one must be a block"),
        ("{one: {ridge: [3]}, two: {}}", "[one]", r"methods\.cca\.datasets must be a block"),
    ],
)
def test_wrong_blocks_are_named(read, before, after, message):
    with pytest.raises(SettingError, match=message):
        read(TEXT.replace(before, after)).method("one", "cca")


def test_grids(read):
    params = read(TEXT)
    assert params.grid("cca") == {"ridge": [1, 2]}
    assert params.grid("drsl-c") == {}


@pytest.mark.parametrize("values", ["3", "[]", "[1, 1]", "{a: 1}"])
def test_wrong_grids_are_named(read, values):
    with pytest.raises(SettingError, match=r"grids\.cca\.ridge: .* must be a list of one or more different values"):
        read(TEXT.replace("[1, 2]", values)).grid("cca")


def test_another_top_level_key_is_wrong(read):
    with pytest.raises(SettingError, match="did you mean 'grids'"):
        read(TEXT.replace("grids:", "grid:"))
