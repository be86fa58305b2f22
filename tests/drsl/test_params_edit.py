from pathlib import Path

import pytest

from drsl.features.errors import SettingError, UserError
from drsl.params import read_params
from drsl.params_edit import add_dataset, render_dataset, set_run_datasets

PARAMS = """\
device: auto   # kept

datasets:
  one:       # a comment
    source: emoji
    drsl: {batch: 4}

# about methods
methods:
  drsl-c: {}
"""


def test_a_block_is_added_and_every_other_line_stays(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS, "utf-8")
    add_dataset(tmp_path, "two", {"source": "folder", "drsl": {"image_fnn": [8, 4], "epochs": 2}})
    written = (tmp_path / "params.yaml").read_text("utf-8")
    assert [line for line in PARAMS.splitlines() if line not in written.splitlines()] == []
    assert read_params(tmp_path).dataset("two") == {"source": "folder", "drsl": {"image_fnn": [8, 4], "epochs": 2}}
    assert read_params(tmp_path).dataset("one")["drsl"] == {"batch": 4}
    assert written.index("two:") < written.index("# about methods")


def test_a_block_is_added_at_the_end_of_a_file_without_a_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("datasets:\n  one:\n    source: emoji", "utf-8")
    add_dataset(tmp_path, "two", {"source": "folder"})
    assert set(read_params(tmp_path).content["datasets"]) == {"one", "two"}


@pytest.mark.parametrize("name", ["one", "", "../up", "-d", "a b", ".hidden"])
def test_names_that_are_taken_or_no_file_names_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS, "utf-8")
    with pytest.raises(SettingError, match="data set"):
        add_dataset(tmp_path, name, {"source": "folder"})
    assert (tmp_path / "params.yaml").read_text("utf-8") == PARAMS


def test_lists_stand_on_one_line_and_long_texts_too() -> None:
    text = render_dataset("one", {"prepare": {"path": "a b " * 50}, "text": {"windows": [3, 4, 5]}})
    assert "    windows: [3, 4, 5]\n" in text
    assert len(text.splitlines()) == 5


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("run:  # what\n  datasets: [one]\n  seeds: [0]\n", "run:  # what\n  datasets: [two, one]\n  seeds: [0]\n"),
        ("run:\n  seeds: [0]\n  datasets: [one]   # which\n", "run:\n  seeds: [0]\n  datasets: [two, one] # which\n"),
        ("run:\n  datasets:\n    - one\n    - two\n  seeds: [0]\n", "run:\n  datasets: [two, one]\n  seeds: [0]\n"),
        ("run:\n  datasets:  # which\n  - one\n  seeds: [0]\n", "run:\n  datasets: [two, one] # which\n  seeds: [0]\n"),
        ("run: {datasets: [one], seeds: [0]}  # all\n", "run: {datasets: [two, one], seeds: [0]}  # all\n"),
    ],
)
def test_the_data_sets_to_run_are_set_and_comments_stay(tmp_path: Path, before: str, after: str) -> None:
    rest = "datasets:\n  one: {source: emoji}\n  two: {source: emoji}\n\n# the end\n"
    (tmp_path / "params.yaml").write_text(before + rest, "utf-8")
    set_run_datasets(tmp_path, ["two", "one"])
    assert (tmp_path / "params.yaml").read_text("utf-8") == after + rest
    assert read_params(tmp_path).content["run"] == {"datasets": ["two", "one"], "seeds": [0]}


@pytest.mark.parametrize(
    ("head", "names", "words"),
    [
        ("run:\n  datasets: [one]\n", ["tow"], "data set: 'tow' is not known (did you mean 'two'?)"),
        ("run:\n  seeds: [0]\n", ["two"], "no line `datasets:` under a line `run:`"),
        ("device: cpu\n", ["two"], "no line `datasets:` under a line `run:`"),
    ],
)
def test_what_cannot_be_run_changes_nothing(tmp_path: Path, head: str, names: list[str], words: str) -> None:
    content = head + "datasets:\n  one: {source: emoji}\n  two: {source: emoji}\n"
    (tmp_path / "params.yaml").write_text(content, "utf-8")
    with pytest.raises(UserError) as info:
        set_run_datasets(tmp_path, names)
    assert words in str(info.value)
    assert (tmp_path / "params.yaml").read_text("utf-8") == content


def test_a_data_set_is_added_and_run_or_neither(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS, "utf-8")
    with pytest.raises(SettingError, match="under a line `run:`"):
        add_dataset(tmp_path, "two", {"source": "folder"}, run=True)
    assert (tmp_path / "params.yaml").read_text("utf-8") == PARAMS
    (tmp_path / "params.yaml").write_text("run:\n  datasets: [one]\n" + PARAMS, "utf-8")
    add_dataset(tmp_path, "two", {"source": "folder"}, run=True)
    assert read_params(tmp_path).content["run"] == {"datasets": ["two"]}
    assert set(read_params(tmp_path).content["datasets"]) == {"one", "two"}
