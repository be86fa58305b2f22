"""Adds a data set's block to params.yaml, and leaves every other line and comment as it is."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from drsl.features.atomic import write_text
from drsl.features.errors import SettingError
from drsl.params import read_params

__all__ = ["add_dataset", "check_name"]


def check_name(name: str) -> None:
    """Checks a new data set's name, which becomes the name of folders.

    Args:
        name: what the user gave.

    Raises:
        SettingError: it is no plain file name.
    """
    if not name or not all(each.isascii() and (each.isalnum() or each in "-_.") for each in name) or name[0] in "-.":
        raise SettingError(f"data set {name!r}: a name is made of letters, digits, '-', '_' and '.'")


def add_dataset(root: Path, name: str, block: Mapping[str, Any]) -> None:
    """Writes the block of a new data set at the end of `datasets` in params.yaml.

    Args:
        root: the project's folder.
        name: the data set's name.
        block: its settings: plain mappings, lists, texts, numbers and truth values.

    Raises:
        SettingError: the name is taken, or is no plain file name.
        DamagedFile: params.yaml is not YAML.
        UserError: params.yaml cannot be written.
    """
    from ruamel.yaml import YAML

    check_name(name)
    if name in read_params(root).content.get("datasets", {}):
        raise SettingError(f"data set {name!r} is already in params.yaml: take another name, or edit its block there")
    path = root / "params.yaml"
    content = path.read_text("utf-8")
    lines = content.splitlines(keepends=True)
    new = StringIO()
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.default_flow_style = False
    yaml.dump({name: dict(block)}, new)
    indented = ["  " + line for line in new.getvalue().splitlines(keepends=True)]
    place = _end_of_datasets(lines)
    lines[place:place] = indented
    write_text(path, "".join(lines))
    read_params(root).dataset(name)  # what was written is what the program reads


def _end_of_datasets(lines: list[str]) -> int:
    """The line after the last data set's block, before blank lines and comments that belong to what follows."""
    start = next((place for place, line in enumerate(lines) if line.startswith("datasets:")), None)
    if start is None or lines[start].partition("#")[0].strip() != "datasets:":
        raise SettingError("params.yaml has no block `datasets:` on a line of its own; write one")
    end = start + 1
    for place in range(start + 1, len(lines)):
        if lines[place].strip() and not lines[place].lstrip().startswith("#"):
            if not lines[place].startswith(" "):
                break
            end = place + 1
    if end and not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    return end
