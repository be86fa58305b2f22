"""CM-GANs: Peng and Qi, CM-GANs: cross-modal generative adversarial networks, ACM TOMM 15 (2019).

An autoencoder a modality, whose encoders share their last layer, against two discriminators of each kind. Codes are c,
features x, what the decoders make of the codes x'; a and b stand for the two modalities:

    within a:    x_a is real, x'_a is not;
    between, a:  (c_a, x_a) is real; (c_b, x_a) and (c_a of an item of another class, x_a) are not, half each.

The generators (encoders, decoders, classifiers) learn that x' and (c_b, x_a) are taken for real, that codes tell the
class, and that x' is near x. A step is one update of all discriminators, then several of the generators. A pair's
score is the cosine of its codes.

What differs: the published code has no reconstruction error (`recon_weight: 0`), and its wrong pair is another item's
code with that item's own features, which is not wrong at all; here it is mismatched, as the paper has it. Wrong items
are drawn within the batch. Each kind of networks has one Adam, which for Adam is the same as one a network but for the
clipped gradient. The code standardises queries with their own mean and deviation; here a query is scored alone.
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
from drsl.train.inputs import total_variance
from drsl.train.methods.base import Progress
from drsl.train.methods.network import Batch, NetworkConfig, NetworkMethod, TwoNetworks
from drsl.train.side import Side

__all__ = ["CmGans", "CmGansConfig"]

SIDES = ("image", "text")
OTHER = {"image": "text", "text": "image"}


@dataclass(frozen=True)
class CmGansConfig(NetworkConfig):
    """Cross-modal generative adversarial networks."""

    learning_rate: float = 1e-3
    """of Adam, at the start"""
    batch: int = 64
    """couples a step"""
    epochs: int = 100
    """passes over the couples, at most; the original takes 2000"""
    hidden: int = 1024
    """width of codes and hidden layers"""
    discriminator: int = 512
    """hidden width of the discriminators between modalities"""
    generator_steps: int = 5
    """updates of the generators a step"""
    adversarial_weight: float = 1.0
    """of deceiving the discriminators; with 0 there remain a classifier and an autoencoder"""
    recon_weight: float = 1.0
    """of the squared error of reconstruction, in units of the features' variance"""
    halve_every: int = 100
    """epochs after which the learning rate is halved, again and again"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("hidden", "discriminator", "generator_steps", "halve_every"):
            require(getattr(self, key) >= 1, f"{key}: {getattr(self, key)} must be positive")
        for key in ("adversarial_weight", "recon_weight"):
            require(0 <= getattr(self, key) < math.inf, f"{key}: {getattr(self, key)} must be 0 or more")


class _Adversaries(TwoNetworks):
    """Encoders with a common last layer, their decoders and classifiers, and the discriminators."""

    def __init__(self, config: CmGansConfig, dims: tuple[int, int], classes: int) -> None:
        hidden = config.hidden
        shared = nn.Linear(hidden, hidden)
        encoders = [nn.Sequential(*_normed(nn.Linear(dim, hidden)), *_normed(shared)) for dim in dims]
        # Scale and shift are shared too; mean and deviation are each modality's own, in evaluation as in training.
        encoders[1][4].weight, encoders[1][4].bias = encoders[0][4].weight, encoders[0][4].bias
        super().__init__(config.inputs, dims, *encoders)
        width = dict(zip(SIDES, dims, strict=True))
        self.classifiers = nn.ModuleDict({side: nn.Linear(hidden, classes) for side in SIDES})
        self.decoders = nn.ModuleDict(
            {side: nn.Sequential(*_normed(nn.Linear(hidden, hidden)), nn.Linear(hidden, width[side])) for side in SIDES}
        )
        self.within = nn.ModuleDict({side: nn.Linear(width[side], 1) for side in SIDES})
        inner = config.discriminator
        self.between = nn.ModuleDict(
            {
                side: nn.Sequential(*_normed(nn.Linear(hidden + width[side], inner)), nn.Linear(inner, 1))
                for side in SIDES
            }
        )
        self.variance = {"image": 1.0, "text": 1.0}

    def discriminators(self) -> list[nn.Parameter]:
        """What tells real from made."""
        return [*self.within.parameters(), *self.between.parameters()]

    def generators(self) -> list[nn.Parameter]:
        """All other weights; the shared ones once."""
        parts = self.image, self.text, self.classifiers, self.decoders
        return list(dict.fromkeys(each for part in parts for each in part.parameters()))

    def made(self, seen: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """Codes of prepared features, and what the decoders make of them."""
        codes = {side: getattr(self, side)(seen[side]) for side in SIDES}
        return codes, {side: self.decoders[side](codes[side]) for side in SIDES}

    def paired(self, side: str, code: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """(B, 1) logits that the code belongs to the features."""
        return self.between[side](torch.cat([code, seen], dim=1))


class CmGans(NetworkMethod):
    """CM-GANs: autoencoders with a shared layer against discriminators within and between modalities."""

    name = "cm-gans"
    config_type = CmGansConfig
    terms = ("discriminators", "adversarial", "label", "reconstruction")

    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        return _Adversaries(self.config, dims, classes)

    def _prepare(self, model: Any, train: tuple[Side, Side], progress: Progress | None) -> tuple[Side, Side]:
        for side, each in zip(SIDES, train, strict=True):
            model.variance[side] = total_variance(model.inputs[side](each.feature()))
        return train

    def _optimizers(self, model: Any) -> dict[str, torch.optim.Optimizer]:
        return {"discriminators": self._adam(model.discriminators()), "generators": self._adam(model.generators())}

    def _step(self, model: Any, optimizers: dict[str, torch.optim.Optimizer], batch: Batch) -> dict[str, torch.Tensor]:
        epoch = int(batch.done * self.config.epochs + 1e-6)
        rate = self.config.learning_rate * self.config.learning_rate_decay**epoch
        rate *= 0.5 ** (epoch // self.config.halve_every)
        for each in optimizers.values():
            for group in each.param_groups:
                group["lr"] = rate
        seen = {"image": model.inputs["image"](batch.image), "text": model.inputs["text"](batch.text)}
        doubt = self._discriminator_loss(model, seen, batch.image_label)
        self._descend(doubt, optimizers["discriminators"])
        for each in model.discriminators():  # the generators' steps need no gradient of their weights
            each.requires_grad_(False)
        for _ in range(self.config.generator_steps):
            found = self._losses(model, batch)
            self._descend(torch.stack([*found.values()]).sum(), optimizers["generators"])
        for each in model.discriminators():
            each.requires_grad_(True)
        return {"discriminators": doubt.detach(), **{name: each.detach() for name, each in found.items()}}

    def _discriminator_loss(self, model: Any, seen: dict[str, torch.Tensor], label: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of real and made, over the four discriminators."""
        with torch.no_grad():
            codes, made = model.made(seen)
        # Drawn on the CPU, so that the seed decides on any device; another class wherever the batch has one.
        draw = torch.rand(len(label), len(label)).to(label.device)
        wrong = (draw + (label[:, None] != label[None, :])).argmax(dim=1)
        total = torch.zeros((), device=label.device)
        for side in SIDES:
            own, features = codes[side], seen[side]
            total = total + _judged(model.within[side](features), 1) + _judged(model.within[side](made[side]), 0)
            total = total + _judged(model.paired(side, own, features), 1)
            for code in (codes[OTHER[side]], own[wrong]):
                total = total + 0.5 * _judged(model.paired(side, code, features), 0)
        return total

    def _losses(self, model: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        seen = {"image": model.inputs["image"](batch.image), "text": model.inputs["text"](batch.text)}
        codes, made = model.made(seen)
        deceit, label, error = [], [], []
        for side in SIDES:
            deceit.append(_judged(model.paired(OTHER[side], codes[side], seen[OTHER[side]]), 1))
            deceit.append(_judged(model.within[side](made[side]), 1))
            label.append(functional.cross_entropy(model.classifiers[side](codes[side]), batch.image_label))
            error.append((made[side] - seen[side]).square().sum(dim=1).mean() / model.variance[side])
        return {
            "adversarial": self.config.adversarial_weight * torch.stack(deceit).sum(),
            "label": torch.stack(label).sum(),
            "reconstruction": self.config.recon_weight * torch.stack(error).sum(),
        }


def _normed(linear: nn.Linear) -> tuple[nn.Module, ...]:
    return linear, nn.BatchNorm1d(linear.out_features), nn.LeakyReLU(0.2)


def _judged(logit: torch.Tensor, truth: int) -> torch.Tensor:
    """Cross-entropy when all are real (1), or all made (0)."""
    return functional.softplus(-logit if truth else logit).mean()
