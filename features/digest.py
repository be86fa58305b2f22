"""Digests of content, and fingerprints of recipes.

A digest says *what is in* a file or array. A fingerprint says *what determines* an output: settings, weights, manifest.
Equal fingerprint: the output may be used as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["differences", "digest_array", "digest_bytes", "digest_file", "fingerprint"]


def digest_bytes(content: bytes) -> str:
    """SHA-256 of some bytes.

    Args:
        content: any bytes.

    Returns:
        64 hexadecimal digits.
    """
    return hashlib.sha256(content).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces.

    Args:
        path: an existing file.

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: the file cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_array(array: np.ndarray) -> str:
    """SHA-256 of an array's element type, shape and elements in row order.

    Args:
        array: any numeric array; need not be contiguous.

    Returns:
        64 hexadecimal digits.
    """
    content = np.asarray(array, order="C")
    head = f"{content.dtype.str} {content.shape}".encode("ascii")
    return hashlib.sha256(head + content.tobytes()).hexdigest()


def fingerprint(recipe: Mapping[str, Any]) -> str:
    """Digest of everything that determines an output.

    Args:
        recipe: nested mappings and lists of strings, numbers, booleans and None.

    Returns:
        64 hexadecimal digits; the order of keys does not matter.

    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    return digest_bytes(json.dumps(recipe, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8"))


def differences(made: Mapping[str, Any], asked: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Names what differs between the recipe an output was made with and the recipe asked for.

    Args:
        made: the recipe stored with the output.
        asked: the recipe that the present settings give.
        prefix: put before each key (for nested mappings).

    Returns:
        One short text a difference, e.g. `"epochs was 6, now 12"`; digests are cut to 12 digits. A tuple equals the
        list that JSON makes of it, and a missing key equals None.

    >>> differences({"epochs": 6, "seed": 0}, {"epochs": 12, "seed": 0})
    ['epochs was 6, now 12']
    """
    found: list[str] = []
    for key in sorted({*made, *asked}):
        before, now = _as_json(made.get(key)), _as_json(asked.get(key))
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            found += differences(before, now, f"{prefix}{key}.")
        elif before != now:
            found.append(f"{prefix}{key} was {_short(before)}, now {_short(now)}")
    return found


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _as_json(each) for key, each in value.items()}
    return [_as_json(each) for each in value] if isinstance(value, (list, tuple)) else value


def _short(value: Any) -> str:
    text = "not set" if value is None else str(value)
    is_digest = len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)
    return text[:12] if is_digest else text
