"""Fetches a published file: goes on where a cut connection or a killed run left off, and checks the digest."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from drsl.features.digest import digest_file
from drsl.features.errors import MissingFile, UserError
from drsl.features.lock import exclusive

__all__ = ["download"]

_PATIENCE = 30.0
"""Seconds without a byte after which a connection counts as cut."""

_TRIES = 3
"""Connections in a row that may bring nothing before the download is given up."""

_PAUSE = 1.0
"""Seconds before a connection that brought nothing is tried again; longer each time."""

_PIECE = 2**18
"""Bytes read at a time."""

Progress = Callable[[int, int, str], None]


class _Refused(Exception):
    """The server's answer will be the same next time."""


def download(address: str, path: Path, digest: str, on_progress: Progress | None = None) -> None:
    """Fetches a file unless it is there. What has come is kept in `NAME.part` beside it until the file is whole.

    Args:
        address: where it is published.
        path: where it shall be; its folder is made when missing.
        digest: the first digits of its SHA-256.
        on_progress: called with (bytes here, bytes in all, a word).

    Raises:
        MissingFile: it could not be fetched; says why, and which file to put where by hand.
        UserError: another process is fetching it, or the file cannot be written.
    """
    advice = f"on a machine with a network fetch {address} and put it at {path}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"{path.parent} cannot be made, {error.strerror}"
        raise MissingFile(f"{path.name} could not be downloaded ({reason}): {advice}") from None
    # The folder may be shared by projects; the lock's file stays, so it stands apart.
    with exclusive(path.parent / ".locks", path.name):
        if path.is_file():  # another process has fetched it meanwhile
            return
        part = path.with_name(f"{path.name}.part")
        reason = _fetch_whole(address, part, digest, on_progress)
        if reason:
            here = part.stat().st_size if part.is_file() else 0
            note = f"; {here / 1e6:,.1f} MB of it are kept, and the next run goes on from there" if here else ""
            raise MissingFile(f"{path.name} could not be downloaded ({reason}): {advice}{note}")
        try:
            with part.open("r+b") as file:
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise _cannot_write(path, error) from None


def _fetch_whole(address: str, part: Path, digest: str, on_progress: Progress | None) -> str:
    """Brings the part to its full length and checks it; says what is wrong, or nothing."""
    for _ in range(2):
        kept = part.is_file() and part.stat().st_size > 0
        reason = _fetch(address, part, on_progress)
        if reason:
            return reason
        found = digest_file(part)
        if found.startswith(digest):
            return ""
        part.unlink()
        if not kept:  # else what an earlier run left may be of another file: from the start, once
            break
    return f"its SHA-256 begins with {found[: len(digest)]}, not {digest}"


def _fetch(address: str, part: Path, on_progress: Progress | None) -> str:
    """Brings the part to its full length, over as many connections as it takes."""
    idle, reason = 0, ""
    while idle < _TRIES:
        before = part.stat().st_size if part.is_file() else 0
        try:
            if _go_on(address, part, on_progress):
                return ""
            reason = "the connection was cut"
        except _Refused as error:
            return str(error)
        except (OSError, HTTPException, ValueError) as error:
            reason = " ".join(str(getattr(error, "reason", error) or type(error).__name__).split())
        after = part.stat().st_size if part.is_file() else 0
        idle = 0 if after > before else idle + 1
        if 0 < idle < _TRIES:
            time.sleep(_PAUSE * idle)
    return reason


def _go_on(address: str, part: Path, on_progress: Progress | None) -> bool:
    """One connection; says whether the part is whole now."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(address, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_PATIENCE)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416:  # nothing is left to send, or the part is longer than the file
                if error.headers.get("Content-Range", "").strip() == f"bytes */{have}":
                    return True
                part.unlink()
                return False
            if error.code < 500 and error.code not in (408, 429):
                raise _Refused(f"the server says {error.code} {error.reason}") from None
            raise ConnectionError(f"the server says {error.code} {error.reason}") from None
    with answer:
        goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        have = have if goes_on else 0  # a server that knows no ranges sends all of it again
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else 0
        try:
            # Unbuffered: each piece is on disk before the next comes, and closing has nothing left that could fail.
            file = part.open("ab" if goes_on else "wb", buffering=0)
        except OSError as error:
            raise _cannot_write(part, error) from None
        with file:
            while piece := answer.read(_PIECE):
                left = memoryview(piece)
                try:
                    while left:
                        left = left[file.write(left) :]
                except OSError as error:
                    raise _cannot_write(part, error) from None
                have += len(piece)
                if on_progress:
                    on_progress(have, max(total, have), "")
    return have >= total if total else True


def _cannot_write(path: Path, error: OSError) -> UserError:
    return UserError(f"cannot write {path}: {error.strerror or error}; make room or allow writing, then run this again")
