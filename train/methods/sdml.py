"""SDML: Hu, Zhen, Peng, Liu, Scalable deep multimodal learning for cross-modal retrieval, SIGIR 2019.

The classes have fixed orthonormal directions W (L x K), drawn once. Each modality learns alone to reach them: an
encoder with z of length 1, and a decoder that gives the input back,
    (1 - a) mean |z W - y| + a mean |decoded - x|.
No step of one modality depends on the other, so a new modality joins without training the others again.

Differences: the published code brings the decoder's output to length 1 too, though its inputs are not; here the inputs
have length 1 and the decoder is free. Each modality there keeps its epoch of the lowest loss on val; here one epoch is
chosen by mAP on val, as in all methods. Items without a label, which the original takes for the second term, do not
occur in a feature file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from drsl.features.errors import require
from drsl.train.methods.frames import orthonormal_frame, row_lengths
from drsl.train.methods.network import Batch, LayersConfig, NetworkMethod, TwoNetworks, layers

__all__ = ["Sdml", "SdmlConfig"]


@dataclass(frozen=True)
class SdmlConfig(LayersConfig):
    """Networks, and what decoding weighs."""

    inputs: str = "unit"
    """`raw` features, `standard` (mean 0, deviation 1 on train) or `unit` (rows of length 1)"""
    text_learning_rate: float = 2e-4
    """of the text networks' Adam; `learning_rate` is the image networks'"""
    space: int = 512
    """width of the common space, at least the number of classes"""
    decoding: float = 0.5
    """a: weight of the decoder's loss; the label's has 1 - a"""

    def __post_init__(self) -> None:
        super().__post_init__()
        rate = self.text_learning_rate
        require(0 < rate < math.inf, f"text_learning_rate: {rate} must be positive")
        require(self.space >= 1, f"space: {self.space} must be positive")
        require(0 <= self.decoding <= 1, f"decoding: {self.decoding} must be in [0, 1]")


class _Model(TwoNetworks):
    frame: torch.Tensor

    def __init__(self, config: SdmlConfig, dims: tuple[int, int], classes: int) -> None:
        frame = orthonormal_frame(config.space, classes)
        there = [config.space, *config.hidden]
        pairs = []
        # A seed a modality: the weights of one do not depend on what the other's widths took from the generator.
        for dim, seed in zip(dims, torch.randint(2**62, (2,)).tolist(), strict=True):
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seed)
                pairs.append((layers([dim, *config.hidden, config.space]), layers([*there, dim])))
        super().__init__(config.inputs, dims, pairs[0][0], pairs[1][0])
        self.decoders = nn.ModuleDict({"image": pairs[0][1], "text": pairs[1][1]})
        self.register_buffer("frame", frame)

    def embed(self, modality: str, feature: torch.Tensor) -> torch.Tensor:
        """Vectors of length 1."""
        return functional.normalize(super().embed(modality, feature), dim=1)

    def loss(self, modality: str, feature: torch.Tensor, label: torch.Tensor, decoding: float) -> torch.Tensor:
        code = self.embed(modality, feature)
        missed = code @ self.frame - functional.one_hot(label, self.frame.shape[1])
        lost = self.decoders[modality](code) - self.inputs[modality](feature)
        return (1 - decoding) * row_lengths(missed).mean() + decoding * row_lengths(lost).mean()

    def own(self, modality: str) -> list[nn.Parameter]:
        """The weights of one modality."""
        return [*getattr(self, modality).parameters(), *self.decoders[modality].parameters()]


class Sdml(NetworkMethod):
    """SDML: each modality alone, onto a fixed frame of class directions."""

    name = "sdml"
    config_type = SdmlConfig
    needs_couples = False
    terms = ("image", "text")

    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        return _Model(self.config, dims, classes)

    def _losses(self, model: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        decoding = self.config.decoding
        return {
            "image": model.loss("image", batch.image, batch.image_label, decoding),
            "text": model.loss("text", batch.text, batch.text_label, decoding),
        }

    def _optimizers(self, model: Any) -> dict[str, torch.optim.Optimizer]:
        rates = {"image": self.config.learning_rate, "text": self.config.text_learning_rate}
        return {side: self._adam(model.own(side), rate) for side, rate in rates.items()}

    def _step(self, model: Any, optimizers: dict[str, torch.optim.Optimizer], batch: Batch) -> dict[str, torch.Tensor]:
        found = self._losses(model, batch)
        for side, optimizer in optimizers.items():
            self._descend(found[side], optimizer)
        return {side: each.detach() for side, each in found.items()}
