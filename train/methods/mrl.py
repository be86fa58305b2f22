"""MRL: Hu, Peng, Zhu, Zhen, Lin, Learning cross-modal retrieval with noisy labels, CVPR 2021.

Vectors z of length 1; learned class directions c_k, of length 1 after each step; p(k | x) = softmax_k(z . c_k / tau).
    L = beta L_r + (1 - beta) L_c
    L_r = sum over modalities of mean log(1 - p(y | x))     robust: an item that is far from its label hardly pulls
    L_c = the contrast of couples (`frames.couple_contrast`), as the published code has it
L_r has no lower bound, so p stops at 1 - 1e-6. The rate falls along a half cosine, here step by step.
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
from drsl.train.methods.frames import couple_contrast, orthonormal_frame
from drsl.train.methods.network import Batch, LayersConfig, NetworkMethod, TwoNetworks, layers

__all__ = ["Mrl", "MrlConfig", "robust_clustering"]

_MOST = 1 - 1e-6
"""Largest probability that still pulls."""


@dataclass(frozen=True)
class MrlConfig(LayersConfig):
    """Networks, and the two losses."""

    hidden: tuple[int, ...] = (4096, 4096)
    """widths of the hidden layers of each network"""
    space: int = 512
    """width of the common space, at least the number of classes"""
    epochs: int = 100
    """passes over the larger side, at most; the rate has fallen to 0 at their end"""
    beta: float = 0.7
    """weight of the clustering loss; the contrast of couples has 1 - beta"""
    class_temperature: float = 1.0
    """tau of the class probabilities"""
    couple_temperature: float = 1.0
    """tau of the contrast of couples"""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.space >= 1, f"space: {self.space} must be positive")
        require(
            self.learning_rate_decay == 1, "learning_rate_decay: the rate of mrl falls along a cosine; leave it at 1"
        )
        require(0 <= self.beta <= 1, f"beta: {self.beta} must be in [0, 1]")
        for key in ("class_temperature", "couple_temperature"):
            require(0 < getattr(self, key) < math.inf, f"{key}: {getattr(self, key)} must be positive")


class _Model(TwoNetworks):
    def __init__(self, config: MrlConfig, dims: tuple[int, int], classes: int) -> None:
        super().__init__(config.inputs, dims, *(layers([dim, *config.hidden, config.space]) for dim in dims))
        self.directions = nn.Parameter(orthonormal_frame(config.space, classes))

    def embed(self, modality: str, feature: torch.Tensor) -> torch.Tensor:
        """Vectors of length 1."""
        return functional.normalize(super().embed(modality, feature), dim=1)


class Mrl(NetworkMethod):
    """MRL: robust clustering around class directions, and contrast of couples."""

    name = "mrl"
    config_type = MrlConfig
    terms = ("clustering", "contrast")

    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        return _Model(self.config, dims, classes)

    def _losses(self, model: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        config = self.config
        image, text = model.embed("image", batch.image), model.embed("text", batch.text)
        clustering = sum(
            robust_clustering(each @ model.directions / config.class_temperature, batch.image_label)
            for each in (image, text)
        )
        contrast = couple_contrast(image, text, config.couple_temperature)
        return {"clustering": config.beta * clustering, "contrast": (1 - config.beta) * contrast}

    def _step(self, model: Any, optimizers: dict[str, torch.optim.Optimizer], batch: Batch) -> dict[str, torch.Tensor]:
        for group in optimizers["all"].param_groups:
            group["lr"] = self.config.learning_rate * (1 + math.cos(math.pi * batch.done)) / 2
        found = super()._step(model, optimizers, batch)
        with torch.no_grad():
            model.directions.copy_(functional.normalize(model.directions, dim=0))
        return found


def robust_clustering(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """L_r of one modality: the mean of log(1 - p(label)).

    Args:
        logits: (n, K).
        label: (n,) int64.

    Returns:
        A number, 0 or less.
    """
    right = logits.softmax(dim=1).gather(1, label[:, None])
    return (-right.clamp(max=_MOST)).log1p().mean()
