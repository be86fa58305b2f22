"""Settings of DRSL, and the two presets whose numbers the paper and its published code fix."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drsl.features.calibration import PRECISIONS
from drsl.features.errors import choose, require
from drsl.train.settings import make_settings

__all__ = ["BACKENDS", "FUSIONS", "PRESETS", "REDUCTIONS", "DrslConfig", "drsl_config"]

FUSIONS = ("concat", "mul", "add", "sub")
"""How an image and a text representation become one vector (section 3.2.2 and tables 5 and 6 of the paper)."""

REDUCTIONS = ("sum", "per_batch", "mean")
"""What the squared Frobenius norm is divided by: 1 (equation 10), the batch size (published code), the pairs."""

BACKENDS = ("auto", "numba", "triton", "l1", "blocks")
"""Ways to work out the relation function; all agree."""


@dataclass(frozen=True)
class DrslConfig:
    """DRSL: networks, loss and optimiser."""

    fusion: str
    """`concat`, `mul`, `add` or `sub`"""
    image_fnn: tuple[int, ...]
    """widths of the image network's layers after its input; the last is the representation"""
    text_fnn: tuple[int, ...]
    """widths of the text network's layers after its input; the last is the representation"""
    relation: tuple[int, ...]
    """widths of the relation network's hidden layers"""
    fnn_batch_norm: bool
    """batch norm before each ReLU of the two FNNs"""
    relation_batch_norm: bool
    """batch norm before each ReLU of the relation network, over all pairs of a batch"""
    learning_rate: float
    """of Adam"""
    betas: tuple[float, float]
    """of Adam"""
    weight_decay: float
    """of Adam (added to the gradient)"""
    learning_rate_decay: float
    """the learning rate is multiplied by this after each epoch"""
    batch: int
    """images, and texts, a step"""
    epochs: int
    """passes over the larger side"""
    loss_reduction: str
    """`sum`, `per_batch` or `mean`"""
    validate_every: int
    """epochs between two looks at the val split; the best is kept"""
    backend: str = "auto"
    """`auto`, `numba` (CPU), `triton` (GPU), `l1` or `blocks`"""
    precision: str = "float32"
    """of the matrix products in training: `float32`, `bfloat16`, or `auto`: the faster of the two by a measurement"""
    standardise: bool = False
    """features are given mean 0 and deviation 1, column by column, as the train split has them"""

    def __post_init__(self) -> None:
        choose("fusion", self.fusion, FUSIONS)
        choose("loss_reduction", self.loss_reduction, REDUCTIONS)
        choose("backend", self.backend, BACKENDS)
        choose("precision", self.precision, PRECISIONS)
        for key in ("image_fnn", "text_fnn", "relation"):
            widths = getattr(self, key)
            require(bool(widths) and min(widths) >= 1, f"{key}: {list(widths)} must be one or more positive widths")
        require(
            self.image_fnn[-1] == self.text_fnn[-1],
            f"text_fnn: ends in {self.text_fnn[-1]}, but image_fnn in {self.image_fnn[-1]}; they are fused, so equal",
        )
        require(0 < self.learning_rate < math.inf, f"learning_rate: {self.learning_rate} must be positive")
        require(all(0 <= beta < 1 for beta in self.betas), f"betas: {list(self.betas)} must be in [0, 1)")
        require(0 <= self.weight_decay < math.inf, f"weight_decay: {self.weight_decay} must be 0 or more")
        require(0 < self.learning_rate_decay <= 1, f"learning_rate_decay: {self.learning_rate_decay} must be in (0, 1]")
        require(self.batch >= 1, f"batch: {self.batch} must be positive")
        require(
            self.batch >= 2 or not (self.fnn_batch_norm or self.relation_batch_norm),
            f"batch: {self.batch} must be 2 or more with batch norm",
        )
        require(self.epochs >= 1, f"epochs: {self.epochs} must be positive")
        require(self.validate_every >= 1, f"validate_every: {self.validate_every} must be positive")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    # Sections 3.2 to 3.4 and equation 10. The paper names no batch size, betas or epochs for its tables: the batch is
    # that of the published code, the epochs are where its figure 4 flattens, the betas are Adam's own.
    "paper": {
        "image_fnn": (1024, 300),
        "text_fnn": (1024, 300),
        "relation": (1024,),
        "fnn_batch_norm": False,
        "relation_batch_norm": False,
        "learning_rate": 1e-4,
        "betas": (0.9, 0.999),
        "weight_decay": 0.0,
        "learning_rate_decay": 1.0,
        "batch": 200,
        "epochs": 150,
        "loss_reduction": "sum",
        "validate_every": 1,
        "standardise": False,
    },
    # The authors' repository (wangxu-scu/DRSL, written for XMediaNet).
    "released": {
        "image_fnn": (1024, 1024, 300),
        "text_fnn": (1024, 1024, 300),
        "relation": (1024, 1024),
        "fnn_batch_norm": True,
        "relation_batch_norm": True,
        "learning_rate": 1e-4,
        "betas": (0.5, 0.99),
        "weight_decay": 1e-4,
        "learning_rate_decay": 0.98,
        "batch": 200,
        "epochs": 20,
        "loss_reduction": "per_batch",
        "validate_every": 1,
        "standardise": False,
    },
}


def drsl_config(settings: Mapping[str, Any], fusion: str) -> DrslConfig:
    """Puts a preset and the settings that differ from it together.

    Args:
        settings: `preset` (default `paper`) and any field of `DrslConfig`; lists are taken as tuples.
        fusion: the fusion when the settings do not name one.

    Returns:
        The checked settings.

    Raises:
        SettingError: an unknown key (names the nearest), a wrong type or a value out of range.
    """
    given = dict(settings)
    preset = choose("preset", given.pop("preset", "paper"), PRESETS)
    return make_settings(DrslConfig, {"fusion": fusion, **PRESETS[preset], **given}, also=("preset",))
