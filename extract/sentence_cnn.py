"""The text network: Kim's sentence CNN on fixed word vectors; its feature is the max-pooled maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

__all__ = ["SentenceNetwork"]


class SentenceNetwork(nn.Module):
    """Convolutions over windows of words, ReLU, max over time, dropout, linear classifier (Kim 2014, CNN-static).

    Args:
        word_dim: width of a word vector.
        classes: number of classes.
        windows: words seen by a filter.
        maps: feature maps a window.
        dropout: on the pooled feature, before the classifier.
    """

    def __init__(self, word_dim: int, classes: int, windows: Sequence[int], maps: int, dropout: float) -> None:
        super().__init__()
        self.windows = tuple(windows)
        self.dim = maps * len(self.windows)
        self.convolutions = nn.ModuleList(nn.Conv1d(word_dim, maps, window) for window in self.windows)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(self.dim, classes)

    def pooled(self, words: torch.Tensor) -> torch.Tensor:
        """The feature of stage one.

        Args:
            words: (b, m, k) word vectors, zero rows as padding; m at least the widest window.

        Returns:
            (b, windows * maps), after ReLU, 300 wide in the paper.
        """
        columns = words.transpose(1, 2)
        return torch.cat([torch.relu(each(columns)).amax(dim=2) for each in self.convolutions], dim=1)

    def classify(self, feature: torch.Tensor) -> torch.Tensor:
        """Class scores from the feature.

        Args:
            feature: (b, windows * maps) from `pooled`.

        Returns:
            (b, classes) logits.
        """
        return self.classifier(self.dropout(feature))

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """Class scores from word vectors: `classify(pooled(words))`.

        Args:
            words: (b, m, k).

        Returns:
            (b, classes) logits.
        """
        return self.classify(self.pooled(words))
