"""CMDN: Peng, Huang, Qi, Shared representation by hierarchical learning with multiple deep networks, IJCAI 2016.

Here on global features.

Stages, each frozen before the next; all codes of the training items are standardised where they enter a stage:
1. a side alone: an autoencoder, d - 1024 - 512;
2. both sides: an autoencoder a side (images d - 2048 - 1024, texts d - 1024 - 1024), then a bimodal one of both codes
   with a joint layer of 2048. A side's code is the joint layer with nothing on the other side;
3. an autoencoder [512 of stage 1; 2048 of stage 2] - 1024 a side;
4. a classifier a side, 1024 - 1024 - 1024 - 1024 - K, of which the last hidden layer is kept;
5. two bimodal autoencoders, one on the other, with joint layers of 512 and 256 that also tell the class.
A bimodal autoencoder has the joint layer h = sigmoid(W_i x_i + W_t x_t + b) and is to give back both sides whatever it
was given: both, the image alone or the text alone, a third of the items each. The last one is what the epochs learn.

Differs from the original: autoencoders in place of Boltzmann machines (cached text features are no word counts), so the
missing side is left out rather than sampled; two of the four last autoencoders, as the original's last two change no
width; Adam, and for the last stage the best epoch on val, in place of fixed numbers of steps; codes are standardised
with numbers of the train split, where the original takes those of the test split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from drsl.features.errors import require
from drsl.train.inputs import Standardize
from drsl.train.methods.base import Progress
from drsl.train.methods.network import Batch, NetworkMethod, TwoNetworks
from drsl.train.methods.stages import LEAST, SIDES, Autoencoder, Classifier, StagedConfig, Stages, standardized
from drsl.train.side import Side

__all__ = ["BimodalAutoencoder", "Cmdn", "CmdnConfig"]


@dataclass(frozen=True)
class CmdnConfig(StagedConfig):
    """Widths of the five stages."""

    batch: int = 128
    epochs: int = 50
    alone: tuple[int, ...] = (1024, 512)
    """stage 1: widths of each side's autoencoder"""
    image_layers: tuple[int, ...] = (2048, 1024)
    """stage 2: widths of the image autoencoder"""
    text_layers: tuple[int, ...] = (1024, 1024)
    """stage 2: widths of the text autoencoder"""
    joint: int = 2048
    """stage 2: width of the joint layer"""
    fused: int = 1024
    """stage 3: width of each side's code"""
    hidden: int = 1024
    """stage 4: width of the classifiers' three hidden layers"""
    common: tuple[int, ...] = (512, 256)
    """stage 5: widths of the joint layers, the last of which is compared"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("alone", "image_layers", "text_layers", "common"):
            widths = getattr(self, key)
            require(bool(widths) and min(widths) >= 1, f"{key}: {list(widths)} must be one or more positive numbers")
        for key in ("joint", "fused", "hidden"):
            require(getattr(self, key) >= 1, f"{key}: {getattr(self, key)} must be positive")


class BimodalAutoencoder(nn.Module):
    """A joint layer of two sides, either of which may be missing.

    Args:
        widths: of the image and the text code.
        joint: width of the joint layer.
        classes: what the joint layer shall tell, too; 0 when it need not.
    """

    def __init__(self, widths: tuple[int, int], joint: int, classes: int = 0) -> None:
        super().__init__()
        self.widths = widths
        self.encoder = nn.Linear(sum(widths), joint)
        self.decoder = nn.Linear(joint, sum(widths))
        self.last = nn.Linear(joint, classes) if classes else None

    def forward(self, image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """The joint layer.

        Args:
            image: (n, k_i); zeros where it is missing.
            text: (n, k_t); zeros where it is missing.

        Returns:
            (n, joint).
        """
        return self.encoder(torch.cat([image, text], dim=1)).sigmoid()

    def of(self, side: str, code: torch.Tensor) -> torch.Tensor:
        """The joint layer of one side, with nothing on the other.

        Args:
            side: `image` or `text`.
            code: (n, k) of that side.

        Returns:
            (n, joint).
        """
        nothing = code.new_zeros(len(code), self.widths[side == "image"])
        return self(*((code, nothing) if side == "image" else (nothing, code)))

    def errors(self, image: torch.Tensor, text: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What is lost of both sides when a third of the items has no image, and a third no text.

        Args:
            image: (n, k_i).
            text: (n, k_t).
            label: (n,) int64.

        Returns:
            The mean squared error of both sides, and the cross-entropy (0 when no class is to be told).
        """
        shown = torch.rand(len(image)).to(image.device)[:, None]
        joint = self(image * (shown > 1 / 3), text * (shown < 2 / 3))
        wrong = functional.mse_loss(self.decoder(joint), torch.cat([image, text], dim=1))
        return wrong, functional.cross_entropy(self.last(joint), label) if self.last else wrong.new_zeros(())


