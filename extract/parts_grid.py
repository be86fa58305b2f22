"""The cells of an image: the map of an image network that still has places, VGG-19's pool5."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from drsl.extract.image_encoder import ImageEncoder
from drsl.extract.parts import PartsEncoder
from drsl.extract.parts_config import PartsConfig

__all__ = ["GridParts"]


class GridParts(PartsEncoder):
    """A row of cells an image, from left to right and from top to bottom; 49 of 512 numbers at 224 pixels.

    Args:
        encoder: the image network; the middle of the resized picture is seen, as for its feature.
        config: nothing of it is used.
    """

    kind = "grid"

    def __init__(self, encoder: ImageEncoder, config: PartsConfig) -> None:
        self._encoder = encoder
        side = encoder.config.crop
        _, wide, rows, columns = self._cells(torch.zeros(1, 3, side, side)).shape
        self.shape = (rows * columns, wide)
        self.settings: dict[str, Any] = {"rows": rows, "columns": columns}

    def encode(self, contents: Sequence[Path], size: int | None = None) -> Iterator[tuple[np.ndarray, None]]:
        """Takes images apart into cells.

        Args:
            contents: image files, n of them.
            size: items at a time; None for as many as suit.

        Yields:
            Cells (b, rows * columns, k) float32, and None: no cell can be missing.
        """
        batches = self._encoder.open(contents, once=True)
        for _, inputs in batches(range(len(contents)), size or self._encoder.batch):
            yield self._cells(inputs).flatten(2).transpose(1, 2).float().cpu().numpy(), None

    @torch.no_grad()
    def _cells(self, inputs: torch.Tensor) -> torch.Tensor:
        encoder = self._encoder
        encoder.network.eval()
        with encoder.precision.autocast(encoder.device):
            return encoder.network.grid(inputs.to(encoder.device))
