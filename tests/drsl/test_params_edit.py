from pathlib import Path

import pytest

from drsl.features.errors import SettingError
from drsl.params import read_params
from drsl.params_edit import add_dataset

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
