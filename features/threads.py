"""One small pool of threads for compiled loops that release Python's lock; idle threads sleep, they do not spin."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["core_count", "run_parts", "run_together"]


_SMALL = 1 << 16
"""Numbers below which a second thread costs more than it gives."""


def core_count() -> int:
    """Cores that this process may use.

    Returns:
        At least 1; `OMP_NUM_THREADS` lowers it, as it does for every numerical library.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(asked)) if asked.isdigit() and int(asked) > 0 else cores


def run_together(work: Callable[[], object], threads: int) -> None:
    """Runs the same work on several threads at once, the caller's among them, and waits for all of them.

    Args:
        work: takes its own share of a task, for example from a counter, until nothing is left.
        threads: how many run it.

    Raises:
        Exception: whatever `work` raised first.
    """
    helpers = [_pool(threads - 1).submit(work) for _ in range(threads - 1)] if threads > 1 else []
    try:
        work()
    finally:
        for helper in helpers:
            helper.result()


def run_parts(work: Callable[[slice], object], count: int, size: int, elements: int) -> None:
    """Works through a range in parts, which the cores share.

    Args:
        work: does one part; called with its slice of the range, parts in any order.
        count: end of the range, which begins at 0.
        size: length of a part; the last may be shorter.
        elements: numbers that all parts together look at; below 65,536 one thread does them all.

    Raises:
        Exception: whatever `work` raised first.
    """
    starts = iter(range(0, count, size))

    def take() -> None:
        for start in starts:  # a range's iterator gives each part to one thread
            work(slice(start, min(start + size, count)))

    run_together(take, core_count() if elements > _SMALL else 1)


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="drsl")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked process has the pool but not its threads
