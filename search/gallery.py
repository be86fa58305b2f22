"""Ranks the items of one modality for a query of the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from drsl.evaluate.ranking import rank
from drsl.features.manifest import Item
from drsl.features.store import Features
from drsl.train.methods.base import Method

__all__ = ["Gallery", "Hit"]


@dataclass(frozen=True)
class Hit:
    """One answer."""

    rank: int
    """from 1"""
    item: Item
    """its id, image, text, label and split"""
    score: float
    """the method's score; higher is more related"""
    right: bool | None
    """whether its class is the one expected; None when no class was expected"""


@dataclass(frozen=True)
class Gallery:
    """Feature rows of one modality that a fitted method can score."""

    method: Method
    """a fitted method"""
    features: Features
    """the rows to rank; `attrs["modality"]` says which side of the method they are"""
    items: Mapping[str, Item]
    """the manifest's items by id"""

    def rank(self, query: np.ndarray, count: int, expected: str | None = None) -> list[Hit]:
        """The best answers to one query.

        Args:
            query: (1, d) float32 feature of the other modality.
            count: how many answers.
            expected: the class that counts as right.

        Returns:
            At most `count` hits, best first; ties in the gallery's order.
        """
        if self.features.attrs["modality"] == "image":
            scores = self.method.score(self.features.feature, query)[:, 0]
        else:
            scores = self.method.score(query, self.features.feature)[0]
        best = rank(scores[np.newaxis])[0, :count]
        hits = []
        for place, row in enumerate(best.tolist(), start=1):
            item = self.items[self.features.id[row]]
            right = None if expected is None else item.label == expected
            hits.append(Hit(place, item, float(scores[row]), right))
        return hits
