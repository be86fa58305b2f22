"""One modality's rows of one split, resident for a whole training; and the couples of a split."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import torch

from drsl.features.errors import UserError
from drsl.features.joined import JoinedRows
from drsl.features.manifest import SPLITS
from drsl.features.store import Features

__all__ = ["Side", "couples", "rows_of"]


class Side:
    """Feature rows as tensors; on the CPU they are not copied.

    Args:
        features: of all splits.
        rows: which of them.
        device: `cpu` or `cuda`.
    """

    def __init__(self, features: Features, rows: np.ndarray, device: str) -> None:
        self.numbers = features.label[rows]
        """(n,) int64 labels, as numpy has them"""
        self.label = torch.from_numpy(self.numbers).to(device)
        """(n,) int64 labels on the device"""
        self._joined = None
        if isinstance(features.feature, JoinedRows):  # the features alone are resident, parts stay in their file
            self._joined = features.feature.take(rows)
            features = replace(features, feature=features.feature.feature)
        self._device = device
        whole = torch.from_numpy(np.require(features.feature, None, ["C", "W"]))
        self._feature = whole if device == "cpu" else whole[torch.from_numpy(rows)].to(device)
        self._row = torch.from_numpy(rows) if device == "cpu" else torch.arange(len(rows), device=device)

    def __len__(self) -> int:
        return len(self.label)

    def feature(self, places: torch.Tensor | None = None) -> torch.Tensor:
        """Some of the rows.

        Args:
            places: (b,) positions in this side; None for all.

        Returns:
            (b, d) on the device.
        """
        if self._joined is not None:
            rows = slice(None) if places is None else places.cpu().numpy()
            return torch.from_numpy(self._joined[rows]).to(self._device)
        return self._feature[self._row if places is None else self._row[places]]

    def whole(self) -> torch.Tensor:
        """All rows without the parts that they may be joined with.

        Returns:
            (n, d) on the device.
        """
        return self._feature[self._row]

    def with_feature(self, feature: torch.Tensor) -> Side:
        """The same items with other features, such as what frozen layers make of them.

        Args:
            feature: (n, k) on the device, a row for each item of this side.

        Returns:
            A new side; the labels are shared.
        """
        other = copy.copy(self)
        other._joined = None
        other._feature, other._row = feature, torch.arange(len(self), device=feature.device)
        return other


def rows_of(features: Features, split: str) -> np.ndarray:
    """The rows of a split.

    Args:
        features: of all splits.
        split: `train`, `val` or `test`.

    Returns:
        Row numbers, ascending.
    """
    return np.flatnonzero(features.split == SPLITS.index(split))


def couples(image: Features, text: Features, split: str, method: str = "") -> tuple[np.ndarray, np.ndarray]:
    """The items of a split that have both an image and a text.

    Args:
        image: features of all splits.
        text: features of all splits.
        split: `train`, `val` or `test`.
        method: who needs couples, for the message; empty when having none is no error.

    Returns:
        Rows of the images and rows of the texts, of equal length; place p of both is one item.

    Raises:
        UserError: a method needs couples, and there is none.
    """
    images, texts = rows_of(image, split), rows_of(text, split)
    place = {each: row for each, row in zip(text.id[texts], texts, strict=True)}
    pairs = [(row, place[each]) for each, row in zip(image.id[images], images, strict=True) if each in place]
    if method and not pairs:
        raise UserError(
            f"{method} learns from items that have both an image and a text, and the {split} split has none: give them "
            "in the manifest, or take a method that needs no couples (drsl-c, mvda, sdml, deep-sm)"
        )
    found = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]
