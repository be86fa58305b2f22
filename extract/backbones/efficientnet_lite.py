"""EfficientNet-Lite0 (Tan and Le 2019; no squeeze-and-excitation, ReLU6), whose weights a package carries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torchvision.ops import StochasticDepth

from drsl.extract.backbones.base import ImageNetwork

__all__ = ["EfficientNetLite0"]

# Blocks, kernel, stride of the first, expansion, channels: table 1 of the paper.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM = 32
_DROP = 0.2
"""Share of pictures that skip the last block while training; earlier blocks are skipped in proportion."""


class EfficientNetLite0(ImageNetwork):
    """EfficientNet-Lite0 that classifies a data set's classes.

    Args:
        classes: number of classes, the width of the last layer.
        dropout: before the last layer.
    """

    dim = 1280
    last_layer = "fc."

    def __init__(self, classes: int, dropout: float = 0.2) -> None:
        super().__init__()
        self.conv_stem = _Convolution(3, _STEM, 3, 2)
        self.bn0 = _norm(_STEM)
        total = sum(count for count, *_ in _STAGES)
        blocks: list[_Block] = []
        before = _STEM
        for count, kernel, stride, expansion, after in _STAGES:
            for place in range(count):
                drop = _DROP * len(blocks) / total
                blocks.append(_Block(before, after, kernel, 1 if place else stride, expansion, drop))
                before = after
        self.blocks = nn.ModuleList(blocks)
        self.conv_head = _Convolution(before, self.dim, 1, 1)
        self.bn1 = _norm(self.dim)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(self.dim, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def grid(self, pixels: torch.Tensor) -> torch.Tensor:
        """The last convolutional map.

        Args:
            pixels: (b, 3, h, w), normalised to (byte - 127) / 128.

        Returns:
            (b, 1280, h / 32, w / 32), rounded up, from 0 to 6.
        """
        grid = functional.relu6(self.bn0(self.conv_stem(pixels)))
        for block in self.blocks:
            grid = block(grid)
        return functional.relu6(self.bn1(self.conv_head(grid)))

    def feature(self, pixels: torch.Tensor) -> torch.Tensor:
        """The mean of the last convolutional map.

        Args:
            pixels: (b, 3, h, w), normalised to (byte - 127) / 128.

        Returns:
            (b, 1280).
        """
        return torch.flatten(functional.adaptive_avg_pool2d(self.grid(pixels), 1), 1)

    def classify(self, feature: torch.Tensor) -> torch.Tensor:
        """Class scores from the feature.

        Args:
            feature: (b, 1280) from `feature`.

        Returns:
            (b, classes) logits; dropout acts in training mode only.
        """
        return self.fc(self.dropout(feature))

    def from_published(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The package's state dict under the names that this network's own has.

        Args:
            state: names as in the package's file, each part of which begins with `_`.

        Returns:
            The same content.
        """
        return {re.sub(r"(^|\.)_", r"\1", name): each for name, each in state.items()}


class _Convolution(nn.Conv2d):
    """A convolution padded as TensorFlow pads: an odd pixel goes to the right and to the bottom."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, groups: int = 1) -> None:
        # With a stride of 1 both sides get the same, which the convolution itself can do.
        super().__init__(before, after, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups, bias=False)

    def forward(self, grid: torch.Tensor) -> torch.Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        if stride > 1:
            height, width = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in grid.shape[2:])
            grid = functional.pad(grid, (width // 2, width - width // 2, height // 2, height - height // 2))
        return super().forward(grid)


class _Block(nn.Module):
    """Expand, filter each channel, project; the input is added where the shapes allow it."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int, drop: float) -> None:
        super().__init__()
        wide = before * expansion
        self.expands = expansion > 1
        if self.expands:
            self.expand_conv = _Convolution(before, wide, 1, 1)
            self.bn0 = _norm(wide)
        self.depthwise_conv = _Convolution(wide, wide, kernel, stride, groups=wide)
        self.bn1 = _norm(wide)
        self.project_conv = _Convolution(wide, after, 1, 1)
        self.bn2 = _norm(after)
        self.skip = StochasticDepth(drop, "row") if stride == 1 and before == after else None

    def forward(self, grid: torch.Tensor) -> torch.Tensor:
        inner = functional.relu6(self.bn0(self.expand_conv(grid))) if self.expands else grid
        inner = functional.relu6(self.bn1(self.depthwise_conv(inner)))
        inner = self.bn2(self.project_conv(inner))
        return inner if self.skip is None else grid + self.skip(inner)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)  # as published
