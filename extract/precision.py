"""The arithmetic of stage one's networks and how pictures lie in memory: whatever is fastest here."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from drsl.features.calibration import choose_arithmetic, machine_facts

__all__ = ["CHOICES", "Precision", "choose_precision"]


@dataclass(frozen=True)
class Precision:
    """The arithmetic of matrix products and convolutions, and how pictures lie in memory; weights stay in float32."""

    name: str
    """`float32` or `bfloat16`"""
    memory_format: str = "channels_last"
    """`channels_last` or `contiguous`"""

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

    @property
    def layout(self) -> torch.memory_format:
        """The memory format as torch has it."""
        return torch.channels_last if self.memory_format == "channels_last" else torch.contiguous_format


CHOICES = (Precision("float32", "contiguous"), Precision("float32"), Precision("bfloat16"))
"""What `auto` chooses from."""


def choose_precision(
    setting: str, what: str, step: Callable[[Precision], object], memory: Path, device: str = "cpu"
) -> tuple[Precision, str]:
    """Settles the `precision` setting, as `choose_arithmetic` does.

    Args:
        setting: `float32`, `bfloat16`, or `auto` to measure.
        what: names what is measured; another name is another measurement.
        step: one step of the work at hand in a given precision, finished when it returns.
        memory: JSON file of earlier measurements on this machine.
        device: torch's device type.

    Returns:
        The precision, and one line that says why.
    """
    if setting != "auto":
        return Precision(setting), f"{setting}, as set"
    computes = torch.cuda.get_device_name() if device == "cuda" else device
    facts = machine_facts(computes, str(torch.__version__), torch.get_num_threads())
    choices = {f"{each.name} {each.memory_format}": each for each in CHOICES}
    steps = {name: functools.partial(step, each) for name, each in choices.items()}
    name, why = choose_arithmetic(what, steps, memory, facts)
    return choices[name], why
