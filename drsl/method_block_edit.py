"""Writes a method's settings on one data set into params.yaml, and leaves every other line and comment as it is."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from drsl.features.atomic import write_bytes
from drsl.features.errors import SettingError
from drsl.params import read_params

__all__ = ["render_settings", "set_method_settings"]


def set_method_settings(root: Path, method: str, dataset: str, settings: Mapping[str, Any], comment: str) -> str:
    """Sets some settings under `methods.METHOD.datasets.DATASET`; others that stand there stay.

    Args:
        root: the project's folder.
        method: the method's name.
        dataset: a data set of params.yaml.
        settings: what to set.
        comment: stands behind the line; one line.

    Returns:
        The line as written.

    Raises:
        SettingError: params.yaml is written in a way that this cannot edit; says what to write by hand. The file is
            as it was.
        DamagedFile: params.yaml is not YAML.
        UserError: params.yaml cannot be written.
    """
    params = read_params(root)
    params.dataset(dataset)
    path = root / "params.yaml"
    text = path.read_bytes().decode("utf-8")
    wanted = copy.deepcopy({**params.content})
    block = wanted["methods"] = dict(wanted.get("methods") or {})
    block[method] = dict(block.get(method) or {})
    apart = block[method]["datasets"] = dict(block[method].get("datasets") or {})
    apart[dataset] = {**(apart.get(dataset) or {}), **settings}
    line = render_settings(dataset, apart[dataset], comment)
    changed = _edited(text, method, dataset, line)
    if _parsed(changed) != _plain(wanted):
        raise SettingError(
            f"params.yaml is written in a way that cannot be edited here: write under methods: {method}: datasets: the "
            f"line `{line}`"
        )
    write_bytes(path, changed.encode("utf-8"))
    return line


def render_settings(dataset: str, settings: Mapping[str, Any], comment: str) -> str:
    """The line of a data set in a method's block.

    Args:
        dataset: the data set's name.
        settings: plain values and lists.
        comment: stands behind it; may be empty.

    Returns:
        One line without indent and line end.

    >>> render_settings("emoji", {"learning_rate": 1e-4, "hidden": [3, 4]}, "why")
    'emoji: {learning_rate: 0.0001, hidden: [3, 4]}   # why'
    """
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = True
    yaml.width = 1_000_000
    buffer = StringIO()
    yaml.dump({dataset: _plain(settings)}, buffer)
    inner = buffer.getvalue().strip()[1:-1]  # without the outer braces
    return f"{inner}   # {comment}" if comment else inner


def _edited(text: str, method: str, dataset: str, line: str) -> str:
    """The file's text with the line put in; wrong where the file is written in an unusual way."""
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    start, stop = _block(lines, 0, len(lines), "methods")
    if start is None:
        lines += ["\n", "methods:\n"]
        start, stop = len(lines) - 1, len(lines)
    _open(lines, start, 0)
    stop = _end(lines, start)
    for depth, key in ((2, method), (4, "datasets")):
        found, end = _block(lines, start + 1, stop, key)
        if found is None:
            indent = _indent_inside(lines, start, stop, depth)
            lines[stop:stop] = [f"{' ' * indent}{key}:\n"]
            found, end = stop, stop + 1
        else:
            _open(lines, found, depth)
            end = _end(lines, found)
        start, stop = found, end
    found, end = _block(lines, start + 1, stop, dataset)
    if found is None:
        found = end = stop
        indent = _indent_inside(lines, start, stop, 6)
    else:
        indent = _indent(lines[found])
        end = _end(lines, found)
    lines[found:end] = [f"{' ' * indent}{line}\n"]
    return "".join(lines)


def _block(lines: list[str], start: int, stop: int, key: str) -> tuple[int | None, int]:
    """The line of a key at the outermost level of some lines, and the line after its block; None when not there."""
    inner = [place for place in range(start, stop) if _says(lines[place])]
    least = min((_indent(lines[place]) for place in inner), default=0)
    for place in inner:
        if _indent(lines[place]) == least and re.match(rf"\s*(['\"]?){re.escape(key)}\1\s*:(\s|$)", lines[place]):
            return place, _end(lines, place)
    return None, stop


def _open(lines: list[str], place: int, depth: int) -> None:
    """Turns `key: {a: 1}` into `key:` with a line a setting below it; `key: {}` and `key:` just become open."""
    from ruamel.yaml import YAML

    line = lines[place]
    head, _, rest = line.partition(":")
    value, mark, comment = _split_comment(rest.rstrip("\n"))
    if not value.strip() or _end(lines, place) > place + 1:
        return
    inner = YAML(typ="safe", pure=True).load(value)
    lines[place] = f"{head}:" + (f"{' ' * len(value)}{mark}{comment}" if mark else "") + "\n"
    indent = " " * (_indent(line) + 2)
    lines[place + 1 : place + 1] = [
        f"{indent}{render_settings(key, each, '')}\n" for key, each in (inner or {}).items()
    ]


def _split_comment(text: str) -> tuple[str, str, str]:
    """Value, `#` and comment of a line's rest; a `#` inside quotes is none."""
    found = re.match(r"((?:'[^']*'|\"[^\"]*\"|[^'\"#]|(?<!\s)#)*)(?:(#)(.*))?$", text)
    return (found[1], found[2] or "", found[3] or "") if found else (text, "", "")


def _end(lines: list[str], start: int) -> int:
    """The line after a key's block, before blank lines and comments that belong to what follows."""
    end = start + 1
    for place in range(start + 1, len(lines)):
        if _says(lines[place]):
            if _indent(lines[place]) <= _indent(lines[start]):
                break
            end = place + 1
    return end


def _indent_inside(lines: list[str], start: int, stop: int, usual: int) -> int:
    inside = [_indent(lines[place]) for place in range(start + 1, stop) if _says(lines[place])]
    return min(inside, default=max(usual, _indent(lines[start]) + 2))


def _says(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _parsed(text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return _plain(YAML(typ="safe", pure=True).load(text))
    except YAMLError:
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
