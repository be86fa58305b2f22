"""How a classifier of stage one is trained. Frozen, checked on entry; params.yaml gives every number."""

from __future__ import annotations

from dataclasses import dataclass

from drsl.features.errors import choose, require

__all__ = ["FinetuneConfig"]


@dataclass(frozen=True)
class FinetuneConfig:
    """How a classifier of stage one is trained: SGD or Adam, one-cycle learning rate, best epoch on val."""

    epochs: int
    """passes over the training items"""
    batch: int
    """items a step"""
    optimizer: str
    """`sgd` (Nesterov momentum 0.9) or `adamw`"""
    learning_rate: float
    """the peak of the one-cycle schedule"""
    weight_decay: float
    """decay of the weights a step, in the optimiser's own sense"""
    label_smoothing: float
    """share of the target spread over all classes"""
    seed: int
    """seed of initial weights, order and augmentation"""

    def __post_init__(self) -> None:
        require(self.epochs >= 0, f"epochs: {self.epochs} must be 0 or more")
        require(self.batch >= 2, f"batch: {self.batch} must be 2 or more (batch norm needs two items)")
        choose("optimizer", self.optimizer, ("sgd", "adamw"))
        require(self.learning_rate > 0, f"learning_rate: {self.learning_rate} must be positive")
        require(self.weight_decay >= 0, f"weight_decay: {self.weight_decay} must be 0 or more")
        require(0 <= self.label_smoothing < 1, f"label_smoothing: {self.label_smoothing} must be in [0, 1)")
