"""The fusions g(z_image, z_text) of equation 4: their width, and how the first layer splits over the linear ones."""

from __future__ import annotations

from collections.abc import Sequence
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
    fusion: str,
    z_image: torch.Tensor,
    z_text: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    compiled: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Splits the first layer, so that W g(z_image[p], z_text[q]) + c = a[p] + b[q]; `mul` is not linear and does not.

    Args:
        fusion: `concat`, `add` or `sub`.
        z_image: (n_i, dim).
        z_text: (n_t, dim).
        weight: W (h, fused width).
        bias: c (h,).
        compiled: with the compiled products of `drsl.train.kernels.products`, for float32 and float64 on the CPU.

    Returns:
        a (n_i, h), which has the bias, and b (n_t, h); their gradient can be taken once, not twice.
    """
    inputs = (z_image, z_text, weight, bias)
    compiled = compiled and all(each.dtype == weight.dtype and each.numel() for each in inputs)
    compiled = compiled and weight.dtype in (torch.float32, torch.float64)
    a, b = _FirstLayer.apply(*inputs, fusion, _compiled_products if compiled else _torch_products)
    return a, b


class _FirstLayer(torch.autograd.Function):
    """Two products forward and four backward; the weight's gradient is written in one piece, not put together."""

    @staticmethod
    def forward(ctx: Any, z_image, z_text, weight, bias, fusion: str, multiply) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(z_image, z_text, weight)
        ctx.about = fusion, multiply
        image, text = weight.chunk(2, dim=1) if fusion == "concat" else (weight, weight)
        a, b = (each.new_empty(len(each), len(weight)) for each in (z_image, z_text))
        multiply([(z_image, image.T, a, bias, 1.0), (z_text, text.T, b, None, -1.0 if fusion == "sub" else 1.0)])
        return a, b

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_a: torch.Tensor, d_b: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        z_image, z_text, weight = ctx.saved_tensors
        fusion, multiply = ctx.about
        image, text = weight.chunk(2, dim=1) if fusion == "concat" else (weight, weight)
        d_weight, d_image, d_text = (each.new_empty(each.shape) for each in (weight, z_image, z_text))
        sign = -1.0 if fusion == "sub" else 1.0
        products = [(d_a, image, d_image, None, 1.0), (d_b, text, d_text, None, sign)]
        if fusion == "concat":
            ours, theirs = d_weight.chunk(2, dim=1)
            multiply([*products, (d_a.T, z_image, ours, None, 1.0), (d_b.T, z_text, theirs, None, 1.0)])
        else:
            multiply([*products, (d_a.T, z_image, d_weight, None, 1.0)])
            multiply([(d_b.T, z_text, d_weight, d_weight, sign)])
        return d_image, d_text, d_weight, d_a.sum(dim=0), None, None


_Products = Sequence[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None, float]]
"""Each (left, right, out, start, sign): out = start + sign * left @ right; None is a start of zeros."""


def _torch_products(products: _Products) -> None:
    for left, right, out, start, sign in products:
        if start is None:
            torch.mm(left, right, out=out)
            if sign != 1:
                out.neg_()
        else:
            torch.addmm(start, left, right, alpha=sign, out=out)


def _compiled_products(products: _Products) -> None:
    from drsl.train.kernels.products import Product, multiply

    multiply([Product(*each) for each in products])
