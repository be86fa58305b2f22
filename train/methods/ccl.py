"""CCL: Peng et al., Cross-modal correlation learning with multigrained fusion by hierarchical network, TMM 20 (2018).

TMM: IEEE Transactions on Multimedia. Here on global features.

Level 1, each stage frozen before the next: an autoencoder a side; two autoencoders with logistic codes c_i, c_t that
correspond, 0.3 (|x_i - x_i'|^2 + |x_t - x_t'|^2) + 0.7 |c_i - c_t|^2; a classifier a side of which the last hidden
layer is kept, standardised on train. Level 2 has two tasks on one matrix: with u_v = W_v sigmoid(V_v x_v + a_v) + b_v,
the cross-entropy of softmax(L_v u_v) of each side, and for s_v = sigmoid(u_v) over all b x b cross pairs of a batch

    1 / 2b sum_pq [y_p = y_q] |s_p - s_q|^2 + [y_p != y_q] max(0, 1 - |s_p - s_q|)^2.

Differs from the original: no parts (`ccl-multi` has them); autoencoders in place of belief networks, as word counts and
contrastive divergence do not suit cached features; Adam and the best epoch on val in place of a fixed number of steps;
the vectors that are compared are standardised with numbers of the train split, not of the test split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from drsl.features.errors import require
from drsl.train.inputs import Standardize
from drsl.train.methods.base import Progress
from drsl.train.methods.network import Batch, NetworkMethod, TwoNetworks
from drsl.train.methods.stages import LEAST, SIDES, Autoencoder, Classifier, StagedConfig, Stages, standardized
from drsl.train.side import Side

__all__ = ["Ccl", "CclConfig", "LevelTwo", "View", "contrastive_loss"]


@dataclass(frozen=True)
class CclConfig(StagedConfig):
    """Two levels."""

    batch: int = 80
    image_layers: tuple[int, ...] = (2048, 1024)
    """widths of the image autoencoder, up to its code"""
    text_layers: tuple[int, ...] = (1024, 1024)
    """widths of the text autoencoder, up to its code"""
    code: int = 1024
    """width of the corresponding codes"""
    correlation: float = 0.7
    """weight of their correspondence; the reconstructions have the rest of 1"""
    hidden: int = 1024
    """width of the classifiers' three hidden layers, and of level 2"""
    margin: float = 1.0
    """distance beyond which items of two classes are let alone"""
    norm_margin: bool = False
    """whether distances are divided by the root of the width, so that the margin means the same at any width"""
    standard_codes: bool = True
    """whether what is compared is standardised, with numbers of the train split"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("image_layers", "text_layers"):
            widths = getattr(self, key)
            require(bool(widths) and min(widths) >= 1, f"{key}: {list(widths)} must be one or more positive numbers")
        for key in ("code", "hidden"):
            require(getattr(self, key) >= 1, f"{key}: {getattr(self, key)} must be positive")
        require(0 <= self.correlation <= 1, f"correlation: {self.correlation} must be from 0 to 1")
        require(self.margin > 0, f"margin: {self.margin} must be positive")


class LevelTwo(nn.Module):
    """Two tasks on one matrix.

    Args:
        width: of the input.
        hidden: of the layers, and of the code.
        classes: K.
    """

    def __init__(self, width: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(width, hidden), nn.Sigmoid())
        self.shared = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, classes)

    def forward(self, feature: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Both heads.

        Args:
            feature: (n, width).

        Returns:
            The code (n, hidden) and the logits (n, K).
        """
        found = self.shared(self.first(feature))
        return found.sigmoid(), self.last(found)


class View(nn.Module):
    """What one side's features go through, in the order of the stages.

    Args:
        config: the settings.
        dim: width of the feature.
        widths: of the autoencoder.
        classes: K.
        width: of what the classifier is given; 0 for the corresponding code.
    """

    def __init__(self, config: CclConfig, dim: int, widths: tuple[int, ...], classes: int, width: int = 0) -> None:
        super().__init__()
        self.whole = Autoencoder([dim, *widths])
        self.correspondence = Autoencoder([widths[-1], config.code], nn.Sigmoid())
        self.classifier = Classifier([width or config.code, *[config.hidden] * 3], classes)
        self.standard = Standardize(config.hidden)
        self.level_two = LevelTwo(config.hidden, config.hidden, classes)
        self.out = Standardize(config.hidden)

    def code(self, feature: Any) -> torch.Tensor:
        """The code of level 1 before the classifier.

        Args:
            feature: (n, dim).

        Returns:
            (n, k).
        """
        found: torch.Tensor = self.correspondence(self.whole(feature))
        return found

    def forward(self, feature: Any) -> torch.Tensor:
        """The vectors that are compared.

        Args:
            feature: (n, dim).

        Returns:
            (n, hidden).
        """
        found: torch.Tensor = self.out(self.level_two(self.standard(self.classifier(self.code(feature))))[0])
        return found


