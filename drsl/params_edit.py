"""Adds a data set to params.yaml, or makes it the one that is run, and leaves every other line and comment as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from drsl.features.atomic import write_text
from drsl.features.errors import SettingError
from drsl.params import Params, read_params

__all__ = ["add_dataset", "check_name", "check_new_name", "render_dataset", "set_run_datasets"]


def check_name(name: str) -> None:
    """Checks a new data set's name, which becomes the name of folders.

    Args:
        name: what the user gave.

    Raises:
        SettingError: it is no plain file name.
    """
    if not name or not all(each.isascii() and (each.isalnum() or each in "-_.") for each in name) or name[0] in "-.":
        raise SettingError(f"data set {name!r}: a name is made of letters, digits, '-', '_' and '.'")


def add_dataset(root: Path, name: str, block: Mapping[str, Any], run: bool = False) -> None:
    """Writes the block of a new data set at the end of `datasets` in params.yaml.

    Args:
        root: the project's folder.
        name: the data set's name.
        block: its settings: plain mappings, lists, texts, numbers and truth values.
        run: make it the data set that `dvc repro` runs, as `set_run_datasets` does.

    Raises:
        SettingError: the name is taken, or is no plain file name; or `run` is asked for and cannot be set.
        DamagedFile: params.yaml is not YAML.
        UserError: params.yaml cannot be written.
    """
    check_new_name(read_params(root), name)
    path = root / "params.yaml"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    place = _end_of_datasets(lines)
    lines[place:place] = [f"  {line}" for line in render_dataset(name, block).splitlines(keepends=True)]
    if run:
        _set_run_datasets(lines, [name])
    write_text(path, "".join(lines))
    read_params(root).dataset(name)  # what was written is what the program reads


def check_new_name(params: Params, name: str) -> None:
    """Checks the name of a new data set.

    Args:
        params: the settings that it is to be added to.
        name: the name.

    Raises:
        SettingError: the name is taken, or is no plain file name.
    """
    check_name(name)
    if name in params.content.get("datasets", {}):
        raise SettingError(f"data set {name!r} is already in params.yaml: take another name, or edit its block there")


def render_dataset(name: str, block: Mapping[str, Any]) -> str:
    """A data set's block as YAML.

    Args:
        name: the data set's name.
        block: its settings.

    Returns:
        Lines that end in line breaks; lists stand on one line.

    >>> print(render_dataset("one", {"source": "folder", "text": {"windows": [3, 4]}}), end="")
    one:
      source: folder
      text:
        windows: [3, 4]
    """
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.default_flow_style = False
    yaml.width = 4096  # a long path stays on its line
    text = StringIO()
    yaml.dump({name: _with_lists_on_one_line(block)}, text)
    return text.getvalue()


def set_run_datasets(root: Path, names: Sequence[str]) -> None:
    """Sets the data sets that `dvc repro` runs, `run.datasets` in params.yaml.

    Args:
        root: the project's folder.
        names: data sets that params.yaml has.

    Raises:
        SettingError: a data set is unknown, or params.yaml has no line `datasets:` under `run:`.
        DamagedFile: params.yaml is not YAML.
        UserError: params.yaml cannot be written.
    """
    params = read_params(root)
    for name in names:
        params.dataset(name)
    path = root / "params.yaml"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    _set_run_datasets(lines, names)
    write_text(path, "".join(lines))
    read_params(root)


def _set_run_datasets(lines: list[str], names: Sequence[str]) -> None:
    new = f"datasets: [{', '.join(names)}]"
    for start, line in enumerate(lines):
        if re.match(r"run:\s*\{.*\bdatasets:\s*\[[^\]]*\]", line):
            lines[start] = re.sub(r"\bdatasets:\s*\[[^\]]*\]", new, line, count=1)
            return
        if re.match(r"run:\s*(#.*)?$", line):
            break
    else:
        start = len(lines)
    stop = _end_of_block(lines, start)
    place = next((place for place in range(start + 1, stop) if re.match(r"\s+datasets:", lines[place])), None)
    if place is None:
        raise SettingError("params.yaml has no line `datasets:` under a line `run:`; write both")
    indent, comment = re.match(r"(\s+)[^#\n]*(#.*)?", lines[place]).groups()  # type: ignore[union-attr]
    end = place + 1
    while end < stop and re.match(rf"{indent}\s*-\s|{indent}\s+\S", lines[end]):
        end += 1  # the names, one a line
    new = indent + new
    lines[place:end] = [f"{new.ljust(lines[place].find('#') - 1)} {comment}\n" if comment else f"{new}\n"]


def _with_lists_on_one_line(value: Any) -> Any:
    from ruamel.yaml.comments import CommentedSeq

    if isinstance(value, Mapping):
        return {key: _with_lists_on_one_line(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        found = CommentedSeq(value)
        found.fa.set_flow_style()
        return found
    return value


def _end_of_datasets(lines: list[str]) -> int:
    """The line after the last data set's block, before blank lines and comments that belong to what follows."""
    start = next((place for place, line in enumerate(lines) if line.startswith("datasets:")), None)
    if start is None or lines[start].partition("#")[0].strip() != "datasets:":
        raise SettingError("params.yaml has no block `datasets:` on a line of its own; write one")
    end = _end_of_block(lines, start)
    if not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    return end


def _end_of_block(lines: list[str], start: int) -> int:
    end = start + 1
    for place in range(start + 1, len(lines)):
        if lines[place].strip() and not lines[place].lstrip().startswith("#"):
            if not lines[place].startswith(" "):
                break
            end = place + 1
    return end
