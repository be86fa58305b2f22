"""Files appear whole or not at all: written beside their final name, synced, renamed."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from drsl.features.errors import UserError

__all__ = ["publish", "publish_folder", "reserve", "write_bytes", "write_json", "write_text"]

_NO_ROOM = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


@contextmanager
def publish(path: Path) -> Iterator[Path]:
    """Lends a temporary path beside `path`, and renames it to `path` when the block ends without an error.

    Args:
        path: the final name; its folder is made when missing.

    Yields:
        A path in the same folder that the block must create as a file.

    Raises:
        UserError: the folder cannot be made or written, the disk is full, or `path` is a folder. Whatever the
            block raises is passed on, and the temporary file is removed. An operating system's error about the
            temporary file counts as the first kind.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise UserError(f"{path} is a folder, but a file of that name must be written: move it away")
        _remove_leftovers(path)
    except OSError as error:
        raise _failure(path, error) from error
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is None or (error.filename is not None and str(error.filename) != str(temporary)):
            raise  # about another file, or no error of the operating system
        raise _failure(path, error) from error
    finally:
        with suppress(OSError):  # what went wrong before matters more
            temporary.unlink(missing_ok=True)


@contextmanager
def publish_folder(path: Path) -> Iterator[Path]:
    """Lends an empty folder beside `path`, and puts it in the place of `path` when the block ends without an error.

    Args:
        path: the final name; what a folder of this name holds before is removed.

    Yields:
        The folder `<path>.tmp`, which the block fills.

    Raises:
        UserError: the folder cannot be made, filled or put in its place. Whatever else the block raises is passed on,
            and the temporary folder is removed.
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        if temporary.is_dir():
            shutil.rmtree(temporary)  # of a run that was killed
        temporary.mkdir(parents=True)
    except OSError as error:
        raise _failure(path, error) from error
    try:
        yield temporary
        if path.is_dir():
            shutil.rmtree(path)
        temporary.rename(path)
    except OSError as error:
        if error.errno is None or (error.filename is not None and not _concerns(path, error)):
            raise  # about another file, or no error of the operating system
        raise _failure(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def reserve(path: Path, file: BinaryIO, size: int) -> None:
    """Claims disk space for a file that is being written, so that the disk cannot get full half way.

    Args:
        path: the final name, for the message.
        file: the temporary file, open for writing; it may be longer afterwards, so truncate it in the end.
        size: how many bytes it will have at most.

    Raises:
        UserError: there is not so much room; says how much there is.
    """
    if size <= 0:
        return
    if not hasattr(os, "posix_fallocate"):
        if shutil.disk_usage(path.parent).free < size:
            raise _failure(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), size)
        return
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno in _NO_ROOM:
            file.truncate(0)  # what it got before the end of the disk counts as free
            raise _failure(path, error, size) from error
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # this file system cannot reserve
            raise


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a whole file in one piece.

    Args:
        path: the final name.
        content: the file's bytes.

    Raises:
        UserError: as `publish`.
    """
    with publish(path) as temporary, temporary.open("wb") as file:
        reserve(path, file, len(content))
        file.write(content)


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


def _failure(path: Path, error: OSError, needed: int | None = None) -> UserError:
    """What an operating system's error means for the file, and what to do about it."""
    reason, repair = error.strerror or str(error), ""
    if error.errno in _NO_ROOM:
        free = f"{shutil.disk_usage(path.parent).free:,} bytes are free"
        reason += f" ({free})" if needed is None else f" ({needed:,} bytes are needed, {free})"
        repair = ": make room, then run this again"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        repair = f": allow writing in {path.parent}, then run this again"
    elif isinstance(error, (FileExistsError, NotADirectoryError)):
        file = next((each for each in path.parents if each.exists() and not each.is_dir()), path.parent)
        reason, repair = f"{file} is a file", ", but a folder of that name is needed: move it away"
    return UserError(f"cannot write {path}: {reason}{repair}")


def _concerns(path: Path, error: OSError) -> bool:
    """Whether an error names the folder `path`, the temporary one beside it, or a file in either."""
    named = [Path(os.fsdecode(each)) for each in (error.filename, error.filename2) if each is not None]
    folders = path, path.with_name(f"{path.name}.tmp")  # a copy's error names the original, then the copy
    return any(each.is_relative_to(folder) for each in named for folder in folders)


def _remove_leftovers(path: Path) -> None:
    """Removes what killed runs left beside `path`; the file of a run that still writes stays."""
    name = re.compile(rf"\.{re.escape(path.name)}\.(\d+)\.tmp")
    for leftover in path.parent.iterdir():
        match = name.fullmatch(leftover.name)
        if match and not _lives(int(match[1])):
            with suppress(OSError):
                leftover.unlink()


def _lives(process: int) -> bool:
    if os.name == "nt":  # there, signal 0 is not a question; and an open file cannot be removed
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return process != os.getpid()
