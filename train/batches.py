"""Seeded batches of images and texts: indices are shuffled, feature arrays stay where they are."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

__all__ = ["epoch_batches", "steps_per_epoch"]


def steps_per_epoch(images: int, texts: int, batch: int) -> int:
    """Steps until the larger side has been seen once.

    Args:
        images: number of training images.
        texts: number of training texts.
        batch: items of each side a step; with 2 and an odd number, one step has 3 rather than 1.

    Returns:
        A positive number.
    """
    larger = max(images, texts)
    return max(1, larger // 2 if batch == 2 else math.ceil(larger / batch))


def epoch_batches(
    images: int, texts: int, batch: int, generator: torch.Generator, device: str = "cpu"
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One epoch: both sides in random order, cut in equally large parts, so no step is left with a single item.

    One item a step there is only when `batch` or the larger side is 1.
    The sides are shuffled apart: equation 10 compares all images of a batch with all its texts and needs no couples.
    The smaller side starts again when it is used up.

    Args:
        images: number of training images, positive.
        texts: number of training texts, positive.
        batch: largest number of items of a side a step, as in `steps_per_epoch`.
        generator: source of randomness, on the CPU.
        device: where the positions shall be; they are moved once an epoch, so that no step waits for them.

    Yields:
        Positions of images (b_i,) and of texts (b_t,), int64.
    """
    steps = steps_per_epoch(images, texts, batch)
    larger = max(images, texts)
    orders = []
    for count in (images, texts):
        rounds = [torch.randperm(count, generator=generator) for _ in range(math.ceil(larger / count))]
        orders.append(torch.cat(rounds)[:larger].to(device).tensor_split(steps))
    yield from zip(*orders, strict=True)
