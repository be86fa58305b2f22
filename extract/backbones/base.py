"""What every image network offers: a map of the picture, a feature, class scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

__all__ = ["ImageNetwork"]


class ImageNetwork(nn.Module, ABC):
    """A network that classifies a data set's classes, and whose second last layer is the feature of stage one."""

    dim: int
    """width of the feature"""
    last_layer: str
    """what the names of the last layer's parameters begin with: published weights have other classes there"""

    @abstractmethod
    def grid(self, pixels: torch.Tensor) -> torch.Tensor:
        """The last map that still has places in the picture.

        Args:
            pixels: (b, 3, h, w), normalised.

        Returns:
            (b, c, rows, columns).
        """

    @abstractmethod
    def feature(self, pixels: torch.Tensor) -> torch.Tensor:
        """The feature of stage one.

        Args:
            pixels: (b, 3, h, w), normalised.

        Returns:
            (b, dim).
        """

    @abstractmethod
    def classify(self, feature: torch.Tensor) -> torch.Tensor:
        """Class scores from the feature.

        Args:
            feature: (b, dim) from `feature`.

        Returns:
            (b, classes) logits.
        """

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Class scores from pixels: `classify(feature(pixels))`.

        Args:
            pixels: (b, 3, h, w), normalised.

        Returns:
            (b, classes) logits.
        """
        return self.classify(self.feature(pixels))

    def from_published(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """A published state dict under the names that this network's own has.

        Args:
            state: names as in the published file.

        Returns:
            The same content; what this network has no place for may be in it.
        """
        return dict(state)
