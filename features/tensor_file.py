"""Files of named arrays: fine-tuned networks and fitted methods. They hold numbers and one JSON text, and run no code.

The format is safetensors; a digest of all arrays and of the JSON proves the file whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from drsl.features.atomic import write_bytes
from drsl.features.errors import DamagedFile, MissingFile

__all__ = ["MODEL_FORMAT", "read_head", "read_tensors", "write_tensors"]

MODEL_FORMAT = "drsl-model"
"""The format of fitted methods."""

_KEY = "drsl"
_DAMAGES = (SafetensorError, OSError, LookupError, AttributeError, TypeError, ValueError, RecursionError)


def write_tensors(path: Path, format: str, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
    """Writes named arrays with a description; the same content gives the same bytes.

    Args:
        path: the file's final name.
        format: what kind of file this is, e.g. `drsl-network`.
        arrays: name to array, of any numeric type.
        about: JSON-able description.

    Raises:
        UserError: the file cannot be written.
    """
    content = {name: _little_endian(arrays[name]) for name in sorted(arrays)}
    told = json.loads(json.dumps(dict(about)))  # as it will be read: numbers as keys become text
    head = {"format": format, "digest": _digest(content, told), "about": told}
    # One metadata key: safetensors does not promise an order among several.
    write_bytes(path, save(content, metadata={_KEY: json.dumps(head, sort_keys=True, ensure_ascii=False)}))


def read_tensors(path: Path, format: str, repair: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads a file written by `write_tensors` and proves it whole.

    Args:
        path: the file.
        format: what kind of file it must be.
        repair: the command that makes it, for messages.

    Returns:
        The arrays by name, and the description.

    Raises:
        MissingFile: there is no such file.
        DamagedFile: it is of another kind, cut short or changed.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFile(f"{path} is not there: run `{repair}`")
    try:
        with safe_open(path, framework="numpy") as file:
            head = json.loads((file.metadata() or {})[_KEY])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        about = _about(path, head, format, repair)
        whole = head["digest"] == _digest({name: arrays[name] for name in sorted(arrays)}, about)
    except _DAMAGES as error:
        raise _damaged(path, format, repair, error) from None
    if not whole:
        raise DamagedFile(f"{path} was changed after it was written (its digest does not match): run `{repair}`")
    return arrays, about


def read_head(path: Path, format: str, repair: str) -> dict[str, Any]:
    """Reads what a file says of itself, and none of its arrays; that the file is whole is not proved.

    Args:
        path: the file.
        format: what kind of file it must be.
        repair: the command that makes it, for messages.

    Returns:
        The description that `write_tensors` was given.

    Raises:
        MissingFile: there is no such file.
        DamagedFile: its head cannot be read, or it is of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFile(f"{path} is not there: run `{repair}`")
    try:
        with safe_open(path, framework="numpy") as file:
            return _about(path, json.loads((file.metadata() or {})[_KEY]), format, repair)
    except _DAMAGES as error:
        raise _damaged(path, format, repair, error) from None


def _about(path: Path, head: dict[str, Any], format: str, repair: str) -> dict[str, Any]:
    about = head["about"]
    if not isinstance(about, dict):
        raise TypeError("its description is not a mapping")
    if head["format"] != format:
        raise DamagedFile(f"{path} is a {head['format']} file, not {format}: run `{repair}`")
    return about


def _damaged(path: Path, format: str, repair: str, error: Exception) -> DamagedFile:
    reason = " ".join(str(error).split())[:200]
    return DamagedFile(f"{path} is damaged or not a {format} file ({reason}): run `{repair}`")


def _little_endian(array: np.ndarray) -> np.ndarray:
    content = np.asarray(array, order="C")
    return content.astype(content.dtype.newbyteorder("<"), copy=False)


def _digest(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> str:
    content = hashlib.sha256(json.dumps(about, sort_keys=True, ensure_ascii=False).encode("utf-8"))
    for name, array in arrays.items():
        content.update(f"{name} {array.dtype.str} {array.shape}".encode())
        content.update(array.tobytes())
    return content.hexdigest()
