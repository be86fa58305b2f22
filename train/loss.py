"""The target matrix S of equation 9 and the loss of equation 10."""

from __future__ import annotations

import torch

from drsl.features.errors import choose
from drsl.train.config import REDUCTIONS

__all__ = ["relation_loss", "target_matrix"]


def target_matrix(image_label: torch.Tensor, text_label: torch.Tensor) -> torch.Tensor:
    """S[p, q] = 1 when image p and text q have the same class, else 0.

    Args:
        image_label: (n_i,) integers.
        text_label: (n_t,) integers.

    Returns:
        S (n_i, n_t) float32.
    """
    return (image_label[:, None] == text_label[None, :]).float()


def relation_loss(scores: torch.Tensor, target: torch.Tensor, reduction: str) -> torch.Tensor:
    """The squared Frobenius norm of R - S.

    Args:
        scores: R (n_i, n_t).
        target: S (n_i, n_t).
        reduction: `sum` as equation 10 has it; `per_batch` divides by the square root of the number of pairs, which is
            the batch size, as the published code does; `mean` divides by the number of pairs.

    Returns:
        A scalar.

    Raises:
        SettingError: the reduction is unknown.
    """
    choose("loss_reduction", reduction, REDUCTIONS)
    total = (scores - target).square().sum()
    if reduction == "per_batch":
        return total / scores.numel() ** 0.5
    return total / scores.numel() if reduction == "mean" else total
