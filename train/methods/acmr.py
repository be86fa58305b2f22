"""ACMR: Wang, Yang, Xu, Hanjalic and Shen, Adversarial cross-modal retrieval, ACM Multimedia 2017.

Projectors of both modalities, a classifier of labels on what they give, and a discriminator that tells the modalities
apart; the projectors learn to be classified, to rank items of one class before others, and to deceive it:

    minimise CE(labels) + a triplet + CE(modality), where the discriminator's gradient reaches the projectors reversed,
    times l = w (2 / (1 + exp(-10 p)) - 1) at share p of the training.

Variant `paper`: the triplet term takes, for each item, the farthest item of its class and the nearest of another class
in the other modality (batch-hard, on unit vectors). The paper sums over all triples of couples and adds the norms of
the weights; one optimiser with reversed gradients stands for its k steps to one.

Variant `demo`: what the authors' published demo does, on which many tables rest. No gradient of the discriminator
reaches the projectors, and the classifier keeps its random first weights, for neither is in the lists of what is
trained; the triplet term is one hinge on sums over the batch, max(0, m + 5 sum_p d(own pair) - sum_p d(negative))
with d half the squared distance, where an item's negative is the other side of that item of another class whose
features of the same modality are most like its own; ranking is by Euclidean distance. The discriminator has no
activations.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from drsl.features.errors import choose, require
from drsl.train.methods.network import Batch, NetworkConfig, NetworkMethod, TwoNetworks, layers

__all__ = ["Acmr", "AcmrConfig", "batch_hard_triplet", "batch_sum_triplet", "reverse_gradient"]

VARIANTS = ("paper", "demo")
# The demo's own numbers, where the settings do not say otherwise. Text layers are its Wikipedia network's.
_DEMO = {
    "image_hidden": [512, 100],
    "text_hidden": [40, 100],
    "components": 40,
    "discriminator": [20, 10],
    "label_weight": 100.0,
    "triplet_weight": 1.0,
    "margin": 0.1,
    "ranking": "euclidean",
    "batch": 64,
    "epochs": 50,
    "clip": 0.0,
}


@dataclass(frozen=True)
class AcmrConfig(NetworkConfig):
    """Adversarial cross-modal retrieval. Defaults are those of the variant `paper`."""

    variant: str = "paper"
    """`paper`, or `demo` as the published demo behaves, with its numbers where none are given"""
    image_hidden: tuple[int, ...] = (1024,)
    """widths of the image projector's hidden layers"""
    text_hidden: tuple[int, ...] = (500,)
    """widths of the text projector's hidden layers"""
    components: int = 200
    """L: width of the common space"""
    discriminator: tuple[int, ...] = (50,)
    """widths of the discriminator's hidden layers"""
    label_weight: float = 1.0
    """of the classifier's cross-entropy"""
    triplet_weight: float = 0.1
    """of the triplet term"""
    margin: float = 0.2
    """of the triplet term: on distances of unit vectors (`paper`), or on sums over the batch (`demo`)"""
    adversarial_weight: float = 1.0
    """w: of the reversed gradient; the variant `demo` has none"""
    ranking: str = "cosine"
    """`cosine` or `euclidean`"""

    def __post_init__(self) -> None:
        super().__post_init__()
        choose("variant", self.variant, VARIANTS)
        choose("ranking", self.ranking, ("cosine", "euclidean"))
        for key in ("image_hidden", "text_hidden", "discriminator"):
            require(
                all(each >= 1 for each in getattr(self, key)), f"{key}: {list(getattr(self, key))} must be positive"
            )
        require(self.components >= 1, f"components: {self.components} must be positive")
        for key in ("label_weight", "triplet_weight", "margin", "adversarial_weight"):
            require(0 <= getattr(self, key) < math.inf, f"{key}: {getattr(self, key)} must be 0 or more")


class _Adversaries(TwoNetworks):
    """Projectors, a classifier of labels, and a discriminator of modalities: images are 0, texts are 1."""

    def __init__(self, config: AcmrConfig, dims: tuple[int, int], classes: int) -> None:
        hidden = config.image_hidden, config.text_hidden
        projectors = [
            layers([dim, *widths, config.components], nn.Tanh(), nn.Tanh)
            for dim, widths in zip(dims, hidden, strict=True)
        ]
        super().__init__(config.inputs, dims, *projectors)
        self.classifier = nn.Linear(config.components, classes)
        between = nn.Identity if config.variant == "demo" else nn.ReLU
        self.discriminator = layers([config.components, *config.discriminator, 2], between=between)
        if config.variant == "demo":
            self.classifier.requires_grad_(False)
            for each in self.modules():
                if isinstance(each, nn.Linear):
                    nn.init.xavier_uniform_(each.weight)
                    nn.init.zeros_(each.bias)


