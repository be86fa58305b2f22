"""Which arithmetic makes a training step faster here: float32 or bfloat16."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import torch

from drsl.features.calibration import PRECISIONS, choose_arithmetic, machine_facts
from drsl.train.config import DrslConfig
from drsl.train.loss import relation_loss
from drsl.train.model import DrslModel

__all__ = ["faster_precision"]


def faster_precision(
    config: DrslConfig, dims: tuple[int, int], device: str = "cpu", memory: Path | None = None
) -> tuple[str, str]:
    """Times a step of training in both arithmetics, on a model and data of its own.

    Args:
        config: networks and batch.
        dims: widths of the image and the text feature.
        device: `cpu` or `cuda`.
        memory: JSON file of measurements on this machine; None forgets.

    Returns:
        `float32` or `bfloat16`, and one line that says why.
    """
    with torch.random.fork_rng(devices=[]):
        model = DrslModel(config, *dims).to(device)
        image, text = (torch.rand(config.batch, dim).to(device) for dim in dims)

    def step(precision: str) -> None:
        target = torch.zeros(len(image), len(text), device=device)
        relation_loss(model(image, text, precision), target, "mean").backward()
        model.zero_grad(set_to_none=True)
        if device == "cuda":
            torch.cuda.synchronize()

    # What does not change a step's work is left out, so that other methods and seeds find the measurement.
    same = replace(config, learning_rate=1.0, epochs=1, validate_every=1, loss_reduction="mean", precision="auto")
    computes = torch.cuda.get_device_name() if device == "cuda" else device
    facts = machine_facts(computes, str(torch.__version__), torch.get_num_threads())
    steps = {name: functools.partial(step, name) for name in PRECISIONS[1:]}
    return choose_arithmetic(f"fit {dims} {same}", steps, memory, facts)
