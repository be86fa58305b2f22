"""One writer at a time: an exclusive lock on an output that ends with its process.

DVC that is killed leaves its stage running; a second `dvc repro` would start the stage again beside the first. The
lock makes the second one stop with a message instead. It is `flock`, so a dead process never holds it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drsl.features.errors import UserError

__all__ = ["exclusive"]


@contextmanager
def exclusive(folder: Path, output: str) -> Iterator[None]:
    """Holds the lock of one output while the block runs.

    Args:
        folder: where lock files live (outside DVC's outputs).
        output: the output's name, as shown to people.

    Yields:
        Nothing.

    Raises:
        UserError: another living process holds the lock (the message names its process id), or the folder cannot
            be written.
    """
    try:
        import fcntl
    except ImportError:  # Windows: no flock, and no DVC orphan either, since the console ends its children
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / (output.replace("/", "-") + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UserError(f"cannot write in {folder}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise UserError(
                f"process {holder} is still writing {output}: wait for it, or end it (kill {holder}), "
                "and run this again"
            ) from None
        except OSError as error:
            raise UserError(f"cannot lock {output} in {folder}: {error.strerror}") from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode("ascii"), 0)
        yield
    finally:
        os.close(handle)
