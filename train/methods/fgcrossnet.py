"""FGCrossNet on global features.

After He, Peng, Xie, A new benchmark and approach for fine-grained cross-media retrieval, ACM Multimedia 2019: one
ResNet-50 for pixels, frames, spectrograms and characters. What is left of it for one feature vector an item: a layer a
modality, a trunk that both share, and K logits, the common space.
    L = cross-entropy of each modality + w_c mean |z - c_y|^2 + w_q mean of the positive
        [(d(a, p) - d(a, n) + 1) + (d(a, p) - d(n, n') + .5)]+
over the logits z of both modalities together; d is Euclidean, a and p are of one class, a, n and n' of three. One hinge
on the sum is the published code's (the usual form has two).

Differences: quadruplets are drawn, a few thousand a batch, where the code has all of its 16 items'; they take part from
the start, not in a second stage. The centres have their own gradient descent on the unweighted loss.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from drsl.features.errors import choose, require
from drsl.train.methods.frames import row_lengths
from drsl.train.methods.network import Batch, NetworkConfig, NetworkMethod, TwoNetworks, layers

__all__ = ["FgCrossNet", "FgCrossNetConfig", "centre_loss", "draw_quadruplets", "quadruplet_loss"]

RANKINGS = ("probabilities", "logits")
"""What the cosine of a pair is taken of."""


@dataclass(frozen=True)
class FgCrossNetConfig(NetworkConfig):
    """Networks, centres and quadruplets."""

    hidden: int = 1024
    """width of each modality's own layer"""
    trunk: int = 1024
    """width of the shared layer"""
    centre_weight: float = 1e-3
    """w_c; positive"""
    centre_learning_rate: float = 0.5
    """of the centres' own gradient descent, on the unweighted loss"""
    quadruplet_weight: float = 0.1
    """w_q; 0 draws none"""
    quadruplets: int = 4096
    """how many are drawn a step"""
    margins: tuple[float, float] = (1.0, 0.5)
    """of d(a, n) and of d(n, n')"""
    ranking: str = "probabilities"
    """cosine of `probabilities` (published code) or of `logits`, which have no ties near one-hot vectors"""

    def __post_init__(self) -> None:
        super().__post_init__()
        choose("ranking", self.ranking, RANKINGS)
        for key in ("hidden", "trunk", "quadruplets"):
            require(getattr(self, key) >= 1, f"{key}: {getattr(self, key)} must be positive")
        for key in ("centre_weight", "centre_learning_rate"):
            require(0 < getattr(self, key) < math.inf, f"{key}: {getattr(self, key)} must be positive")
        require(
            0 <= self.quadruplet_weight < math.inf, f"quadruplet_weight: {self.quadruplet_weight} must be 0 or more"
        )
        require(all(map(math.isfinite, self.margins)), f"margins: {list(self.margins)} must be finite")


class _Model(TwoNetworks):
    def __init__(self, config: FgCrossNetConfig, dims: tuple[int, int], classes: int) -> None:
        super().__init__(config.inputs, dims, *(layers([dim, config.hidden], nn.ReLU()) for dim in dims))
        self.trunk = layers([config.hidden, config.trunk, classes])
        self.centres = nn.Parameter(torch.randn(classes, classes))
        self.ranking = config.ranking

    def logits(self, modality: str, feature: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.trunk(super().embed(modality, feature))
        return found

    def embed(self, modality: str, feature: torch.Tensor) -> torch.Tensor:
        """What the cosine is taken of."""
        logits = self.logits(modality, feature)
        return logits if self.ranking == "logits" else logits.softmax(dim=1)


class FgCrossNet(NetworkMethod):
    """FGCrossNet on global features: one classifier for both modalities, with centres and quadruplets."""

    name = "fgcrossnet"
    config_type = FgCrossNetConfig
    needs_couples = False
    terms = ("label", "centre", "quadruplet")

    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        return _Model(self.config, dims, classes)

    def _losses(self, model: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        config = self.config
        image, text = model.logits("image", batch.image), model.logits("text", batch.text)
        both, label = torch.cat([image, text]), torch.cat([batch.image_label, batch.text_label])
        found = {
            "label": functional.cross_entropy(image, batch.image_label)
            + functional.cross_entropy(text, batch.text_label),
            "centre": config.centre_weight * centre_loss(both, label, model.centres),
            "quadruplet": both.new_zeros(()),
        }
        if config.quadruplet_weight:
            drawn = draw_quadruplets(label.cpu(), config.quadruplets).to(both.device)
            found["quadruplet"] = config.quadruplet_weight * quadruplet_loss(both, drawn, config.margins)
        return found

    def _optimizers(self, model: Any) -> dict[str, torch.optim.Optimizer]:
        others = [each for each in model.parameters() if each is not model.centres]
        return {
            "all": self._adam(others),
            "centres": torch.optim.SGD([model.centres], self.config.centre_learning_rate),
        }

    def _step(self, model: Any, optimizers: dict[str, torch.optim.Optimizer], batch: Batch) -> dict[str, torch.Tensor]:
        optimizers["centres"].zero_grad()
        found = super()._step(model, optimizers, batch)
        # The backward pass left the centres' gradient times the weight that the networks give to their distance.
        model.centres.grad.div_(self.config.centre_weight)
        optimizers["centres"].step()
        return found


def centre_loss(logits: torch.Tensor, label: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """The mean squared distance from the label's centre.

    Args:
        logits: (n, K).
        label: (n,) int64.
        centres: (K, K).

    Returns:
        A number.
    """
    return (logits - centres[label]).square().sum(dim=1).mean()


def draw_quadruplets(label: torch.Tensor, count: int) -> torch.Tensor:
    """Quadruplets (a, p, n, n') at random, from torch's generator.

    p is another item of a's class, n is of another class, n' of a third.

    Args:
        label: (n,) int64, on the CPU.
        count: how many are tried; anchors that lack one of the three fall away.

    Returns:
        (m, 4) positions, int64; m may be 0.
    """
    same = label[:, None] == label
    mate = same & ~torch.eye(len(label), dtype=torch.bool)
    anchor = torch.randint(len(label), (count,))
    # A third class there is where two other items differ: then it is there for each choice of n.
    distinct = len(label.unique())
    anchor = anchor[mate[anchor].any(dim=1)] if distinct > 2 else anchor[:0]
    positive = _draw(mate[anchor])
    negative = _draw(~same[anchor])
    second = _draw(~(same[anchor] | same[negative]))
    return torch.stack([anchor, positive, negative, second], dim=1)


def _draw(allowed: torch.Tensor) -> torch.Tensor:
    """A column of each row at random, among those that are allowed; one is."""
    return ((1 - torch.rand(allowed.shape)) * allowed).argmax(dim=1)


def quadruplet_loss(
    logits: torch.Tensor, quadruplets: torch.Tensor, margins: tuple[float, float] = (1.0, 0.5)
) -> torch.Tensor:
    """The mean of the quadruplets' hinges that are positive.

    Args:
        logits: (n, K).
        quadruplets: (m, 4) positions of a, p, n, n'.
        margins: of d(a, n) and of d(n, n').

    Returns:
        A number; 0 where no hinge is positive.
    """
    a, p, n, other = logits[quadruplets.T]
    near, far, between = row_lengths(a - p), row_lengths(a - n), row_lengths(n - other)
    hinge = ((near - far + margins[0]) + (near - between + margins[1])).relu()
    return hinge.sum() / (hinge > 0).sum().clamp(min=1)
