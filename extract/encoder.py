"""What the image and the text network have in common: batches in, features and class scores out, one file each."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
import torch
from torch import nn

from drsl.extract.precision import Precision
from drsl.features.digest import fingerprint
from drsl.features.errors import SettingError, StaleFile
from drsl.features.settings import from_stored
from drsl.features.tensor_file import read_tensors, write_tensors

__all__ = ["NETWORK_FORMAT", "Batches", "Encoder", "read_config", "read_network"]

Config = TypeVar("Config")

NETWORK_FORMAT = "drsl-network"
SCHEMA = 1
"""Raised when the same settings would give other features."""


class Batches(Protocol):
    """Items as network input, batch by batch."""

    def __call__(
        self, order: Sequence[int], size: int, generator: torch.Generator | None = None
    ) -> Iterator[tuple[list[int], torch.Tensor]]:
        """Goes through items in a given order.

        Args:
            order: positions of the items wanted.
            size: items a batch.
            generator: source of random crops and flips; None for none of them.

        Returns:
            Pairs of positions (b of them) and network input (b, ...).
        """
        ...


class Encoder(ABC):
    """A network of stage one with all it needs to turn raw items into features."""

    modality: ClassVar[str]
    network: nn.Module
    classes: tuple[str, ...]
    precision: Precision
    device: str = "cpu"
    decoders: int = 0
    """processes that decode pictures; 0 for threads, which need no start"""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Width of the feature."""

    @property
    def batch(self) -> int:
        """Items encoded at a time."""
        return 64

    @abstractmethod
    def open(self, contents: Sequence[Any], once: bool = False) -> Batches:
        """Gets raw items ready for the network.

        Args:
            contents: paths of image files, or texts.
            once: they are gone through once, so keeping them would not pay.

        Returns:
            A function that goes through them in batches.
        """

    @abstractmethod
    def feature(self, inputs: torch.Tensor) -> torch.Tensor:
        """The feature of stage one from network input.

        Args:
            inputs: (b, ...) as `open` gives them.

        Returns:
            (b, dim).
        """

    @abstractmethod
    def classify(self, feature: torch.Tensor) -> torch.Tensor:
        """Class scores from the feature.

        Args:
            feature: (b, dim).

        Returns:
            (b, classes) logits.
        """

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """JSON-able description: architecture, settings, weights and precision."""

    def extra_arrays(self) -> dict[str, np.ndarray]:
        """Arrays beside the network's own that the file must hold."""
        return {}

    @torch.no_grad()
    def encode(self, contents: Sequence[Any], size: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Turns raw items into features.

        Args:
            contents: paths of image files, or texts; n of them.
            size: items a batch; None takes `batch`.

        Yields:
            Features (b, dim) float32 and the predicted class (b,) int64, in order.
        """
        self.network.eval()
        for _, inputs in self.open(contents, once=True)(range(len(contents)), size or self.batch):
            with self.precision.autocast(self.device):
                feature = self.feature(inputs.to(self.device))
                predicted = self.classify(feature).argmax(dim=1)
            yield feature.float().cpu().numpy(), predicted.cpu().numpy()

    def save(self, path: Path, manifest_digest: str) -> None:
        """Writes the network with everything `read_network` needs.

        Args:
            path: the file's final name.
            manifest_digest: the manifest it was trained on.

        Raises:
            UserError: the file cannot be written.
        """
        state = {f"network.{name}": each.detach().cpu().numpy() for name, each in self.network.state_dict().items()}
        about = {"schema": SCHEMA, "modality": self.modality, "classes": list(self.classes), **self.about()}
        about["manifest_digest"] = manifest_digest
        about["fingerprint"] = fingerprint(about)
        write_tensors(path, NETWORK_FORMAT, state | self.extra_arrays(), about)

    def load_state(self, arrays: dict[str, np.ndarray]) -> None:
        """Takes the weights that `save` wrote.

        Args:
            arrays: as `read_network` returns them.
        """
        state = {name: torch.from_numpy(array) for name, array in arrays.items() if name.startswith("network.")}
        self.network.load_state_dict({name.removeprefix("network."): each for name, each in state.items()})


def read_network(path: Path, modality: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads a network file.

    Args:
        path: the file that `Encoder.save` wrote.
        modality: `image` or `text`.

    Returns:
        Its arrays, and its description.

    Raises:
        MissingFile: there is none; names the command that makes it.
        DamagedFile: cut short, changed, or of another kind.
        StaleFile: of the other modality, or made by a version with other features.
    """
    repair = f"drsl finetune {modality} -d {path.parent.name}"
    arrays, about = read_tensors(path, NETWORK_FORMAT, repair)
    if about["modality"] != modality or about["schema"] != SCHEMA:
        made = json.dumps({"modality": about["modality"], "schema": about["schema"]})
        raise StaleFile(f"{path} holds {made}, this program wants {modality}, schema {SCHEMA}: run `{repair}`")
    return arrays, about


def read_config(config: type[Config], about: Mapping[str, Any]) -> Config:
    """The settings that a network was trained with.

    Args:
        config: the modality's settings class.
        about: the network file's description, as `read_network` returns it.

    Returns:
        The settings.

    Raises:
        StaleFile: they are of a version with other settings.
    """
    try:
        return from_stored(config, about["settings"])
    except (KeyError, TypeError, SettingError) as error:
        modality = about["modality"]
        raise StaleFile(
            f"the {modality} network has settings that this program does not know ({error}): make it again with "
            f"`drsl finetune {modality}`"
        ) from None
