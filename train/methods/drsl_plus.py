"""DRSL+: our repair of DRSL (Wang, Hu, Zhen, Peng, Information Sciences 546, 2021), with the two controls it needs.

Over all pairs the squared loss of equation 10 is least at R*(x_i, x_t) = P(same class | x_i, x_t) = sum_k P(k | x_i)
P(k | x_t), the inner product of two posteriors. DRSL has to find that from pairs of which one in K is positive, and
with many classes it stays near the constant 1/K for hundreds of steps. DRSL+ starts at that product:

    z_v = dropout(relu(W_v dropout(x_v) + c_v))         p_v = softmax(C z_v + d), one classifier for both modalities
    R   = alpha <p_i, p_t> + k([z_i ; z_t])             alpha learned from 1, the last layer of k from 0
    loss = w_R ||R - S||_F^2 / B + w_C (CE_i + CE_t)    Adam, rate decayed an epoch, weights averaged over steps

What differs from DRSL: standardised inputs, one layer a modality with dropout, the classifier and its cross-entropy,
and the term in alpha, which is `mul` fusion of the posteriors with one weight for all. The controls say what each part
gives: `drsl-plus-no-relation` is R without k, and `drsl-plus-cross-entropy` never sees a pair: w_R = 0 without k, so
alpha stays 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from drsl.features.errors import require
from drsl.train.loss import relation_loss, target_matrix
from drsl.train.methods.network import Batch, NetworkConfig, NetworkMethod, TwoNetworks
from drsl.train.relation import RelationNetwork
from drsl.train.separation import MEAN_COLUMNS, pair_means, separation_warnings

__all__ = ["DrslPlus", "DrslPlusConfig", "DrslPlusCrossEntropy", "DrslPlusNoRelation", "PlusNetworks"]


@dataclass(frozen=True)
class DrslPlusConfig(NetworkConfig):
    """DRSL+: networks and loss."""

    standardise: bool = True
    """features are given mean 0 and deviation 1 as the train split has them; false: as `inputs` says"""
    learning_rate: float = 1e-3
    learning_rate_decay: float = 0.93
    betas: tuple[float, float] = (0.9, 0.999)
    epochs: int = 40
    patience: int = 16
    validate_every: int = 2
    average: float = 0.98
    clip: float = 0.0
    representation: int = 1024
    """width of z"""
    hidden: int = 256
    """width of the relation network's hidden layer"""
    image_dropout: float = 0.5
    """of the image features: 0.5 for those of a CNN, 0.2 for about a hundred"""
    text_dropout: float = 0.5
    """of the text features, likewise"""
    dropout: float = 0.5
    """of z"""
    relation: bool = True
    """whether the score has the relation network's term"""
    pair_weight: float = 1.0
    """w_R, of the squared error of all pairs' scores; 0: cross-entropy only"""
    class_weight: float = 10.0
    """w_C, of the cross-entropies of both modalities"""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(not self.standardise or self.inputs != "unit", "standardise: true does not go with inputs: unit")
        for key in ("representation", "hidden"):
            require(getattr(self, key) >= 1, f"{key}: {getattr(self, key)} must be positive")
        for key in ("image_dropout", "text_dropout", "dropout"):
            require(0 <= getattr(self, key) < 1, f"{key}: {getattr(self, key)} must be in [0, 1)")
        for key in ("pair_weight", "class_weight"):
            require(0 <= getattr(self, key) < float("inf"), f"{key}: {getattr(self, key)} must be 0 or more")
        require(self.pair_weight + self.class_weight > 0, "class_weight: 0 with pair_weight 0 leaves nothing to learn")
        require(
            not self.relation or self.pair_weight > 0, "relation: true learns nothing with pair_weight 0: set false"
        )


