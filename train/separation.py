"""Whether a relation network tells pairs of one class from pairs of two, as its training log shows.

With K classes only one pair in K has the target 1, so the constant 1/K is a good answer to the squared loss, and a
network can stay there for hundreds of steps: with 200 classes its loss is small while it ranks by chance. The loss does
not show it; the two mean scores do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

__all__ = ["LEAST_GAP", "MEAN_COLUMNS", "pair_means", "separation_warnings"]

LEAST_GAP = 0.05
"""Smallest difference of the mean scores of positive and negative pairs that counts as separated; the target is 1."""

MEAN_COLUMNS = ("positive_mean", "negative_mean")
"""Columns of a training log: mean score of pairs of one class (target 1) and of two classes (target 0)."""


@torch.no_grad()
def pair_means(scores: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean scores of the two kinds of pairs.

    Args:
        scores: R (n_i, n_t).
        target: S (n_i, n_t) of 0 and 1.

    Returns:
        The means over pairs with target 1 and with target 0, in the order of `MEAN_COLUMNS`; 0 where there is no pair.
    """
    positive, positives = (scores * target).sum(), target.sum()
    return positive / positives.clamp(min=1), (scores.sum() - positive) / (target.numel() - positives).clamp(min=1)


def separation_warnings(
    name: str, columns: Sequence[str], log: Sequence[Sequence[float]], advice: Sequence[str]
) -> list[str]:
    """Looks at the epoch that was kept: the first with the best mAP on val, or the last when none was judged.

    Args:
        name: the method's.
        columns: of the log; among them `epoch`, `val_map` and `MEAN_COLUMNS`.
        log: a row an epoch; one or more.
        advice: what may help, each a phrase.

    Returns:
        One line when the means of that epoch are less than `LEAST_GAP` apart, else none.

    >>> columns = ("epoch", "positive_mean", "negative_mean", "val_map")
    >>> separation_warnings("drsl-c", columns, [(1, 0.4, 0.1, 0.3)], ["raise epochs"])
    []
    >>> print(*separation_warnings("drsl", columns, [(1, 0.006, 0.005, 0.02)], ["raise epochs"]))
    drsl hardly separates pairs of one class from others: mean scores 0.006 and 0.005 (targets 1 and 0) in the kept \
epoch 1: raise epochs
    """
    rows = [dict(zip(columns, row, strict=True)) for row in log]
    judged = [row for row in rows if not math.isnan(row["val_map"])]
    kept = max(judged, key=lambda row: row["val_map"]) if judged else rows[-1]
    positive, negative = (kept[each] for each in MEAN_COLUMNS)
    if positive - negative >= LEAST_GAP:
        return []
    help_ = ", ".join([*advice[:-1], f"or {advice[-1]}" if len(advice) > 1 else advice[-1]])
    return [
        f"{name} hardly separates pairs of one class from others: mean scores {positive:.3f} and {negative:.3f} "
        f"(targets 1 and 0) in the kept epoch {kept['epoch']}: {help_}"
    ]
