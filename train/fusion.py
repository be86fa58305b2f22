"""The fusions g(z_image, z_text) of equation 4: their width, and how the first layer splits over the linear ones."""

from __future__ import annotations

from typing import Any

import torch

from drsl.features.errors import choose
from drsl.train.config import FUSIONS

__all__ = ["first_layer", "fused_width"]


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


def first_layer(
    fusion: str, z_image: torch.Tensor, z_text: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Splits the first layer, so that W g(z_image[p], z_text[q]) + c = a[p] + b[q]; `mul` is not linear and does not.

    Args:
        fusion: `concat`, `add` or `sub`.
        z_image: (n_i, dim).
        z_text: (n_t, dim).
        weight: W (h, fused width).
        bias: c (h,).

    Returns:
        a (n_i, h), which has the bias, and b (n_t, h); their gradient can be taken once, not twice.
    """
    a, b = _FirstLayer.apply(z_image, z_text, weight, bias, fusion)
    return a, b


class _FirstLayer(torch.autograd.Function):
    """Two products forward and four backward; the weight's gradient is written in one piece, not put together."""

    @staticmethod
    def forward(ctx: Any, z_image, z_text, weight, bias, fusion: str) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(z_image, z_text, weight)
        ctx.fusion = fusion
        image, text = weight.chunk(2, dim=1) if fusion == "concat" else (weight, weight)
        b = z_text @ text.T
        return torch.addmm(bias, z_image, image.T), b.neg_() if fusion == "sub" else b

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_a: torch.Tensor, d_b: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        z_image, z_text, weight = ctx.saved_tensors
        d_bias = d_a.sum(dim=0)
        if ctx.fusion == "sub":
            d_b = -d_b
        image, text = weight.chunk(2, dim=1) if ctx.fusion == "concat" else (weight, weight)
        d_weight = torch.empty_like(weight)
        if ctx.fusion == "concat":
            d_image, d_text = d_weight.chunk(2, dim=1)
            torch.mm(d_a.T, z_image, out=d_image)
            torch.mm(d_b.T, z_text, out=d_text)
        else:
            torch.mm(d_a.T, z_image, out=d_weight)
            d_weight.addmm_(d_b.T, z_text)
        return d_a @ image, d_b @ text, d_weight, d_bias, None
