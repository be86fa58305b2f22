"""A method's settings written into params.yaml: what the program reads is new, every other byte is old."""

import difflib
from pathlib import Path

import pytest

from drsl.features.errors import SettingError
from drsl.method_block_edit import set_method_settings
from drsl.params import read_params

ROOT = Path(__file__).resolve().parents[2]
HEAD = "# top\nrun: {datasets: [a]}\n\ndatasets:\n  a: {source: emoji}\n  b: {source: emoji}\n\n"
NEW = {"learning_rate": 1e-4, "hidden": [3, 4]}
LINE = "a: {learning_rate: 0.0001, hidden: [3, 4]}   # why"


def edit(root, methods, method="cca", settings=NEW):
    (root / "params.yaml").write_text(HEAD + methods, encoding="utf-8", newline="")
    before = read_params(root).content
    set_method_settings(root, method, "a", settings, "why")
    text = (root / "params.yaml").read_bytes().decode("utf-8")
    after = read_params(root)
    assert after.method("a", method).items() >= settings.items()
    assert {key: value for key, value in after.content.items() if key != "methods"} == {
        key: value for key, value in before.items() if key != "methods"
    }
    return text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"\nmethods:\n  cca:\n    datasets:\n      {LINE}\n"),
        (
            "methods:   # all\n  x: {}\n\n# end\n",
            f"methods:   # all\n  x: {{}}\n  cca:\n    datasets:\n      {LINE}\n\n# end\n",
        ),
        ("methods: {}\n", f"methods:\n  cca:\n    datasets:\n      {LINE}\n"),
        (
            "methods:\n  cca: {}   # c\n  x: {}\n",
            f"methods:\n  cca:      # c\n    datasets:\n      {LINE}\n  x: {{}}\n",
        ),
        ("methods:\n  cca:\n  x: {}\n", f"methods:\n  cca:\n    datasets:\n      {LINE}\n  x: {{}}\n"),
        (
            "methods:\n  cca: {power: [1, 2], ridge: [0.1]}\n  x: {}\n",
            f"methods:\n  cca:\n    power: [1, 2]\n    ridge: [0.1]\n    datasets:\n      {LINE}\n  x: {{}}\n",
        ),
        (
            "methods:\n  cca:   # one\n    power: [1]   # two\n\n  # three\n  x: {}\n",
            f"methods:\n  cca:   # one\n    power: [1]   # two\n    datasets:\n      {LINE}\n\n  # three\n  x: {{}}\n",
        ),
        (
            "methods:\n  cca:\n    datasets:\n      b: {power: [1]}   # b\n    power: [2]\n",
            f"methods:\n  cca:\n    datasets:\n      b: {{power: [1]}}   # b\n      {LINE}\n    power: [2]\n",
        ),
        (
            "methods:\n  cca:\n    datasets: {b: {power: [1]}}   # d\n",
            f"methods:\n  cca:\n    datasets:                     # d\n      b: {{power: [1]}}\n      {LINE}\n",
        ),
        (
            "methods:\n  cca:\n    datasets:\n      a: {hidden: [9], learning_rate: 3}   # old\n      b: {x: 1}\n",
            "methods:\n  cca:\n    datasets:\n      a: {hidden: [3, 4], learning_rate: 0.0001}   # why\n"
            "      b: {x: 1}\n",
        ),
        (
            "methods:\n  cca:\n    datasets:\n      a:\n        epochs: 5\n        hidden: [9]\n      b: {x: 1}\n",
            "methods:\n  cca:\n    datasets:\n      a: {epochs: 5, hidden: [3, 4], learning_rate: 0.0001}   # why\n"
            "      b: {x: 1}\n",
        ),
        (
            "methods:\n    cca:\n        datasets:\n            b: {power: [1]}",
            f"methods:\n    cca:\n        datasets:\n            b: {{power: [1]}}\n            {LINE}\n",
        ),
    ],
)
def test_each_way_to_write_the_block(tmp_path, before, after):
    assert edit(tmp_path, before) == HEAD + after


def test_twice_is_once(tmp_path):
    once = edit(tmp_path, "methods:\n  cca: {}\n")
    set_method_settings(tmp_path, "cca", "a", NEW, "why")
    assert (tmp_path / "params.yaml").read_text("utf-8") == once


@pytest.mark.parametrize("method", ["drsl-c", "cca", "something-new"])
def test_the_projects_own_file_gains_one_block(tmp_path, method):
    text = (ROOT / "params.yaml").read_text("utf-8")
    (tmp_path / "params.yaml").write_text(text, "utf-8")
    set_method_settings(tmp_path, method, "pascal", {"epochs": 3}, "why")
    changed = (tmp_path / "params.yaml").read_text("utf-8")
    lines = [each for each in difflib.ndiff(text.splitlines(), changed.splitlines()) if each[0] in "+-"]
    assert "+       pascal: {epochs: 3}   # why" in lines
    assert sum(each[0] == "-" for each in lines) <= 1  # `drsl-c: {}` becomes `drsl-c:`
    assert read_params(tmp_path).method("pascal", method)["epochs"] == 3
    assert read_params(tmp_path).method("emoji", method) == read_params(ROOT).method("emoji", method)


def test_what_cannot_be_edited_is_left_and_told(tmp_path):
    text = HEAD + "methods: {cca: {\n  power: [1]}}\n"
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(SettingError, match=r"write under methods: cca: datasets: the line `a: \{learning_rate"):
        set_method_settings(tmp_path, "cca", "a", NEW, "why")
    assert (tmp_path / "params.yaml").read_text() == text
    with pytest.raises(SettingError, match="data set"):
        set_method_settings(tmp_path, "cca", "c", NEW, "why")
