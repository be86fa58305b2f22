"""Pictures to 4096-d features: VGG-19 with its settings, weights and precision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from drsl.extract.config import FinetuneConfig
from drsl.extract.encoder import Batches, Encoder, read_network
from drsl.extract.image_config import ImageConfig
from drsl.extract.images import center_crop, normalize, random_crop
from drsl.extract.pixel_store import PixelStore
from drsl.extract.precision import Precision
from drsl.extract.vgg import ImageNetwork

__all__ = ["ImageEncoder"]


class ImageEncoder(Encoder):
    """The image network with its settings.

    Args:
        config: architecture, input size and training settings.
        classes: class names.
        precision: arithmetic.
        weights_digest: SHA-256 of the pre-trained weights' file, None when trained from scratch.
        device: `cpu` or `cuda`.
    """

    modality = "image"

    def __init__(
        self,
        config: ImageConfig,
        classes: Sequence[str],
        precision: Precision,
        weights_digest: str | None = None,
        device: str = "cpu",
    ) -> None:
        self.config = config
        self.classes = tuple(classes)
        self.weights_digest = weights_digest
        self.device = device
        network = ImageNetwork(config.architecture, len(self.classes), config.pool, config.dropout).to(device)
        self.network: ImageNetwork = network
        self.set_precision(precision)

    def set_precision(self, precision: Precision) -> None:
        """Takes another arithmetic.

        Args:
            precision: arithmetic and memory format.
        """
        self.precision = precision
        self.network.to(memory_format=precision.layout)

    @property
    def batch(self) -> int:
        """Pictures encoded at a time: as many as keep the layers' outputs within a few hundred megabytes."""
        return max(16, min(64, (512 // self.config.crop) ** 2))

    @property
    def dim(self) -> int:
        """Width of the feature: 4096."""
        return self.network.dim

    def open(self, contents: Sequence[Path], once: bool = False) -> Batches:
        """Gets image files ready: decoded ahead by threads, or by `decoders` processes where there are many.

        Args:
            contents: image files.
            once: they are gone through once; else they are kept in memory while they fit.

        Returns:
            A function that goes through them in batches of (b, 3, crop, crop).
        """
        keep = {"keep_megabytes": 0} if once else {}
        store = PixelStore(contents, self.config.resize, processes=self.decoders, **keep)

        def batches(
            order: Sequence[int], size: int, generator: torch.Generator | None = None
        ) -> Iterator[tuple[list[int], torch.Tensor]]:
            for positions, pixels in store.batches(order, size):
                if generator is None:
                    cut = center_crop(pixels, self.config.crop)
                else:
                    cut = random_crop(pixels, self.config.crop, self.config.flip, generator)
                yield positions, self.ready(cut)

        return batches

    def ready(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels as the network takes them: normalised, in this precision's layout.

        Args:
            pixels: (b, h, w, 3) uint8.

        Returns:
            (b, 3, h, w) float32.
        """
        return normalize(pixels).contiguous(memory_format=self.precision.layout)

    def feature(self, inputs: torch.Tensor) -> torch.Tensor:
        """fc7 after ReLU.

        Args:
            inputs: (b, 3, crop, crop), normalised.

        Returns:
            (b, 4096).
        """
        return self.network.fc7(inputs)

    def classify(self, feature: torch.Tensor) -> torch.Tensor:
        """Class scores from fc7.

        Args:
            feature: (b, 4096).

        Returns:
            (b, classes) logits.
        """
        return self.network.classify(feature)

    def about(self) -> dict[str, Any]:
        """JSON-able description: architecture, settings, weights and precision."""
        return {
            "architecture": self.config.architecture,
            "input_size": self.config.crop,
            "weights_digest": self.weights_digest,
            "precision": self.precision.name,
            "memory_format": self.precision.memory_format,
            "settings": asdict(self.config),
        }

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> tuple[ImageEncoder, dict[str, Any]]:
        """Reads a fine-tuned image network.

        Args:
            path: the file that `save` wrote.
            device: where it shall compute.

        Returns:
            The encoder and the file's description.

        Raises:
            UserError: the file is missing, damaged or of another kind.
        """
        arrays, about = read_network(path, cls.modality)
        settings = dict(about["settings"])
        settings["finetune"] = FinetuneConfig(**settings["finetune"])
        precision = Precision(about["precision"], about["memory_format"])
        encoder = cls(ImageConfig(**settings), about["classes"], precision, about["weights_digest"], device)
        encoder.load_state(arrays)
        return encoder, about
