"""The two modality networks: fully connected layers, each followed by ReLU (equations 2, 3, 6 and 7)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from drsl.train.inputs import Standardize

__all__ = ["Fnn"]


class Fnn(nn.Module):
    """Cached feature to representation.

    Args:
        width: width of the feature.
        layers: widths of the layers; the last is the representation.
        batch_norm: normalise before each ReLU.
        standardise: put `inputs` in front, which is to be fitted to training features.
    """

    def __init__(self, width: int, layers: Sequence[int], batch_norm: bool = False, standardise: bool = False) -> None:
        super().__init__()
        self.inputs = Standardize(width) if standardise else None  # None leaves the names of the state as they are
        parts: list[nn.Module] = []
        for before, after in zip((width, *layers[:-1]), layers, strict=True):
            parts += [nn.Linear(before, after), *([nn.BatchNorm1d(after)] if batch_norm else []), nn.ReLU()]
        self.layers = nn.Sequential(*parts)

    def forward(self, feature: torch.Tensor) -> torch.Tensor:
        """The representation z.

        Args:
            feature: (n, width).

        Returns:
            (n, layers[-1]), after ReLU.
        """
        return self.layers(feature if self.inputs is None else self.inputs(feature))