class Ccl(NetworkMethod):
    """CCL on global features."""

    name = "ccl"
    config_type = CclConfig
    terms = ("contrastive", "image", "text")

    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        config = self.config
        widths = config.image_layers, config.text_layers
        views = [View(config, *each, classes) for each in zip(dims, widths, strict=True)]
        return TwoNetworks(config.inputs, dims, *views)

    def _optimizers(self, model: Any) -> dict[str, torch.optim.Optimizer]:
        return {"all": self._adam([*model.image.level_two.parameters(), *model.text.level_two.parameters()])}

    def _prepare(self, model: Any, train: tuple[Side, Side], progress: Progress | None) -> tuple[Side, Side]:
        """Level 1, on couples; the epochs learn level 2 from its codes."""
        stages = Stages(self.name, self.config, len(train[0]), self.device, progress)
        grains = [self._grains(stages, model, side, each) for side, each in zip(SIDES, train, strict=True)]
        codes = self._fused(stages, model, *grains)
        found = []
        for side, code, each in zip(SIDES, codes, train, strict=True):
            view = getattr(model, side)
            hidden = stages.classify(view.classifier, code, each.label, f"{side} classifier")
            found.append(each.with_feature(standardized(view.standard, hidden)))
        return found[0], found[1]

    def _grains(self, stages: Stages, model: Any, side: str, train: Side) -> list[torch.Tensor]:
        """Trains a side's autoencoders, and gives the training items' codes (n, k), a grain each."""
        whole, inputs = getattr(model, side).whole, model.inputs[side]
        return [stages.autoencode(whole, lambda places: inputs(train.feature(places)), f"{side} autoencoder")]

    def _fused(
        self, stages: Stages, model: Any, image: list[torch.Tensor], text: list[torch.Tensor]
    ) -> list[torch.Tensor]:
        """Trains the correspondence, and gives both sides' codes."""
        return self._correspond(stages, model.image.correspondence, model.text.correspondence, image[0], text[0])

    def _correspond(
        self, stages: Stages, left: Autoencoder, right: Autoencoder, image: torch.Tensor, text: torch.Tensor
    ) -> list[torch.Tensor]:
        share = self.config.correlation

        def loss(places: torch.Tensor) -> torch.Tensor:
            near = functional.mse_loss(left(image[places]), right(text[places]))
            return (1 - share) * (left.error(image[places]) + right.error(text[places])) + share * near

        stages.train(nn.ModuleList([left, right]), loss, "correspondence")
        return [stages.codes(lambda places: left(image[places])), stages.codes(lambda places: right(text[places]))]

    def _losses(self, model: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        config = self.config
        image, image_logits = model.image.level_two(batch.image)
        text, text_logits = model.text.level_two(batch.text)
        same = batch.image_label[:, None] == batch.text_label
        scale = config.hidden**-0.5 if config.norm_margin else 1.0
        return {
            "contrastive": contrastive_loss(image * scale, text * scale, same, config.margin),
            "image": functional.cross_entropy(image_logits, batch.image_label),
            "text": functional.cross_entropy(text_logits, batch.text_label),
        }

    def _settle(self, model: Any, train: tuple[Side, Side]) -> None:
        if self.config.standard_codes:
            for view, each in zip((model.image, model.text), train, strict=True):
                view.out.fit(view.level_two(each.feature())[0], LEAST)


def contrastive_loss(image: torch.Tensor, text: torch.Tensor, same: torch.Tensor, margin: float) -> torch.Tensor:
    """Draws all cross pairs of a class together, and pushes those of two classes as far apart as the margin.

    Args:
        image: (b, k).
        text: (b, k).
        same: (b, b) bool, whether image p and text q are of one class.
        margin: the distance.

    Returns:
        The sum over pairs by 2 b.
    """
    lengths = image.square().sum(dim=1, keepdim=True) + text.square().sum(dim=1)
    square = (lengths - 2 * image @ text.T).clamp(min=0)
    # The root has no slope at 0, so a pair that coincides is left a little apart.
    far = (margin - (square + 1e-12).sqrt()).clamp(min=0).square()
    return torch.where(same, square, far).sum() / (2 * len(image))