class Acmr(NetworkMethod):
    """ACMR: labels, triplets, and a discriminator to deceive."""

    name = "acmr"
    config_type = AcmrConfig
    terms = ("label", "triplet", "adversarial")

    def _configure(self, settings: dict[str, Any]) -> Any:
        if settings.get("variant") == "demo":
            settings = _DEMO | settings
        config = super()._configure(settings)
        self.cosine = config.ranking == "cosine"
        return config

    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        return _Adversaries(self.config, dims, classes)

    def _adam(self, parameters: Iterable[nn.Parameter], rate: float | None = None) -> Any:
        return super()._adam([each for each in parameters if each.requires_grad], rate)

    def _losses(self, model: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        config, demo = self.config, self.config.variant == "demo"
        image, text = model.embed("image", batch.image), model.embed("text", batch.text)
        both, label = torch.cat([image, text]), torch.cat([batch.image_label, batch.text_label])
        ramp = 0.0 if demo else config.adversarial_weight * (2 / (1 + math.exp(-10 * batch.done)) - 1)
        modality = torch.arange(2, device=both.device).repeat_interleave(len(image))
        if demo:
            near_image, near_text = (_most_alike(each, batch.image_label) for each in (batch.image, batch.text))
            triplet = batch_sum_triplet(image, text, near_image, near_text, config.margin)
        else:
            triplet = batch_hard_triplet(image, text, batch.image_label, config.margin)
        # Means over 2B items: half the sum of the two sides' means.
        return {
            "label": 2 * config.label_weight * functional.cross_entropy(model.classifier(both), label),
            "triplet": config.triplet_weight * triplet,
            "adversarial": 2 * functional.cross_entropy(model.discriminator(reverse_gradient(both, ramp)), modality),
        }

    def relate(self, images: np.ndarray, texts: np.ndarray) -> np.ndarray:
        """Scores all pairs of vectors of the common space.

        Args:
            images: (n_i, L) from `represent`.
            texts: (n_t, L) from `represent`.

        Returns:
            (n_i, n_t) float32: cosines, or distances below 0.
        """
        if self.cosine:
            return super().relate(images, texts)
        left, right = images.astype(np.float64), texts.astype(np.float64)
        square = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2 * left @ right.T
        scores: np.ndarray = -np.sqrt(np.maximum(square, 0)).astype(np.float32)
        return scores


class _Reverse(torch.autograd.Function):
    """The identity, whose gradient is turned round."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, strength: float) -> torch.Tensor:
        ctx.strength = strength
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return -ctx.strength * gradients[0], None


def reverse_gradient(values: torch.Tensor, strength: float) -> torch.Tensor:
    """The values as they are; the gradient comes back times -strength.

    Args:
        values: of any shape.
        strength: 0 stops the gradient.

    Returns:
        The values.
    """
    found: torch.Tensor = _Reverse.apply(values, strength)
    return found


def batch_hard_triplet(image: torch.Tensor, text: torch.Tensor, label: torch.Tensor, margin: float) -> torch.Tensor:
    """The hardest triple of each item across modalities, by the distance of unit vectors.

    Args:
        image: (B, L) vectors, place p of both sides being one item, so that each item has a positive.
        text: (B, L).
        label: (B,).
        margin: by how much the nearest of another class should be farther than the farthest of its own.

    Returns:
        The mean of max(0, positive - negative + margin) over images, plus that over texts. Items with no other class
        in the batch count 0.
    """
    cosine = functional.normalize(image, dim=1) @ functional.normalize(text, dim=1).T
    distance = (2 - 2 * cosine).clamp(min=1e-12).sqrt()  # the root has no gradient at 0
    same = label[:, None] == label[None, :]
    positive, negative = distance.masked_fill(~same, -math.inf), distance.masked_fill(same, math.inf)
    sides = [(positive.amax(dim=side) - negative.amin(dim=side) + margin).relu().mean() for side in (1, 0)]
    return sides[0] + sides[1]


def batch_sum_triplet(
    image: torch.Tensor, text: torch.Tensor, near_image: torch.Tensor, near_text: torch.Tensor, margin: float
) -> torch.Tensor:
    """The triplet term of the published demo: one hinge a direction, on sums over the batch.

    Args:
        image: (B, L) vectors, place p of both sides being one item.
        text: (B, L).
        near_image: (B,) places of each image's negative.
        near_text: (B,) places of each text's negative.
        margin: on the sums.

    Returns:
        The sum of both hinges; distances are half the squared Euclidean ones.
    """
    own, by_image, by_text = (
        (left - right).square().sum() / 2
        for left, right in ((image, text), (image, text[near_image]), (text, image[near_text]))
    )
    return (margin + 5 * own - by_image).relu() + (margin + 5 * own - by_text).relu()


def _most_alike(feature: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """(B,) places of the item of another class with the largest cosine; the first item when there is none."""
    unit = functional.normalize(feature, dim=1)
    return (unit @ unit.T).masked_fill(label[:, None] == label[None, :], -math.inf).argmax(dim=1)
