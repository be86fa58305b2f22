"""From pixels to network input: crop, mirror, normalise."""

from __future__ import annotations

from collections.abc import Sequence

import torch

__all__ = ["center_crop", "normalize", "random_crop"]


def normalize(pixels: torch.Tensor, mean: Sequence[float], deviation: Sequence[float]) -> torch.Tensor:
    """Turns bytes into what the network reads.

    Args:
        pixels: (b, h, w, 3) uint8.
        mean: of red, green and blue, which run from 0 to 1; subtracted.
        deviation: what they are divided by then.

    Returns:
        (b, 3, h, w) float32 in `channels_last` layout.
    """
    scaled = (pixels.float() / 255 - torch.tensor(mean)) / torch.tensor(deviation)
    return scaled.permute(0, 3, 1, 2)


def center_crop(pixels: torch.Tensor, size: int) -> torch.Tensor:
    """Cuts the middle square out.

    Args:
        pixels: (b, side, side, 3).
        size: side of the result, at most `side`.

    Returns:
        (b, size, size, 3), a view.
    """
    start = (pixels.shape[1] - size) // 2
    return pixels[:, start : start + size, start : start + size]


def random_crop(pixels: torch.Tensor, size: int, flip: bool, generator: torch.Generator) -> torch.Tensor:
    """Cuts a random square out of each image, and mirrors every second one by chance.

    Args:
        pixels: (b, side, side, 3).
        size: side of the result, at most `side`.
        flip: whether to mirror left and right with probability one half.
        generator: source of randomness.

    Returns:
        (b, size, size, 3), a copy.
    """
    room = pixels.shape[1] - size + 1
    corners = torch.randint(room, (len(pixels), 2), generator=generator).tolist()
    mirrored = (torch.rand(len(pixels), generator=generator) < 0.5).tolist()
    result = torch.empty((len(pixels), size, size, 3), dtype=pixels.dtype)
    for place, (top, left) in enumerate(corners):
        cut = pixels[place, top : top + size, left : left + size]
        result[place] = cut.flip(1) if flip and mirrored[place] else cut
    return result
