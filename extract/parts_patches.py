"""Patches of an image: the feature of the whole picture and of overlapping pieces of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from drsl.extract.image_encoder import ImageEncoder
from drsl.extract.parts import PartsEncoder
from drsl.extract.parts_config import PartsConfig
from drsl.extract.pixel_store import PixelStore

__all__ = ["PatchesParts"]


class PatchesParts(PartsEncoder):
    """The whole resized picture first, then its pieces from left to right and from top to bottom.

    Each is resized to what the network sees, and becomes a feature: fc7 of VGG-19.

    Args:
        encoder: the image network.
        config: how many pieces, and how large.
    """

    kind = "patches"

    def __init__(self, encoder: ImageEncoder, config: PartsConfig) -> None:
        self._encoder = encoder
        side, count = encoder.config.resize, config.patches.side
        cut = max(1, round(side * config.patches.share))
        corners = (
            [round(place * (side - cut) / (count - 1)) for place in range(count)] if count > 1 else [(side - cut) // 2]
        )
        self._boxes = [(0, 0, side), *((top, left, cut) for top in corners for left in corners)]
        self.shape = (len(self._boxes), encoder.dim)
        self.settings = asdict(config.patches)

    def encode(self, contents: Sequence[Path], size: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Takes images apart into patches.

        Args:
            contents: image files, n of them.
            size: items at a time; None for as many as suit.

        Yields:
            Features (b, p, k) float32, and that all patches are there, (b, p) bool.
        """
        encoder, count = self._encoder, len(self._boxes)
        store = PixelStore(contents, encoder.config.resize, keep_megabytes=0, processes=encoder.decoders)
        for _, pixels in store.batches(range(len(contents)), size or max(1, encoder.batch // count)):
            feature = self._features(self._cut(pixels)).float().cpu().numpy()
            yield feature.reshape(len(pixels), *self.shape), np.ones((len(pixels), count), dtype=bool)

    def _cut(self, pixels: torch.Tensor) -> torch.Tensor:
        """(b, side, side, 3) to (b * p, crop, crop, 3), all patches of one picture together."""
        pictures, crop = pixels.permute(0, 3, 1, 2).float(), self._encoder.config.crop
        patches = [
            functional.interpolate(
                pictures[:, :, top : top + side, left : left + side], (crop, crop), mode="bilinear", antialias=True
            )
            for top, left, side in self._boxes
        ]
        together = torch.stack(patches, dim=1).flatten(0, 1)
        return together.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)

    @torch.no_grad()
    def _features(self, patches: torch.Tensor) -> torch.Tensor:
        encoder = self._encoder
        encoder.network.eval()
        with encoder.precision.autocast(encoder.device):
            return encoder.feature(encoder.ready(patches).to(encoder.device))
