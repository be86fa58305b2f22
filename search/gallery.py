"""Ranks the items of one modality for a query of the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from drsl.evaluate.ranking import rank
from drsl.features.errors import choose
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

    @cached_property
    def modality(self) -> str:
        """`image` or `text`: what is ranked."""
        return str(self.features.attrs["modality"])

    @cached_property
    def represented(self) -> Any:
        """What the method needs to know of the rows, worked out once for all queries."""
        return self.method.represent(self.modality, self.features.feature)

    def rank(self, query: np.ndarray, count: int, expected: str | None = None, only: str | None = None) -> list[Hit]:
        """The best answers to one query.

        Args:
            query: (1, d) float32 feature of the other modality.
            count: how many answers.
            expected: the class that counts as right.
            only: answers of this class only; None for all.

        Returns:
            At most `count` hits, best first; ties in the gallery's order.

        Raises:
            UserError: the method was fitted on features of other widths, or there is no such class.
        """
        if self.modality == "image":
            scores = self.method.relate(self.represented, self.method.represent("text", query))[:, 0]
        else:
            scores = self.method.relate(self.method.represent("image", query), self.represented)[0]
        rows = np.arange(len(scores))
        if only is not None:
            rows = np.flatnonzero(self.features.label == self.features.classes.index(self.known(only)))
        hits = []
        for place, row in enumerate(rows[rank(scores[np.newaxis, rows])[0, :count]].tolist(), start=1):
            item = self.items[self.features.id[row]]
            right = None if expected is None else item.label == expected
            hits.append(Hit(place, item, float(scores[row]), right))
        return hits

    def known(self, name: str) -> str:
        """Checks a class's name.

        Args:
            name: what the user wrote.

        Returns:
            The name, unchanged.

        Raises:
            SettingError: there is no such class; the nearest is named.
        """
        return choose("class", name, self.features.classes)