class PlusNetworks(TwoNetworks):
    """The two networks, the classifier they share, and what makes a score of posteriors and representations.

    Args:
        config: widths, dropouts, and whether there is a relation network.
        dims: widths of the image and the text feature.
        classes: number of classes.
    """

    def __init__(self, config: DrslPlusConfig, dims: tuple[int, int], classes: int) -> None:
        networks = [
            nn.Sequential(
                nn.Dropout(share), nn.Linear(dim, config.representation), nn.ReLU(), nn.Dropout(config.dropout)
            )
            for dim, share in zip(dims, (config.image_dropout, config.text_dropout), strict=True)
        ]
        super().__init__("standard" if config.standardise else config.inputs, dims, *networks)
        self.classifier = nn.Linear(config.representation, classes)
        self.alpha = nn.Parameter(torch.ones(1))
        self.relation = RelationNetwork(config.representation, config.hidden) if config.relation else None
        if self.relation is not None:  # so that training starts at the posteriors' own score
            nn.init.zeros_(self.relation.last.weight)
            nn.init.zeros_(self.relation.last.bias)

    def parts(self, modality: str, feature: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The classifier's view of items, and what it saw.

        Args:
            modality: `image` or `text`.
            feature: (n, d) as cached.

        Returns:
            Logits (n, K) and z (n, r).
        """
        z = super().embed(modality, feature)
        return self.classifier(z), z

    def embed(self, modality: str, feature: torch.Tensor) -> torch.Tensor:
        """What a score needs of an item.

        Args:
            modality: `image` or `text`.
            feature: (n, d) as cached.

        Returns:
            (n, K + r): posteriors, and behind them z; (n, K) where there is no relation network.
        """
        return self.join(*self.parts(modality, feature))

    def join(self, logits: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """From `parts` to what `relate` takes.

        Args:
            logits: (n, K).
            z: (n, r).

        Returns:
            As `embed`.
        """
        posterior = logits.softmax(dim=1)
        return posterior if self.relation is None else torch.cat([posterior, z], dim=1)

    def relate(self, images: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """Scores of all pairs.

        Args:
            images: (n_i, K + r) from `embed`.
            texts: (n_t, K + r) from `embed`.

        Returns:
            R (n_i, n_t).
        """
        classes = self.classifier.out_features
        scores = self.alpha * (images[:, :classes] @ texts[:, :classes].T)
        return scores if self.relation is None else scores + self.relation(images[:, classes:], texts[:, classes:])


class DrslPlus(NetworkMethod):
    """DRSL+: a relation network that starts at the product of two posteriors.

    Args:
        settings: any field of `DrslPlusConfig`.

    Raises:
        SettingError: a setting is unknown, out of range, or not that of this name.
    """

    name = "drsl-plus"
    config_type = DrslPlusConfig
    needs_couples = False
    cosine = False
    terms = ("pairs", "cross_entropy")
    watched = MEAN_COLUMNS
    fixed: ClassVar[Mapping[str, Any]] = {}
    """settings that make the name what it is"""

    def _configure(self, settings: dict[str, Any]) -> Any:
        config = super()._configure({**self.fixed, **settings})
        for key, value in self.fixed.items():
            given = getattr(config, key)
            require(given == value, f"{key}: {given} is not that of {self.name}: take {DrslPlus.name}")
        return config

    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        return PlusNetworks(self.config, dims, classes)

    def _losses(self, model: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        """The weighted parts of the loss, and the mean scores of both kinds of pairs."""
        image, text = model.parts("image", batch.image), model.parts("text", batch.text)
        scores = model.relate(model.join(*image), model.join(*text))
        if not self.config.pair_weight:
            scores = scores.detach()  # a gradient of 0 would still let weight decay move alpha
        target = target_matrix(batch.image_label, batch.text_label)
        entropy = functional.cross_entropy(image[0], batch.image_label)
        entropy = entropy + functional.cross_entropy(text[0], batch.text_label)
        return {
            "pairs": self.config.pair_weight * relation_loss(scores, target, "per_batch"),
            "cross_entropy": self.config.class_weight * entropy,
            **dict(zip(MEAN_COLUMNS, pair_means(scores, target), strict=True)),
        }

    def _warnings(self) -> list[str]:
        return separation_warnings(self.name, self.log_columns, self.log, ["raise epochs or learning_rate"])

    @torch.no_grad()
    def relate(self, images: np.ndarray, texts: np.ndarray) -> np.ndarray:
        """Scores of all pairs of represented items.

        Args:
            images: (n_i, K + r) from `represent`: posteriors and z.
            texts: (n_t, K + r) from `represent`.

        Returns:
            (n_i, n_t) float32.

        Raises:
            UserError: not fitted.
        """
        model: Any = self._fitted().eval()
        left, right = (torch.from_numpy(each).to(self.device) for each in (images, texts))
        scores: np.ndarray = model.relate(left, right).cpu().numpy()
        return scores


class DrslPlusNoRelation(DrslPlus):
    """The control without the relation network: the score is alpha <p_i, p_t>."""

    name = "drsl-plus-no-relation"
    fixed: ClassVar[Mapping[str, Any]] = {"relation": False}


class DrslPlusCrossEntropy(DrslPlus):
    """The control that never sees a pair: cross-entropy only, scored by <p_i, p_t>."""

    name = "drsl-plus-cross-entropy"
    fixed: ClassVar[Mapping[str, Any]] = {"relation": False, "pair_weight": 0.0}
