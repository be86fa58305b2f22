"""DSCMR: Zhen, Hu, Wang, Peng, Deep supervised cross-modal retrieval, CVPR 2019.

A layer a modality, then a layer and a linear classifier that both share; u, v are the shared layer's outputs.
J = J1 + alpha J2 + beta J3 with
    J1 = mean_p |y^(u_p) - y_p| + mean_p |y^(v_p) - y_p|       the classifier's output against the one-hot label
    J2 = mean_pq log(1 + e^G_pq) - S_pq G_pq, G = cos / 2      summed over (u, u), (u, v), (v, v); diagonals are in
    J3 = mean_p |u_p - v_p|                                    couples lie close
The lengths are those of the published code, an item each and not squared (the paper writes Frobenius norms of the set).
The code takes the items in a fixed order and keeps the epoch that is best on *test*; here they are shuffled, and val
decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from drsl.features.errors import require
from drsl.train.methods.frames import row_lengths
from drsl.train.methods.network import Batch, NetworkConfig, NetworkMethod, TwoNetworks, layers

__all__ = ["Dscmr", "DscmrConfig", "pair_likelihood"]


@dataclass(frozen=True)
class DscmrConfig(NetworkConfig):
    """Widths of the layers and weights of the loss."""

    hidden: int = 2048
    """width of each modality's own layer"""
    space: int = 1024
    """width of the shared layer, the common space"""
    alpha: float = 1e-3
    """weight of the likelihood of pairs, J2; the code's value for Pascal"""
    beta: float = 1e-1
    """weight of the distance within couples, J3; the code's value for Pascal"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("hidden", "space"):
            require(getattr(self, key) >= 1, f"{key}: {getattr(self, key)} must be positive")
        for key in ("alpha", "beta"):
            require(0 <= getattr(self, key) < math.inf, f"{key}: {getattr(self, key)} must be 0 or more")


class _Model(TwoNetworks):
    def __init__(self, config: DscmrConfig, dims: tuple[int, int], classes: int) -> None:
        own = (layers([dim, config.hidden], nn.ReLU()) for dim in dims)
        super().__init__(config.inputs, dims, *own)
        self.shared = nn.Linear(config.hidden, config.space)
        self.classifier = nn.Linear(config.space, classes)

    def embed(self, modality: str, feature: torch.Tensor) -> torch.Tensor:
        """The shared layer's output."""
        found: torch.Tensor = self.shared(super().embed(modality, feature))
        return found


class Dscmr(NetworkMethod):
    """DSCMR: labels, likelihood of pairs and closeness of couples, over shared layers."""

    name = "dscmr"
    config_type = DscmrConfig
    terms = ("label", "pair", "couple")

    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        return _Model(self.config, dims, classes)

    def _losses(self, model: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        u, v, label = model.embed("image", batch.image), model.embed("text", batch.text), batch.image_label
        target = functional.one_hot(label, self.classes)
        return {
            "label": sum(row_lengths(model.classifier(each) - target).mean() for each in (u, v)),
            "pair": self.config.alpha * sum(pair_likelihood(*each, label) for each in ((u, u), (u, v), (v, v))),
            "couple": self.config.beta * row_lengths(u - v).mean(),
        }


def pair_likelihood(left: torch.Tensor, right: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """J2 of two sides: the negative log likelihood of "same class" under the logistic function of half the cosine.

    Args:
        left: (n, L).
        right: (n, L).
        label: (n,) of the rows of both.

    Returns:
        A number, the mean over all n x n pairs.
    """
    half = functional.normalize(left, dim=1) @ functional.normalize(right, dim=1).T / 2
    return (functional.softplus(half) - (label[:, None] == label) * half).mean()
