"""Files appear whole or not at all: written beside their final name, synced, renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drsl.features.errors import UserError

__all__ = ["publish", "write_bytes", "write_json", "write_text"]


@contextmanager
def publish(path: Path) -> Iterator[Path]:
    """Lends a temporary path beside `path`, and renames it to `path` when the block ends without an error.

    Args:
        path: the final name; its folder is made when missing.

    Yields:
        A path in the same folder that the block must create as a file.

    Raises:
        UserError: the folder cannot be made or written, the disk is full, or `path` is a folder. Whatever the
            block raises is passed on, and the temporary file is removed.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise UserError(f"{path} is a folder, but a file of that name must be written: move it away")
        for leftover in path.parent.glob(f".{path.name}.*.tmp"):  # of a run that was killed
            leftover.unlink(missing_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a whole file in one piece.

    Args:
        path: the final name.
        content: the file's bytes.

    Raises:
        UserError: as `publish`.
    """
    with publish(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Writes a whole UTF-8 text file in one piece, with unix line ends.

    Args:
        path: the final name.
        text: the file's text.

    Raises:
        UserError: as `publish`.
    """
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON file in one piece: two blanks of indent, keys in the order given, no NaN.

    Args:
        path: the final name.
        content: what to write.

    Raises:
        UserError: as `publish`.
        ValueError: a number is NaN or infinite, which JSON cannot hold.
    """
    write_text(path, json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n")
