"""The relation function by broadcasting over blocks of images, with the gradient as two masked sums.

No (n_i, n_t, h) tensor is kept: a block of images is expanded, summed and dropped, and expanded again for the gradient.
"""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["blocked_relation"]

_ELEMENTS = 1 << 22
"""Elements of the expanded tensor that one block may have: 16 MB in float32."""


def blocked_relation(a: torch.Tensor, b: torch.Tensor, u: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    """R[p, q] = d + sum_h u[h] relu(a[p, h] + b[q, h]).

    Args:
        a: (n_i, h).
        b: (n_t, h).
        u: (h,).
        d: (1,).

    Returns:
        R (n_i, n_t); its gradient can be taken once, not twice.
    """
    return _Blocked.apply(a, b, u) + d


class _Blocked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, b: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(a, b, u)
        scores = a.new_empty((len(a), len(b)))
        for rows in _blocks(a, b):
            scores[rows] = torch.relu(a[rows, None, :] + b[None, :, :]) @ u
        return scores

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        a, b, u = ctx.saved_tensors
        image_sum, text_sum = torch.zeros_like(a), torch.zeros_like(b)
        for rows in _blocks(a, b):
            active = ((a[rows, None, :] + b[None, :, :]) > 0).to(a.dtype)
            masked = active * gradient[rows, :, None]
            image_sum[rows] = masked.sum(dim=1)
            text_sum += masked.sum(dim=0)
        return u * image_sum, u * text_sum, (a * image_sum).sum(dim=0) + (b * text_sum).sum(dim=0)


def _blocks(a: torch.Tensor, b: torch.Tensor) -> list[slice]:
    size = max(1, _ELEMENTS // max(1, b.numel()))
    return [slice(start, start + size) for start in range(0, len(a), size)]
