"""Further networks of torchvision under one rule: the input of the last layer is the feature; that layer is new."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torchvision import models

from drsl.extract.backbones.base import ImageNetwork

__all__ = ["TorchvisionNetwork"]


@dataclass(frozen=True)
class _Rule:
    """Where a network of torchvision has what is needed here."""

    last: str
    """its last layer"""
    grid: str
    """the module whose output is the last map"""
    settings: Mapping[str, float] = field(default_factory=dict)
    """arguments of its constructor; dropout before the last layer is ours"""


_RULES = {
    "resnet18": _Rule("fc", "layer4"),
    "resnet50": _Rule("fc", "layer4"),
    "resnet101": _Rule("fc", "layer4"),
    "densenet121": _Rule("classifier", "features"),
    "mobilenet_v3_large": _Rule("classifier.3", "features", {"dropout": 0.0}),
    "efficientnet_b0": _Rule("classifier.1", "features", {"dropout": 0.0}),
    "convnext_tiny": _Rule("classifier.2", "features"),
    "vit_b_16": _Rule("heads.head", "encoder"),
}

# Files older than torchvision's present names of layers, which torchvision renames as it loads them.
_RENAMED = (
    (re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)"), r"\1\2"),
    (re.compile(r"\.mlp\.linear_1\."), ".mlp.0."),
    (re.compile(r"\.mlp\.linear_2\."), ".mlp.3."),
)


class TorchvisionNetwork(ImageNetwork):
    """A network of torchvision that classifies a data set's classes.

    Args:
        architecture: a name that torchvision has and this file's rules know.
        classes: number of classes, the width of the new last layer.
        dropout: before the last layer.
    """

    last_layer = "last."

    def __init__(self, architecture: str, classes: int, dropout: float = 0.5) -> None:
        super().__init__()
        rule = _RULES[architecture]
        body = models.get_model(architecture, weights=None, **rule.settings)
        last = body.get_submodule(rule.last)
        body.set_submodule(rule.last, nn.Identity())
        self.dim = last.in_features
        self.body = body
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(self.dim, classes)
        self._grid = rule.grid

    def grid(self, pixels: torch.Tensor) -> torch.Tensor:
        """The last map; of the vision transformer its last tokens, laid out as their patches lie.

        Args:
            pixels: (b, 3, h, w), normalised.

        Returns:
            (b, c, rows, columns).
        """
        found: list[torch.Tensor] = []
        with self.body.get_submodule(self._grid).register_forward_hook(lambda *call: found.append(call[2])):
            self.body(pixels)
        (grid,) = found
        if isinstance(self.body, models.VisionTransformer):
            rows = pixels.shape[2] // self.body.patch_size
            return grid[:, 1:].transpose(1, 2).unflatten(2, (rows, -1))  # the first token is the class's
        if isinstance(self.body, models.DenseNet):
            return grid.relu()  # stands in its forward, not among its modules
        return grid

    def feature(self, pixels: torch.Tensor) -> torch.Tensor:
        """The input of the last layer, after pooling.

        Args:
            pixels: (b, 3, h, w), normalised.

        Returns:
            (b, dim).
        """
        return self.body(pixels)

    def classify(self, feature: torch.Tensor) -> torch.Tensor:
        """Class scores from the feature.

        Args:
            feature: (b, dim) from `feature`.

        Returns:
            (b, classes) logits; dropout acts in training mode only.
        """
        return self.last(self.dropout(feature))

    def from_published(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """A state dict of torchvision's under the names that this network's own has.

        Args:
            state: names as in torchvision's file.

        Returns:
            The same content; torchvision's last layer is in it and has no place here.
        """
        found = {}
        for name, each in state.items():
            for pattern, present in _RENAMED:
                name = pattern.sub(present, name)
            found[f"body.{name}"] = each
        return found
