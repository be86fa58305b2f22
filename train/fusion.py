"""The four fusions g(z_image, z_text) of equation 4, and how the first layer splits over the linear ones."""

from __future__ import annotations

import torch

from drsl.features.errors import choose
from drsl.train.config import FUSIONS

__all__ = ["fuse", "fused_width", "split_first_layer"]


def fused_width(fusion: str, dim: int) -> int:
    """Width of a fused pair.

    Args:
        fusion: `concat`, `mul`, `add` or `sub`.
        dim: width of a representation.

    Returns:
        2 * dim for concat, else dim.

    Raises:
        SettingError: the fusion is unknown.
    """
    return 2 * dim if choose("fusion", fusion, FUSIONS) == "concat" else dim


def fuse(fusion: str, z_image: torch.Tensor, z_text: torch.Tensor) -> torch.Tensor:
    """All pairs of images and texts, fused.

    Args:
        fusion: `concat`, `mul`, `add` or `sub`.
        z_image: (n_i, dim).
        z_text: (n_t, dim).

    Returns:
        (n_i, n_t, fused width).
    """
    image, text = torch.broadcast_tensors(z_image[:, None, :], z_text[None, :, :])
    if fusion == "concat":
        return torch.cat([image, text], dim=2)
    if fusion == "mul":
        return image * text
    return image + text if fusion == "add" else image - text


def split_first_layer(fusion: str, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Splits W of the first layer so that W g(z_image, z_text) = W_image z_image + W_text z_text.

    Args:
        fusion: `concat`, `mul`, `add` or `sub`.
        weight: (h, fused width).

    Returns:
        W_image and W_text, (h, dim) each; None for mul, which is not linear.
    """
    if fusion == "concat":
        image, text = weight.chunk(2, dim=1)
        return image, text
    if fusion == "mul":
        return None
    return weight, weight if fusion == "add" else -weight
