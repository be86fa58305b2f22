"""Training by stages: one part of a network at a time, frozen before the next; and what the stages are made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from drsl.features.errors import UserError, require
from drsl.train.inputs import Standardize
from drsl.train.methods.base import Progress
from drsl.train.methods.network import NetworkConfig, layers

__all__ = ["LEAST", "SIDES", "Autoencoder", "Classifier", "StagedConfig", "Stages", "standardized"]

SIDES = ("image", "text")

LEAST = 0.01
"""Units of a code that vary less than this share of the mean are not scaled up, but left out."""

_ROWS = 256
"""Items whose codes are worked out at a time."""


@dataclass(frozen=True)
class StagedConfig(NetworkConfig):
    """A network that is trained by stages; `epochs` and `patience` are those of the last."""

    stage_epochs: int = 50
    """passes over the training items, of each stage but the last"""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.stage_epochs >= 1, f"stage_epochs: {self.stage_epochs} must be positive")


class Autoencoder(nn.Module):
    """Fully connected layers there and back, with ReLU between; the reconstruction is linear.

    Args:
        widths: of the input, of each hidden layer, and of the code.
        code: what makes the code of the last layer's output; None: ReLU.
    """

    def __init__(self, widths: list[int], code: nn.Module | None = None) -> None:
        super().__init__()
        self.encoder = layers(widths, code or nn.ReLU())
        self.decoder = layers(widths[::-1])

    def forward(self, feature: torch.Tensor) -> torch.Tensor:
        """The code.

        Args:
            feature: (n, widths[0]).

        Returns:
            (n, widths[-1]).
        """
        found: torch.Tensor = self.encoder(feature)
        return found

    def error(self, feature: torch.Tensor) -> torch.Tensor:
        """The mean squared error of the reconstruction.

        Args:
            feature: (n, widths[0]).

        Returns:
            A number.
        """
        return functional.mse_loss(self.decoder(self.encoder(feature)), feature)


class Classifier(nn.Module):
    """Hidden layers with ReLU whose last output is the code, and a softmax layer that teaches them.

    Args:
        widths: of the input and of each hidden layer.
        classes: K.
    """

    def __init__(self, widths: list[int], classes: int) -> None:
        super().__init__()
        self.hidden = layers(widths, nn.ReLU())
        self.last = nn.Linear(widths[-1], classes)

    def forward(self, feature: torch.Tensor) -> torch.Tensor:
        """The last hidden layer.

        Args:
            feature: (n, widths[0]).

        Returns:
            (n, widths[-1]).
        """
        found: torch.Tensor = self.hidden(feature)
        return found

    def error(self, feature: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """The mean cross-entropy.

        Args:
            feature: (n, widths[0]).
            label: (n,) int64.

        Returns:
            A number.
        """
        return functional.cross_entropy(self.last(self.hidden(feature)), label)


class Stages:
    """Trains parts one after the other on all training items; the order of items is drawn from torch's own generator.

    Args:
        name: the method's, for messages.
        config: epochs, batch size, and how weights are moved.
        count: of training items.
        device: where the parts are.
        progress: called with the name of the stage that begins; steps are counted from the last stage on.
    """

    def __init__(
        self, name: str, config: StagedConfig, count: int, device: str, progress: Progress | None = None
    ) -> None:
        self._name, self._config, self._count, self._device, self._progress = name, config, count, device, progress

    def train(self, part: nn.Module, loss: Callable[[torch.Tensor], torch.Tensor], what: str) -> None:
        """Trains a part, and freezes it.

        Args:
            part: what is moved; nothing else is.
            loss: positions of a batch's items (b,) to the number that is minimised.
            what: the stage's name.

        Raises:
            UserError: the loss is no longer finite.
        """
        config, moved = self._config, list(part.parameters())
        if self._progress:
            self._progress(0, 1, what)
        part.train()
        optimizer = torch.optim.Adam(
            moved, config.learning_rate, config.betas, weight_decay=config.weight_decay, fused=True
        )
        for epoch in range(config.stage_epochs):
            total = torch.zeros((), device=self._device)
            order = torch.randperm(self._count).to(self._device)
            for places in order.tensor_split(math.ceil(self._count / config.batch)):
                optimizer.zero_grad(set_to_none=True)
                value = loss(places)
                value.backward()
                if config.clip:
                    nn.utils.clip_grad_norm_(moved, config.clip)
                optimizer.step()
                total += value.detach()
            if not math.isfinite(float(total)):
                raise UserError(
                    f"the loss of {self._name}'s {what} is no longer finite in epoch {epoch + 1} at learning rate "
                    f"{config.learning_rate:.3g}: lower learning_rate"
                )
        part.requires_grad_(False).eval()

    def autoencode(self, part: Autoencoder, read: Callable[[torch.Tensor], torch.Tensor], what: str) -> torch.Tensor:
        """Trains an autoencoder, and freezes it.

        Args:
            part: the autoencoder.
            read: positions of items (b,) to what it is given (b, d).
            what: the stage's name.

        Returns:
            The training items' codes (n, k).

        Raises:
            UserError: the loss is no longer finite.
        """
        self.train(part, lambda places: part.error(read(places)), what)
        return self.codes(lambda places: part(read(places)))

    def classify(self, part: Classifier, code: torch.Tensor, label: torch.Tensor, what: str) -> torch.Tensor:
        """Trains a classifier, and freezes it.

        Args:
            part: the classifier.
            code: (n, d) of the training items.
            label: (n,) int64.
            what: the stage's name.

        Returns:
            The training items' last hidden layers (n, k).

        Raises:
            UserError: the loss is no longer finite.
        """
        self.train(part, lambda places: part.error(code[places], label[places]), what)
        return self.codes(lambda places: part(code[places]))

    @torch.no_grad()
    def codes(self, code: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """What frozen parts make of all training items, a block at a time.

        Args:
            code: positions of items (b,) to their codes (b, k).

        Returns:
            (n, k).
        """
        return torch.cat([code(places) for places in torch.arange(self._count, device=self._device).split(_ROWS)])


def standardized(inputs: Standardize, codes: torch.Tensor) -> torch.Tensor:
    """Takes mean and deviation from the training items' codes, and gives the codes so standardised.

    Args:
        inputs: takes the numbers, for the items to come.
        codes: (n, k) of the training items.

    Returns:
        (n, k).
    """
    inputs.fit(codes, LEAST)
    found: torch.Tensor = inputs(codes)
    return found
