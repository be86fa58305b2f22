"""params.yaml: what is read, and each way it can be wrong."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.extract.image_config import ImageConfig
from drsl.extract.sources.emoji import EmojiConfig
from drsl.extract.text_config import TextConfig
from drsl.features.errors import DamagedFile, MissingFile, SettingError
from drsl.features.settings import to_stored
from drsl.params import EvaluateConfig, build, find_project, read_params
from drsl.train import get_method

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class _Inner:
    rate: float


@dataclass(frozen=True)
class _Config:
    count: int
    inner: _Inner
    names: tuple[str, ...]
    on: bool


GOOD = {"count": 3, "inner": {"rate": 1e-4}, "names": ["a"], "on": True}


def test_the_projects_own_params_are_good():
    params = read_params(ROOT)
    assert params.part("emoji", "prepare", EmojiConfig).seed == 0
    assert params.part("emoji", "image", ImageConfig).crop == 32
    assert params.part("emoji", "text", TextConfig).windows == (3, 4, 5)
    assert params.part("emoji", "evaluate", EvaluateConfig).at
    for name in params.content["run"]["methods"]:
        get_method(name, **params.method("emoji", name))
    assert get_method("drsl-c", **params.method("emoji", "drsl-c")).settings["learning_rate"] == 1e-4


def test_a_block_becomes_a_config():
    assert build(_Config, GOOD, "x") == _Config(3, _Inner(1e-4), ("a",), True)
    assert build(_Inner, {"rate": 1}, "x").rate == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cuont": 1}, r"x\.cuont is not known \(did you mean 'count'\?\)"),
        ({"count": "3"}, r"x\.count: '3' must be a whole number; write it without quotes"),
        ({"count": 3.5}, r"x\.count: 3.5 must be a whole number"),
        ({"count": True}, r"x\.count: True must be a whole number"),
        ({"on": "no"}, r"x\.on: 'no' must be true or false"),
        ({"inner": {"rate": "1e-4"}}, r"x\.inner\.rate: '1e-4' must be a number; write it without quotes"),
        ({"inner": {}}, r"x\.inner\.rate is missing"),
        ({"inner": 3}, r"x\.inner must be a block"),
        ({"names": "a"}, r"x\.names: 'a' must be a list"),
        ({"names": [False]}, r"x\.names: False must be a word or text; put it in quotes"),
    ],
)
def test_wrong_blocks_are_named(change, message):
    with pytest.raises(SettingError, match=message):
        build(_Config, {**GOOD, **change}, "x")


def test_a_missing_key_is_named():
    with pytest.raises(SettingError, match=r"x\.on is missing in params\.yaml"):
        build(_Config, {key: value for key, value in GOOD.items() if key != "on"}, "x")


def test_a_rooms_own_check_gets_the_full_name():
    block = {"at": [0], "scope": [1]}
    with pytest.raises(SettingError, match=r"datasets\.x\.evaluate\.at: \[0\]"):
        build(EvaluateConfig, block, "datasets.x.evaluate")


def _project(folder: Path, text: str) -> Path:
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    return folder


def test_yaml_is_read_as_dvc_reads_it(tmp_path):
    params = read_params(_project(tmp_path, "datasets: {no: {source: emoji, drsl: {learning_rate: 1e-4}}}"))
    assert params.method("no", "drsl-c") == {"learning_rate": 1e-4}


def test_the_methods_block_wins_over_the_data_sets(tmp_path):
    text = "datasets: {a: {drsl: {batch: 1, epochs: 2}}}\nmethods: {drsl-c: {batch: 3}}"
    assert read_params(_project(tmp_path, text)).method("a", "drsl-c") == {"batch": 3, "epochs": 2}


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("datasets: {emoji: {}}", "emojy", r"data set: 'emojy' is not known \(did you mean 'emoji'\?\)"),
        ("datasets: {emoji: {imgae: 1}}", "emoji", r"datasets\.emoji\.imgae is not known \(did you mean 'image'\?\)"),
        ("datasets: 3", "emoji", "datasets must be a block"),
        ("datasets: {emoji: }", "emoji", r"datasets\.emoji must be a block"),
        ("dataset: {}", "emoji", r"dataset in params\.yaml is not known \(did you mean 'datasets'\?\)"),
        ("", "emoji", r"params\.yaml must be a block"),
    ],
)
def test_wrong_files_are_named(tmp_path, text, name, message):
    with pytest.raises(SettingError, match=message):
        read_params(_project(tmp_path, text)).dataset(name)


def test_a_file_that_is_not_yaml(tmp_path):
    with pytest.raises(DamagedFile, match="is not YAML"):
        read_params(_project(tmp_path, "a: [1"))


def test_the_nearest_project_above_is_found(tmp_path, monkeypatch):
    _project(tmp_path, "datasets: {}")
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert find_project(None) == tmp_path
    with pytest.raises(MissingFile, match=r"no params\.yaml"):
        find_project(tmp_path / "a")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_any_block_is_taken_or_refused_in_words(block):
    with pytest.raises(SettingError):
        build(_Config, block, "x")


STORED = """
datasets:
  a:
    text:
      vectors: v.bin
      windows: [3]
      maps: 1
      dropout: 0.5
      max_words: 8%s
      finetune: {epochs: 1, batch: 2, optimizer: sgd, learning_rate: 1, weight_decay: 0, label_smoothing: 0, seed: 0}
  b: {}
"""


def _stored(folder, line=""):
    return read_params(_project(folder, STORED % line)).stored("a", "text", TextConfig)


def test_settings_are_compared_as_files_store_them(tmp_path):
    params = read_params(_project(tmp_path, STORED % ""))
    assert _stored(tmp_path) == {"settings": to_stored(params.part("a", "text", TextConfig))}
    assert params.stored("b", "text", TextConfig) == {}


def test_a_default_may_be_written_or_left_out(tmp_path):
    assert _stored(tmp_path, "\n      tokens: words") == _stored(tmp_path)
    assert _stored(tmp_path, "\n      tokens: characters") != _stored(tmp_path)
