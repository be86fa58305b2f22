"""Ends long work at a good place when it is asked to: by Ctrl-C (SIGINT), or by `kill` (SIGTERM)."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Stopped", "stop_requests"]


class Stopped(Exception):
    """Work ended early because it was asked to; the message says what is kept.

    Args:
        signal: the number of the signal that asked.
        message: what is kept, for people.
    """

    def __init__(self, signal: int, message: str) -> None:
        super().__init__(message)
        self.signal = signal


@contextmanager
def stop_requests() -> Iterator[Callable[[], int]]:
    """Takes note of the first SIGINT or SIGTERM while the block runs; a second one acts at once, as usual.

    Yields:
        A function that gives the number of the signal that came, 0 while none has. Outside the main thread, where
        Python delivers no signals, it stays 0.
    """
    came: list[int] = []
    usual: dict[int, Any] = {}

    def restore() -> None:
        for number, handler in usual.items():
            signal.signal(number, handler)
        usual.clear()

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        restore()

    if threading.current_thread() is threading.main_thread():
        usual.update({number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)})
    try:
        yield lambda: came[0] if came else 0
    finally:
        restore()
