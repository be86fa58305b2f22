"""DCCAE: Wang, Arora, Livescu and Bilmes, On deep multi-view representation learning, ICML 2015.

DCCA with a decoder a modality: besides correlating, the outputs have to tell the features again,

    minimise - c |T|_* + w / B sum_p (|x_i - p(f(x_i))|^2 / V_i + |x_t - q(g(x_t))|^2 / V_t).

What differs: each error is divided by V_v, the summed variance of the features' columns on train (d_v times their mean
variance), so that both sides count alike and one weight serves any features; 1 is what the best constant leaves.
Without that, 4096 image features outweigh a correlation that never exceeds L. What is told again is what the encoder
sees: features after `inputs`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from drsl.features.errors import require
from drsl.train.inputs import total_variance
from drsl.train.methods.base import Progress
from drsl.train.methods.dcca import CorrelatedNetworks, Dcca, DccaConfig
from drsl.train.methods.network import Batch, TwoNetworks, layers
from drsl.train.side import Side

__all__ = ["Dccae", "DccaeConfig"]


@dataclass(frozen=True)
class DccaeConfig(DccaConfig):
    """DCCA with autoencoders."""

    correlation_weight: float = 1.0
    """c: of the correlation"""
    recon_weight: float = 0.1
    """w: of the reconstruction; 0 makes it DCCA"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("correlation_weight", "recon_weight"):
            require(0 <= getattr(self, key) < math.inf, f"{key}: {getattr(self, key)} must be 0 or more")


class _Autoencoders(CorrelatedNetworks):
    """Decoders mirror the encoders; they are made last, so that the encoders begin as DCCA's do."""

    def __init__(self, inputs: str, dims: tuple[int, int], hidden: tuple[int, ...], components: int) -> None:
        super().__init__(inputs, dims, hidden, components)
        self.decoders = nn.ModuleDict(
            {side: layers([components, *hidden[::-1], dim]) for side, dim in zip(("image", "text"), dims, strict=True)}
        )
        self.variance = {"image": 1.0, "text": 1.0}


class Dccae(Dcca):
    """DCCAE: correlation and reconstruction."""

    name = "dccae"
    config_type = DccaeConfig
    terms = ("correlation", "reconstruction")

    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        return _Autoencoders(self.config.inputs, dims, self.config.hidden, self.config.components)

    def _prepare(self, model: Any, train: tuple[Side, Side], progress: Progress | None) -> tuple[Side, Side]:
        for side, each in zip(("image", "text"), train, strict=True):
            model.variance[side] = total_variance(model.inputs[side](each.feature()))
        return super()._prepare(model, train, progress)

    def _losses(self, model: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        outputs, errors = [], []
        for side, feature in (("image", batch.image), ("text", batch.text)):
            seen = model.inputs[side](feature)
            output = getattr(model, side)(seen)
            wrong = (model.decoders[side](output) - seen).square().sum(dim=1).mean()
            outputs.append(output)
            errors.append(wrong / model.variance[side])
        return {
            "correlation": self.config.correlation_weight * self._correlation(outputs[0], outputs[1]),
            "reconstruction": self.config.recon_weight * (errors[0] + errors[1]),
        }
