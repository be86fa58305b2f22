"""Scores of all images against all texts, in blocks of bounded memory: all of them, or the best of each query."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from drsl.evaluate.top_k import TopK
from drsl.train.model import DrslModel

if TYPE_CHECKING:
    from drsl.train.methods.base import Method

__all__ = ["model_blocks", "score_blocks", "top_k"]

Progress = Callable[[int, int, str], None]

_IMAGES = 2048
"""Images whose scores with a block of texts are held at a time."""


@torch.no_grad()
def model_blocks(
    model: DrslModel, image: torch.Tensor, text: torch.Tensor, rows: int = 512
) -> Callable[[], Iterator[tuple[int, np.ndarray]]]:
    """Relation scores of a model in evaluation mode; items are represented here and now, pairs scored in blocks.

    Args:
        model: its mode is left at evaluation.
        image: (n_i, d_i) features on the model's device.
        text: (n_t, d_t) features on the model's device.
        rows: images a block.

    Returns:
        A function that goes through the blocks: first image and scores (b, n_t) float32.
    """
    model.eval()
    z_text = model.text_fnn(text)
    z_image = torch.cat([model.image_fnn(each) for each in image.split(rows)]) if len(image) else z_text[:0]

    def blocks() -> Iterator[tuple[int, np.ndarray]]:
        for start in range(0, len(image), rows):
            with torch.no_grad():
                block = model.relation(z_image[start : start + rows], z_text)
            yield start, block.cpu().numpy()

    return blocks


def score_blocks(
    method: Method, image: np.ndarray, text: np.ndarray, rows: int = 512, progress: Progress | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Scores of any method, block of images by block; each item is represented once.

    Args:
        method: a fitted method.
        image: (n_i, d_i) float32 features.
        text: (n_t, d_t) float32 features.
        rows: images a block.
        progress: called with (images done, images in all, "").

    Yields:
        First image of the block, and its scores (b, n_t) float32.

    Raises:
        UserError: not fitted, or fitted on features of other widths.
    """
    texts = method.represent("text", text)
    for start in range(0, len(image), rows):
        yield start, method.relate(method.represent("image", image[start : start + rows]), texts)
        if progress:
            progress(min(start + rows, len(image)), len(image), "")


def top_k(
    method: Method,
    image: np.ndarray,
    text: np.ndarray,
    k: int,
    directions: str = "both",
    columns: int = 4096,
    progress: Progress | None = None,
) -> dict[str, TopK]:
    """The best k answers to each query, in one pass over the texts; the score matrix is never held.

    Args:
        method: a fitted method.
        image: (n_i, d_i) float32 features, all represented at once; may be mapped from a file.
        text: (n_t, d_t) float32 features, taken a block at a time; may be mapped from a file.
        k: how many answers.
        directions: `i2t` (images ask), `t2i` (texts ask) or `both`.
        columns: texts a block. Memory beside inputs and answers is O(n_i r + columns (r + 2048)) for representations of
            width r.
        progress: called with (texts done, texts in all, "").

    Returns:
        By direction: positions and scores (n_q, min(k, n_g)), best first.

    Raises:
        UserError: not fitted, fitted on features of other widths, or a score is not finite.
    """
    found = {}
    if directions in ("i2t", "both"):
        found["i2t"] = TopK(len(image), min(k, len(text)), method.name)
    if directions in ("t2i", "both"):
        found["t2i"] = TopK(len(text), min(k, len(image)), method.name)
    images: list[tuple[int, Any]] = [
        (start, method.represent("image", image[start : start + _IMAGES])) for start in range(0, len(image), _IMAGES)
    ]
    for first in range(0, len(text), columns):
        texts = method.represent("text", text[first : first + columns])
        for start, represented in images:
            block = method.relate(represented, texts)
            if "i2t" in found:
                found["i2t"].update(start, first, block)
            if "t2i" in found:
                found["t2i"].update(first, start, block.T)
        if progress:
            progress(min(first + columns, len(text)), len(text), "")
    return found
