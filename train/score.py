"""Scores of all images against all texts, in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from drsl.train.model import DrslModel

if TYPE_CHECKING:
    from drsl.train.methods.base import Method

__all__ = ["score_blocks", "score_matrix"]


@torch.no_grad()
def score_matrix(model: DrslModel, image: torch.Tensor, text: torch.Tensor, rows: int = 512) -> np.ndarray:
    """Relation scores of all pairs in evaluation mode; representations once, pairs in blocks.

    Args:
        model: a trained model.
        image: (n_i, d_i) features on the model's device.
        text: (n_t, d_t) features on the model's device.
        rows: images a block.

    Returns:
        (n_i, n_t) float32.
    """
    was_training = model.training
    model.eval()
    scores = np.empty((len(image), len(text)), dtype=np.float32)
    z_text = model.text_fnn(text)
    for start in range(0, len(image), rows):
        z_image = model.image_fnn(image[start : start + rows])
        scores[start : start + rows] = model.relation(z_image, z_text).cpu().numpy()
    model.train(was_training)
    return scores


def score_blocks(
    method: Method,
    image: np.ndarray,
    text: np.ndarray,
    rows: int = 512,
    progress: Callable[[int, int, str], None] | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Scores of any method, block of images by block.

    Args:
        method: a fitted method.
        image: (n_i, d_i) float32 features.
        text: (n_t, d_t) float32 features.
        rows: images a block.
        progress: called with (images done, images in all, "").

    Yields:
        First image of the block, and its scores (b, n_t) float32.
    """
    for start in range(0, len(image), rows):
        yield start, method.score(image[start : start + rows], text)
        if progress:
            progress(min(start + rows, len(image)), len(image), "")
