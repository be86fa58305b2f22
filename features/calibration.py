"""Which arithmetic is faster here, float32 or bfloat16: measured once a machine and remembered."""

from __future__ import annotations

import contextlib
import json
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from drsl.features.atomic import write_json
from drsl.features.digest import fingerprint

__all__ = ["PRECISIONS", "choose_arithmetic", "machine_facts"]

PRECISIONS = ("auto", "float32", "bfloat16")
"""The `precision` setting; `auto` measures."""

_MARGIN = 1.2
"""bfloat16 must be more than this many times faster to be taken: it rounds more."""

_REPEATS = 5
"""Steps timed in each precision, after one to warm up."""

_ENOUGH = 10.0
"""Seconds after which no more steps are timed, once each has had its second."""


def machine_facts(device: str, torch_version: str, threads: int) -> dict[str, str]:
    """What a measurement on this machine depends on, beside the processor.

    Args:
        device: what computes: `cpu`, or the GPU's name.
        torch_version: torch's version.
        threads: how many threads torch uses.

    Returns:
        The `facts` that `choose_arithmetic` takes.
    """
    return {"device": device, "torch": torch_version, "threads": str(threads)}


def choose_arithmetic(
    what: str, steps: Mapping[str, Callable[[], object]], memory: Path | None, facts: Mapping[str, str]
) -> tuple[str, str]:
    """Times the same work in several ways and takes the quickest.

    The measurement is kept in `memory`, so that a second run on the same machine chooses the same and gives the same
    bytes.

    Args:
        what: names what is measured; another name is another measurement.
        steps: one step of the work by the name of its arithmetic (`float32 ...` or `bfloat16 ...`), finished when it
            returns.
        memory: JSON file of earlier measurements on this machine; None forgets.
        facts: what else a measurement depends on, as `machine_facts` gives it.

    Returns:
        The name of the quickest, and one line that says why.
    """
    key = fingerprint({"what": what, "steps": list(steps), "processor": _processor(), **facts})
    known = _read(memory)
    if set(known.get(key, ())) != set(steps):
        seconds: dict[str, list[float]] = {name: [] for name in steps}
        begin = time.perf_counter()
        for turn in range(_REPEATS + 1):  # in turn, so that a busy moment of the machine meets all
            for name, step in steps.items():
                start = time.perf_counter()
                step()
                seconds[name].append(time.perf_counter() - start)
            if turn and time.perf_counter() - begin > _ENOUGH:
                break
        # The quickest of each: whatever else the machine does can only add to a step's time.
        known[key] = {name: min(values) for name, values in seconds.items()}
        if memory is not None:
            write_json(memory, known)
    found = known[key]
    weighed = {name: each * (_MARGIN if name.startswith("bfloat16") else 1.0) for name, each in found.items()}
    choice = min(weighed, key=weighed.__getitem__)
    times = ", ".join(f"{each:.3g} s in {name}" for name, each in found.items())
    return choice, f"{choice}: a step takes {times}"


def _read(memory: Path | None) -> dict[str, dict[str, float]]:
    try:
        return dict(json.loads(memory.read_text("utf-8"))) if memory is not None else {}
    except (OSError, ValueError, TypeError):
        return {}


def _processor() -> str:
    """What the processor can do, in its own words."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next((line for line in lines if line.startswith("flags")), platform.processor())
    return platform.processor()
