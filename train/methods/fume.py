"""FUME: Duan, Sun, Peng, Liu, Song, Hu, Fuzzy multimodal learning for trusted cross-modal retrieval, CVPR 2025.

Vectors z of length 1 in K dimensions, and a fixed random orthogonal W (K x K). Memberships m = ReLU(z W); the
credibility of class k is how far it leads its strongest rival,
    r_k = (m_k + 1 - max_{l != k} m_l) / 2 for the label k = y, and (m_k + 1 - m_y) / 2 for the others.
    L = sum over modalities of mean |r - onehot(y)| + alpha * the contrast of couples (`frames.couple_contrast`)
Pairs are scored by the cosine alone: the paper also drops pairs of high uncertainty, which is another task.
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
from drsl.train.methods.frames import couple_contrast, orthonormal_frame, row_lengths
from drsl.train.methods.network import Batch, LayersConfig, NetworkMethod, TwoNetworks, layers

__all__ = ["Fume", "FumeConfig", "credibility"]


@dataclass(frozen=True)
class FumeConfig(LayersConfig):
    """Networks, and what the contrast of couples weighs."""

    hidden: tuple[int, ...] = (4096, 4096, 4096)
    """widths of the hidden layers of each network; four of them for NUS-WIDE-10K"""
    learning_rate: float = 5e-5
    """of Adam"""
    alpha: float = 1.0
    """weight of the contrast of couples; the authors take 10 (Pascal), .05 (Wikipedia), .5 (NUS), 1 (XMediaNet)"""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.alpha < math.inf, f"alpha: {self.alpha} must be 0 or more")


class _Model(TwoNetworks):
    frame: torch.Tensor

    def __init__(self, config: FumeConfig, dims: tuple[int, int], classes: int) -> None:
        networks = [
            nn.Sequential(layers([dim, *config.hidden], nn.ReLU()), nn.Linear(config.hidden[-1], classes, bias=False))
            for dim in dims
        ]
        super().__init__(config.inputs, dims, *networks)
        self.register_buffer("frame", orthonormal_frame(classes, classes))

    def embed(self, modality: str, feature: torch.Tensor) -> torch.Tensor:
        """Vectors of length 1."""
        return functional.normalize(super().embed(modality, feature), dim=1)


class Fume(NetworkMethod):
    """FUME: credible class memberships on a fixed frame, and contrast of couples."""

    name = "fume"
    config_type = FumeConfig
    terms = ("membership", "contrast")

    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        return _Model(self.config, dims, classes)

    def _losses(self, model: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        image, text, label = model.embed("image", batch.image), model.embed("text", batch.text), batch.image_label
        target = functional.one_hot(label, self.classes)
        memberships = [(each @ model.frame).relu() for each in (image, text)]
        return {
            "membership": sum(row_lengths(credibility(each, label) - target).mean() for each in memberships),
            "contrast": self.config.alpha * couple_contrast(image, text, 1.0),
        }


def credibility(membership: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """How far each class leads: the label's before its strongest rival, the others' before the label.

    Args:
        membership: (n, K), 0 or more.
        label: (n,) int64.

    Returns:
        (n, K).
    """
    right = functional.one_hot(label, membership.shape[1]).bool()
    own = membership.gather(1, label[:, None])
    rival = membership.masked_fill(right, 0).amax(dim=1, keepdim=True)
    return (membership + 1 - torch.where(right, rival, own)) / 2
