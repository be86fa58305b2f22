"""What methods share that look inside items: features that are joined with parts, taken apart again."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch import nn

from drsl.features.errors import UserError
from drsl.features.joined import JoinedRows, PartsLayout
from drsl.features.store import Features
from drsl.train.inputs import make_inputs
from drsl.train.methods.base import Progress
from drsl.train.methods.network import NetworkMethod, TwoNetworks
from drsl.train.methods.stages import SIDES

__all__ = ["JoinedInputs", "JoinedMethod", "Taken", "Whole"]

_LAYOUT = "layout"


class Taken(NamedTuple):
    """Joined rows, taken apart."""

    whole: torch.Tensor
    """(n, d) features, prepared"""
    part: torch.Tensor
    """(n, p, k) parts; (n, p) int64 where they are word ids"""
    mask: torch.Tensor
    """(n, p) bool, which parts there are"""


class JoinedInputs(nn.Module):
    """Takes joined rows apart, and prepares the features as other methods' inputs are.

    Args:
        kind: one of `INPUTS`.
        layout: what the columns are.
        alike: whether parts are features of the same network, to be prepared alike; otherwise they stay as they are.
    """

    def __init__(self, kind: str, layout: PartsLayout, alike: bool) -> None:
        super().__init__()
        self.layout, self.alike = layout, alike
        self.whole = make_inputs(kind, layout.feature)

    def forward(self, joined: torch.Tensor) -> Taken:
        """Takes rows apart.

        Args:
            joined: (n, columns).

        Returns:
            Features, parts, and which parts there are.
        """
        layout, end = self.layout, self.layout.columns - self.layout.number * self.layout.masked
        whole, part = self.whole(joined[:, : layout.feature]), joined[:, layout.feature : end]
        if layout.words:
            part = part.long()
        else:
            part = part.unflatten(1, (layout.number, layout.width))
            if self.alike:
                part = self.whole(part.flatten(0, 1)).view_as(part)
        mask = joined[:, end:] > 0 if layout.masked else joined.new_ones(len(joined), layout.number, dtype=torch.bool)
        return Taken(whole, part, mask)


class Whole(nn.Module):
    """The features alone, of what was taken apart."""

    def forward(self, taken: Taken) -> torch.Tensor:
        """Lets the parts go.

        Args:
            taken: features and parts.

        Returns:
            (n, d).
        """
        return taken.whole


class JoinedMethod(NetworkMethod):
    """A network method whose features are joined with parts; a subclass says in `parts` with which."""

    alike: ClassVar[bool] = False
    """whether parts are of the same network as the features, and prepared alike"""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.layouts: tuple[PartsLayout, PartsLayout] | None = None
        """what the columns of image and text rows are, of the features it was fitted on"""
        self.vectors: np.ndarray | None = None
        """(V, k) vectors of words during a fit, where parts are words"""

    def fit(
        self, image: Features, text: Features, *, seed: int, device: str = "cpu", progress: Progress | None = None
    ) -> Self:
        """Trains as every network method does; parts are read when a batch needs them.

        Args:
            image: `feature` (n, columns), joined by `join_parts`.
            text: `feature` (n', columns), joined by `join_parts`.
            seed: of initial weights, order and dropout.
            device: `cpu` or `cuda`.
            progress: called with (steps done, steps in all, a word on the last epoch).

        Returns:
            The method itself; `log` has a row an epoch.

        Raises:
            UserError: the features are not joined with the parts that the method needs, there is nothing to train on,
                or the loss is no longer finite.
        """
        with self._undone_on_failure():
            layouts: list[PartsLayout] = []
            for side, each in zip(SIDES, (image, text), strict=True):
                kind = self.parts[side]
                if not isinstance(each.feature, JoinedRows) or each.attrs.get("parts") != kind:
                    raise UserError(
                        f"{self.name} looks inside items and needs the {kind} of {side}s: make them with "
                        f"`drsl encode {side} --parts {kind} -d {each.attrs.get('dataset') or 'NAME'}` and join them "
                        "with the features (join_parts)"
                    )
                layouts.append(each.feature.layout)
                if each.feature.vectors is not None:
                    self.vectors = np.asarray(each.feature.vectors, np.float32)
            self.layouts = layouts[0], layouts[1]
            super().fit(image, text, seed=seed, device=device, progress=progress)
            self.vectors = None  # the network has them
        return self

    def _joined(self, model: TwoNetworks) -> TwoNetworks:
        """Gives the networks inputs that take joined rows apart."""
        assert self.layouts is not None
        for side, layout in zip(SIDES, self.layouts, strict=True):
            model.inputs[side] = JoinedInputs(self.config.inputs, layout, self.alike)
        return model

    def _arrays(self) -> dict[str, np.ndarray]:
        return {**super()._arrays(), _LAYOUT: np.array(self.layouts, np.int64)}

    def _restore(self, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
        layouts = [PartsLayout(*row) for row in arrays[_LAYOUT].tolist()]
        if [each.columns for each in layouts] != list(about["dims"]) or min(map(min, layouts)) < 0:
            raise ValueError("the parts are not those of the widths")
        self.layouts = layouts[0], layouts[1]
        super()._restore({name: array for name, array in arrays.items() if name != _LAYOUT}, about)