class _Networks(TwoNetworks):
    """All stages. The networks of a side in turn; the bimodal ones are shared."""

    def __init__(self, config: CmdnConfig, dims: tuple[int, int], classes: int) -> None:
        own = [[dim, *first] for dim, first in zip(dims, (config.image_layers, config.text_layers), strict=True)]
        views = [
            nn.ModuleDict(
                {
                    "alone": Autoencoder([dim, *config.alone]),
                    "own": Autoencoder(widths),
                    "own_standard": Standardize(widths[-1]),
                    "both_standard": Standardize(config.alone[-1] + config.joint),
                    "fused": Autoencoder([config.alone[-1] + config.joint, config.fused]),
                    "fused_standard": Standardize(config.fused),
                    "classifier": Classifier([config.fused, *[config.hidden] * 3], classes),
                    "standard": nn.ModuleList([Standardize(width) for width in (config.hidden, *config.common)]),
                }
            )
            for dim, widths in zip(dims, own, strict=True)
        ]
        super().__init__(config.inputs, dims, *views)
        self.both = BimodalAutoencoder((own[0][-1], own[1][-1]), config.joint)
        before = (config.hidden, *config.common[:-1])
        self.common = nn.ModuleList(
            [
                BimodalAutoencoder((width, width), joint, classes)
                for width, joint in zip(before, config.common, strict=True)
            ]
        )

    def embed(self, modality: str, feature: torch.Tensor) -> torch.Tensor:
        """The last joint layer, standardised."""
        view: Any = getattr(self, modality)
        code = self.inputs[modality](feature)
        joint = self.both.of(modality, view["own_standard"](view["own"](code)))
        code = view["fused"](view["both_standard"](torch.cat([view["alone"](code), joint], dim=1)))
        code = view["classifier"](view["fused_standard"](code))
        layers: Any = self.common
        for standard, common in zip(view["standard"][:-1], layers, strict=True):
            code = common.of(modality, standard(code))
        found: torch.Tensor = view["standard"][-1](code)
        return found


class Cmdn(NetworkMethod):
    """CMDN on global features."""

    name = "cmdn"
    config_type = CmdnConfig
    terms = ("reconstruction", "class")

    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        return _Networks(self.config, dims, classes)

    def _optimizers(self, model: Any) -> dict[str, torch.optim.Optimizer]:
        return {"all": self._adam(model.common[-1].parameters())}

    def _prepare(self, model: Any, train: tuple[Side, Side], progress: Progress | None) -> tuple[Side, Side]:
        """All stages but the last autoencoder, on couples; the epochs learn it from their codes."""
        stages = Stages(self.name, self.config, len(train[0]), self.device, progress)
        first = [_by_itself(stages, model, side, each) for side, each in zip(SIDES, train, strict=True)]
        alone, own = zip(*first, strict=True)
        _learn(stages, model.both, own, train[0].label, "joint layer")
        codes = []
        for side, mine, second in zip(SIDES, alone, own, strict=True):
            view: Any = getattr(model, side)
            joint = _joint(stages, model.both, side, second)
            code = standardized(view["both_standard"], torch.cat([mine, joint], dim=1))
            code = stages.autoencode(view["fused"], code.__getitem__, f"{side}: both codes")
            code = standardized(view["fused_standard"], code)
            code = stages.classify(view["classifier"], code, train[0].label, f"{side} classifier")
            codes.append(standardized(view["standard"][0], code))
        for number, common in enumerate(model.common[:-1], start=1):
            _learn(stages, common, codes, train[0].label, f"common layer {number}")
            codes = [
                standardized(getattr(model, side)["standard"][number], _joint(stages, common, side, code))
                for side, code in zip(SIDES, codes, strict=True)
            ]
        return train[0].with_feature(codes[0]), train[1].with_feature(codes[1])

    def _losses(self, model: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        found = model.common[-1].errors(batch.image, batch.text, batch.image_label)
        return dict(zip(self.terms, found, strict=True))

    def _settle(self, model: Any, train: tuple[Side, Side]) -> None:
        for side, each in zip(SIDES, train, strict=True):
            getattr(model, side)["standard"][-1].fit(model.common[-1].of(side, each.feature()), LEAST)


def _by_itself(stages: Stages, model: Any, side: str, train: Side) -> tuple[torch.Tensor, torch.Tensor]:
    """The first two codes of a side: of stage 1, and of stage 2 standardised."""
    view = getattr(model, side)

    def read(places: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = model.inputs[side](train.feature(places))
        return found

    alone = stages.autoencode(view["alone"], read, f"{side} autoencoder")
    own = stages.autoencode(view["own"], read, f"{side} autoencoder for the joint layer")
    return alone, standardized(view["own_standard"], own)


def _learn(
    stages: Stages, part: BimodalAutoencoder, codes: Sequence[torch.Tensor], label: torch.Tensor, what: str
) -> None:
    image, text = codes
    stages.train(part, lambda places: torch.stack(part.errors(image[places], text[places], label[places])).sum(), what)


def _joint(stages: Stages, part: BimodalAutoencoder, side: str, code: torch.Tensor) -> torch.Tensor:
    return stages.codes(lambda places: part.of(side, code[places]))
