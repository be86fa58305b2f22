"""Peak memory of a stretch of work, so that several runs in one process are measured apart."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["peak_memory", "restart_peak"]

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def restart_peak() -> bool:
    """Starts the measurement anew: from here on the peak is what this process holds, or more.

    Memory that the process has freed is given back first, so that an earlier run does not count as this one's.

    Returns:
        Whether the system can do so (Linux); otherwise `peak_memory` stays the peak since the process began.
    """
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library, or none that can
        ctypes.CDLL(None).malloc_trim(0)
    try:
        _CLEAR.write_text("5", "ascii")  # sets VmHWM to the present size; nothing else changes
    except OSError:
        return False
    return True


def peak_memory() -> int:
    """Largest resident size since `restart_peak`, or since the process began where that cannot be restarted.

    Returns:
        Bytes.
    """
    with suppress(OSError, StopIteration, ValueError):
        lines = _STATUS.read_text("ascii").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
