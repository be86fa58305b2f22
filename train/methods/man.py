"""MAN: Hu, Peng, Wang, Xiang, Multimodal adversarial network for cross-modal retrieval.

Knowledge-Based Systems 180 (2019).

A discriminator D tells the modality from z, and the networks work against it: half the mean squared distance of D(z),
    D:         to the one-hot modality;
    networks:  to the one-hot of the other modality, plus weight * J.
J = -mean log of the top eigenvalues of S_b w = lambda (S_w + ridge I) w over both modalities' items of a batch: the
criterion of discriminant analysis, S_b = sum_c n_c d_c d_c^T with d_c = phi(m - m_c), phi(x) = sign(x) log(1 + |x|).

S_b w = lambda (S_w + ridge I) w is whitened by Cholesky factors, and only eigenvalues are taken: the gradient of
eigenvectors is infinite at equal eigenvalues, that of eigenvalues is not. A batch without some of the classes has fewer
directions; eigenvalues of rounding alone are left out. Couples are not used.
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
from drsl.train.methods.network import Batch, LayersConfig, NetworkMethod, TwoNetworks, layers

__all__ = ["Man", "ManConfig", "discriminant", "eigenvalues", "scatters"]

_LEAST = 1e-6
"""Eigenvalues from here on count."""


@dataclass(frozen=True)
class ManConfig(LayersConfig):
    """Networks, discriminator, and what the discriminant criterion weighs."""

    learning_rate: float = 2e-4
    """of both Adams"""
    discriminator: int = 128
    """width of the discriminator's hidden layer"""
    ridge: float = 1e-3
    """added to the diagonal of the scatter within classes"""
    weight: float = 1.0
    """of the discriminant criterion, beside the adversarial loss"""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.discriminator >= 1, f"discriminator: {self.discriminator} must be positive")
        require(0 < self.ridge < math.inf, f"ridge: {self.ridge} must be positive")
        require(0 <= self.weight < math.inf, f"weight: {self.weight} must be 0 or more")


class _Model(TwoNetworks):
    def __init__(self, config: ManConfig, dims: tuple[int, int], classes: int) -> None:
        super().__init__(config.inputs, dims, *(layers([dim, *config.hidden, classes]) for dim in dims))
        self.discriminator = layers([classes, config.discriminator, 2], nn.Softmax(dim=1))

    def told(self, vectors: tuple[torch.Tensor, torch.Tensor], as_other: bool) -> torch.Tensor:
        """Half the mean squared distance of D to the true modality, or to the other one; summed over both."""
        losses = []
        for place, each in enumerate(vectors):
            target = torch.zeros(2, dtype=each.dtype, device=each.device)
            target[place ^ as_other] = 1
            losses.append((self.discriminator(each) - target).square().sum(dim=1).mean() / 2)
        return torch.stack(losses).sum()


class Man(NetworkMethod):
    """MAN: class separation in a space where the modality cannot be told."""

    name = "man"
    config_type = ManConfig
    needs_couples = False
    terms = ("discriminator", "adversary", "discriminant")

    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        return _Model(self.config, dims, classes)

    def _losses(self, model: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        """The networks' part."""
        vectors = model.embed("image", batch.image), model.embed("text", batch.text)
        label = torch.cat([batch.image_label, batch.text_label])
        separation = discriminant(torch.cat(vectors), label, self.config.ridge)
        return {"adversary": model.told(vectors, as_other=True), "discriminant": self.config.weight * separation}

    def _optimizers(self, model: Any) -> dict[str, torch.optim.Optimizer]:
        return {
            "all": self._adam([*model.image.parameters(), *model.text.parameters()]),
            "discriminator": self._adam(model.discriminator.parameters()),
        }

    def _step(self, model: Any, optimizers: dict[str, torch.optim.Optimizer], batch: Batch) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            vectors = model.embed("image", batch.image), model.embed("text", batch.text)
        loss = model.told(vectors, as_other=False)
        self._descend(loss, optimizers["discriminator"])
        return {"discriminator": loss.detach(), **super()._step(model, optimizers, batch)}


def scatters(vectors: torch.Tensor, label: torch.Tensor, shrink: bool = True) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Scatter between and within the classes that are there, as sums over items.

    Args:
        vectors: (n, L).
        label: (n,) int64.
        shrink: applies phi to each coordinate of the mean's distance from the class means; False is plain
            discriminant analysis.

    Returns:
        S_b (L, L), S_w (L, L), and the number of classes that are there.
    """
    present, place = label.unique(return_inverse=True)
    member = functional.one_hot(place, len(present)).to(vectors.dtype)
    count = member.sum(dim=0)
    means = member.T @ vectors / count[:, None]
    away = vectors.mean(dim=0) - means
    if shrink:
        away = away.sign() * away.abs().log1p()
    inner = vectors - means[place]
    return away.T @ (count[:, None] * away), inner.T @ inner, len(present)


def eigenvalues(between: torch.Tensor, within: torch.Tensor) -> torch.Tensor:
    """The generalised eigenvalues of S_b w = lambda S_w w.

    Args:
        between: (L, L) symmetric.
        within: (L, L) symmetric, positive definite.

    Returns:
        (L,) ascending.
    """
    factor = torch.linalg.cholesky(within)
    half = torch.linalg.solve_triangular(factor, between, upper=False)
    white = torch.linalg.solve_triangular(factor, half.T, upper=False)
    return torch.linalg.eigvalsh((white + white.T) / 2)


def discriminant(vectors: torch.Tensor, label: torch.Tensor, ridge: float, shrink: bool = True) -> torch.Tensor:
    """J: minus the mean logarithm of the eigenvalues, of one less than the classes that are there.

    Args:
        vectors: (n, L).
        label: (n,) int64.
        ridge: added to the diagonal of the scatter within classes.
        shrink: as `scatters` takes it.

    Returns:
        A number of the vectors' type, worked out in float64; 0 when no eigenvalue counts.
    """
    between, within, present = scatters(vectors.double(), label, shrink)
    within = within + ridge * torch.eye(len(within), dtype=within.dtype, device=within.device)
    found = eigenvalues(between, within)[max(0, len(within) - present + 1) :]
    found = found[found > _LEAST]
    return (-found.log().sum() / max(1, len(found))).to(vectors.dtype)
