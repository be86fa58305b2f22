"""The image network: torchvision's VGG-19 with a new last layer; its feature is fc7 after ReLU."""

from __future__ import annotations

import torch
from torch import nn
from torchvision import models

__all__ = ["ImageNetwork"]


class ImageNetwork(nn.Module):
    """VGG-19 (Simonyan and Zisserman 2015) that classifies a data set's classes.

    Args:
        architecture: `vgg19` or `vgg19_bn`.
        classes: number of classes, the width of the new last layer.
        pool: side of the grid before fc6; 7 is the published network, and fc6 has 512 * pool * pool inputs.
        dropout: after fc6 and fc7.
    """

    dim = 4096
    """width of the feature"""

    def __init__(self, architecture: str, classes: int, pool: int = 7, dropout: float = 0.5) -> None:
        super().__init__()
        vgg = getattr(models, architecture)(weights=None, num_classes=classes, dropout=dropout)
        self.features = vgg.features
        self.avgpool = nn.AdaptiveAvgPool2d((pool, pool))
        self.classifier = vgg.classifier
        if pool != 7:
            first = nn.Linear(512 * pool * pool, self.dim)
            nn.init.normal_(first.weight, 0, 0.01 if architecture == "vgg19" else first.in_features**-0.5)
            nn.init.zeros_(first.bias)
            self.classifier[0] = first

    def grid(self, pixels: torch.Tensor) -> torch.Tensor:
        """pool5, the last map that still has places in the picture.

        Args:
            pixels: (b, 3, h, w), normalised, h and w at least 32.

        Returns:
            (b, 512, h // 32, w // 32): 7 x 7 places at 224 pixels.
        """
        return self.features(pixels)

    def fc7(self, pixels: torch.Tensor) -> torch.Tensor:
        """The feature of stage one.

        Args:
            pixels: (b, 3, h, w), normalised, h and w at least 32.

        Returns:
            (b, 4096), after ReLU; dropout acts in training mode only.
        """
        return self.classifier[:-1](torch.flatten(self.avgpool(self.grid(pixels)), 1))

    def classify(self, feature: torch.Tensor) -> torch.Tensor:
        """Class scores from the feature.

        Args:
            feature: (b, 4096) from `fc7`.

        Returns:
            (b, classes) logits.
        """
        return self.classifier[-1](feature)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Class scores from pixels: `classify(fc7(pixels))`.

        Args:
            pixels: (b, 3, h, w), normalised.

        Returns:
            (b, classes) logits.
        """
        return self.classify(self.fc7(pixels))
