"""deep-SM: Wei et al., Cross-modal retrieval with CNN visual features, IEEE Transactions on Cybernetics 47 (2017).

Two softmax classifiers that know nothing of each other; a pair's score is the probability that both see the same
class, sum_k P(k | image) P(k | text). The control that every method has to beat: no pair is ever looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from drsl.features.errors import require
from drsl.train.methods.network import Batch, NetworkConfig, NetworkMethod, TwoNetworks

__all__ = ["DeepSm", "DeepSmConfig"]


@dataclass(frozen=True)
class DeepSmConfig(NetworkConfig):
    """Two classifiers."""

    hidden: int = 1024
    """width of each hidden layer"""
    dropout: float = 0.5
    """of the hidden units"""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.hidden >= 1, f"hidden: {self.hidden} must be positive")
        require(0 <= self.dropout < 1, f"dropout: {self.dropout} must be in [0, 1)")


class _Classifiers(TwoNetworks):
    def embed(self, modality: str, feature: torch.Tensor) -> torch.Tensor:
        """Class probabilities."""
        return super().embed(modality, feature).softmax(dim=1)

    def logits(self, modality: str, feature: torch.Tensor) -> torch.Tensor:
        return super().embed(modality, feature)


class DeepSm(NetworkMethod):
    """deep-SM: the product of two classifiers' posteriors."""

    name = "deep-sm"
    config_type = DeepSmConfig
    needs_couples = False
    cosine = False
    terms = ("image", "text")

    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        hidden, dropout = self.config.hidden, self.config.dropout
        networks = [
            nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, classes))
            for dim in dims
        ]
        return _Classifiers(self.config.inputs, dims, *networks)

    def _losses(self, model: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        return {
            "image": functional.cross_entropy(model.logits("image", batch.image), batch.image_label),
            "text": functional.cross_entropy(model.logits("text", batch.text), batch.text_label),
        }
