"""Which arithmetic is faster here: float32 or bfloat16. Measured once a machine and remembered."""

from __future__ import annotations

import contextlib
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from drsl.features.atomic import write_json
from drsl.features.digest import fingerprint

__all__ = ["Precision", "choose_precision"]

_MARGIN = 1.2
"""bfloat16 must be this many times faster to be taken: it rounds more."""

_REPEATS = 5
"""Steps timed in each precision."""


@dataclass(frozen=True)
class Precision:
    """The arithmetic of matrix products and convolutions; weights stay in float32."""

    name: str
    """`float32` or `bfloat16`"""

    def autocast(self, device: str) -> contextlib.AbstractContextManager[object]:
        """A context in which torch computes in this precision.

        Args:
            device: torch's device type, `cpu` or `cuda`.

        Returns:
            A context manager.
        """
        if self.name == "float32":
            return contextlib.nullcontext()
        return torch.autocast(device, dtype=torch.bfloat16)


def choose_precision(
    setting: str, what: str, step: Callable[[Precision], object], memory: Path, device: str = "cpu"
) -> tuple[Precision, str]:
    """Settles the `precision` setting.

    The measurement is kept in `memory`, so that a second run on the same machine chooses the same and gives the same
    bytes.

    Args:
        setting: `float32`, `bfloat16`, or `auto` to measure.
        what: names what is measured; another name is another measurement.
        step: one step of the work at hand in a given precision.
        memory: JSON file of earlier measurements on this machine.
        device: torch's device type.

    Returns:
        The precision, and one line that says why.
    """
    if setting != "auto":
        return Precision(setting), f"{setting}, as set"
    key = fingerprint({"what": what, "device": device, **_machine(device)})
    try:
        known = dict(json.loads(memory.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        known = {}
    if key not in known:
        both = [Precision("float32"), Precision("bfloat16")]
        for each in both:
            step(each)
        seconds: dict[str, list[float]] = {each.name: [] for each in both}
        for _ in range(_REPEATS):  # in turn, so that a busy moment of the machine meets both
            for each in both:
                start = time.perf_counter()
                step(each)
                seconds[each.name].append(time.perf_counter() - start)
        # The quickest of each: whatever else the machine does can only add to a step's time.
        known[key] = {name: min(values) for name, values in seconds.items()}
        write_json(memory, known)
    slow, fast = known[key]["float32"], known[key]["bfloat16"]
    choice = "bfloat16" if slow > _MARGIN * fast else "float32"
    return Precision(choice), f"{choice}: a step takes {slow:.3f} s in float32, {fast:.3f} s in bfloat16"


def _machine(device: str) -> dict[str, str]:
    """What a measurement depends on."""
    name = torch.cuda.get_device_name() if device == "cuda" else platform.processor()
    with contextlib.suppress(OSError):
        if device == "cpu":
            lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
            name = next((line for line in lines if line.startswith("flags")), name)
    return {"processor": name, "torch": str(torch.__version__), "threads": str(torch.get_num_threads())}
