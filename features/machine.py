"""The machine in one line, for people who read a time and ask where it was measured."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path

__all__ = ["describe_machine"]


def describe_machine(device: str, torch_version: str, threads: int) -> str:
    """Names what a time was measured on.

    Args:
        device: what computes: `cpu`, or the GPU's name.
        torch_version: torch's version.
        threads: how many threads torch uses.

    Returns:
        Processor, cores, GPU if any, system, versions; no name of the machine or its user.

    >>> describe_machine("cpu", "2.14.1", 2)  # doctest: +ELLIPSIS
    '..., 2 threads, ..., Python ..., torch 2.14.1'
    """
    computes = "" if device == "cpu" else f", {device}"
    return (
        f"{_processor()}, {os.cpu_count()} cores, {threads} threads{computes}, "
        f"{platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, torch {torch_version}"
    )


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or "unknown processor"
