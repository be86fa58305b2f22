"""DCCA: Andrew, Arora, Bilmes and Livescu, Deep canonical correlation analysis, ICML 2013.

Two networks whose outputs H_i, H_t (B, L), centred on the batch, correlate as much as they can:

    maximise |T|_* with T = L_i^-1 S_it L_t^-T, S_v = H_vT H_v / (B - 1) + r_v I = L_v L_vT,

the sum of T's singular values, which are the batch's canonical correlations. Labels are not used. When the networks
are judged, a linear CCA of all training outputs takes the last step into the common space; a pair's score is the
cosine there.

What differs: the paper whitens by symmetric roots, whose gradient breaks down at equal eigenvalues; a Cholesky factor
gives the same singular values. The ridge is a multiple of a side's mean output variance, so that the outputs' scale
does not matter (others normalise the outputs for that). Layers are not pre-trained one by one; ReLU and Adam.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from drsl.features.errors import UserError, require
from drsl.train.methods.base import Progress
from drsl.train.methods.cca import canonical_directions
from drsl.train.methods.network import Batch, NetworkConfig, NetworkMethod, TwoNetworks, layers
from drsl.train.moments import Moments, View
from drsl.train.side import Side

__all__ = ["CorrelatedNetworks", "Dcca", "DccaConfig", "total_correlation"]

_BATCH_PER_DIRECTION = 4
"""With fewer couples than directions every batch correlates perfectly, whatever the networks do."""
_NO_CLASSES = (np.zeros(0), np.zeros((0, 0)))
"""CCA knows no labels."""


@dataclass(frozen=True)
class DccaConfig(NetworkConfig):
    """Deep canonical correlation analysis."""

    batch: int = 1000
    """couples a step; correlations of fewer are mostly chance"""
    hidden: tuple[int, ...] = (1024, 1024)
    """widths of the hidden layers of both networks; none makes them linear"""
    components: int = 64
    """L: outputs of a network, and directions of the common space; a batch has at least 4 L couples"""
    ridge: float = 1e-3
    """on a side's covariance of the outputs, in units of its mean variance"""
    power: float = 0.0
    """a direction of the common space is weighted by its correlation to this power"""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(all(each >= 1 for each in self.hidden), f"hidden: {list(self.hidden)} must be positive")
        require(self.components >= 1, f"components: {self.components} must be positive")
        require(0 < self.ridge < math.inf, f"ridge: {self.ridge} must be positive")
        require(0 <= self.power < math.inf, f"power: {self.power} must be 0 or more")


class CorrelatedNetworks(TwoNetworks):
    """Two networks and, in buffers, the linear CCA that follows them.

    Args:
        inputs: `raw`, `standard` or `unit`.
        dims: widths of the image and the text feature.
        hidden: widths of the hidden layers.
        components: L.
    """

    def __init__(self, inputs: str, dims: tuple[int, int], hidden: tuple[int, ...], components: int) -> None:
        super().__init__(inputs, dims, *(layers([dim, *hidden, components]) for dim in dims))
        for side in ("image", "text"):
            self.register_buffer(f"{side}_mean", torch.zeros(components))
            self.register_buffer(f"{side}_projection", torch.eye(components))

    def output(self, modality: str, feature: torch.Tensor) -> torch.Tensor:
        """What the correlation is maximised of.

        Args:
            modality: `image` or `text`.
            feature: (n, d) as cached.

        Returns:
            (n, L).
        """
        return super().embed(modality, feature)

    def embed(self, modality: str, feature: torch.Tensor) -> torch.Tensor:
        """Outputs in the directions of the linear CCA.

        Args:
            modality: `image` or `text`.
            feature: (n, d) as cached.

        Returns:
            (n, L).
        """
        mean, projection = self.get_buffer(f"{modality}_mean"), self.get_buffer(f"{modality}_projection")
        return (self.output(modality, feature) - mean) @ projection


class Dcca(NetworkMethod):
    """DCCA: the sum of the batch's canonical correlations is maximised."""

    name = "dcca"
    config_type = DccaConfig
    terms: ClassVar[tuple[str, ...]] = ("correlation",)

    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        return CorrelatedNetworks(self.config.inputs, dims, self.config.hidden, self.config.components)

    def _prepare(self, model: Any, train: tuple[Side, Side], progress: Progress | None) -> tuple[Side, Side]:
        smallest, least = len(train[0]) // self._steps(train), _BATCH_PER_DIRECTION * self.config.components
        if smallest < least:
            raise UserError(
                f"components: {self.config.components} need {least} couples a step in {self.name}, and there are "
                f"{smallest}: lower components, or raise batch where there are more couples"
            )
        return train

    def _losses(self, model: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        outputs = model.output("image", batch.image), model.output("text", batch.text)
        return {"correlation": self._correlation(*outputs)}

    def _correlation(self, image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """The loss of a batch's outputs: minus the sum of their canonical correlations."""
        try:
            return -total_correlation(image, text, self.config.ridge).float()
        except RuntimeError:  # LinAlgError, which torch.linalg has and does not export
            raise UserError(
                f"the outputs of {self.name}'s networks cannot be correlated, for they are no longer finite or all "
                f"alike, at learning rate {self.config.learning_rate:.3g}: lower learning_rate, or raise ridge"
            ) from None

    def _settle(self, model: Any, train: tuple[Side, Side]) -> None:
        sides = zip(("image", "text"), train, strict=True)
        outputs = [model.output(side, each.feature()).double() for side, each in sides]
        means = [each.mean(dim=0) for each in outputs]
        left, right = (each - mean for each, mean in zip(outputs, means, strict=True))
        views = [
            View(len(each), mean.cpu().numpy(), None, (each.T @ each).cpu().numpy(), *_NO_CLASSES)
            for each, mean in zip((left, right), means, strict=True)
        ]
        moments = Moments(views[0], views[1], (left.T @ right).cpu().numpy())
        *directions, correlation = canonical_directions(moments, self.config.ridge, self.config.components)
        for side, mean, found in zip(("image", "text"), means, directions, strict=True):
            weighted = torch.from_numpy(found * correlation**self.config.power)
            model.get_buffer(f"{side}_mean").copy_(mean)
            model.get_buffer(f"{side}_projection").copy_(weighted)


def total_correlation(image: torch.Tensor, text: torch.Tensor, ridge: float) -> torch.Tensor:
    """The sum of the canonical correlations of two batches, in float64.

    Args:
        image: (B, L) outputs, place p of both being one item.
        text: (B, L').
        ridge: as a multiple of each side's mean variance.

    Returns:
        A number between 0 and min(L, L'), float64.

    Raises:
        RuntimeError: a covariance is not positive definite, or not finite.
    """
    sides = [each.double() - each.double().mean(dim=0) for each in (image, text)]
    factors = []
    for side in sides:
        covariance = side.T @ side / (len(side) - 1)
        identity = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
        factors.append(torch.linalg.cholesky(covariance + ridge * covariance.diagonal().mean() * identity))
    half = torch.linalg.solve_triangular(factors[0], sides[0].T @ sides[1] / (len(image) - 1), upper=False)
    return torch.linalg.svdvals(torch.linalg.solve_triangular(factors[1], half.T, upper=False)).sum()
