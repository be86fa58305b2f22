"""The relation function on a GPU, in Triton: scores in one kernel, both masked sums of the gradient in another.

As on the CPU, relu(a + b) = max(a, -b) + b leaves two operations an element. A program holds a tile of pairs in
registers while the hidden units go by; the columns it reads lie together, so inputs are transposed first. The masked
sums are one kernel, called twice with the sides exchanged: a > -b is the same as b > -a.

Tested on the CPU by Triton's interpreter (`TRITON_INTERPRET=1`), where it gives the formula's numbers.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

__all__ = ["triton_relation"]

_TILE = 64
"""Images and texts of a tile of scores: 16 sums a thread with 8 warps."""
_ROWS, _HIDDEN = 32, 64
"""Rows and hidden units of a tile of masked sums."""


def triton_relation(a: torch.Tensor, b: torch.Tensor, u: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    """R[p, q] = d + sum_h u[h] relu(a[p, h] + b[q, h]).

    Args:
        a: (n_i, h), float32 or float64 as are the others.
        b: (n_t, h).
        u: (h,).
        d: (1,).

    Returns:
        R (n_i, n_t); its gradient can be taken once, not twice. Memory O(n_i n_t + (n_i + n_t) h).
    """
    scores: torch.Tensor = _Fused.apply(a, b, u, d)
    return scores


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, b: torch.Tensor, u: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
        a, b, u = (each.detach().contiguous() for each in (a, b, u))
        ctx.save_for_backward(a, b, u)
        scores = a.new_empty((len(a), len(b)))
        if scores.numel():
            shift = torch.addmv(d.detach().expand(len(b)), b, u)
            grid = (triton.cdiv(len(a), _TILE), triton.cdiv(len(b), _TILE))
            columns = a.T.contiguous(), b.T.neg().contiguous()
            _score_kernel[grid](*columns, u, shift, scores, len(a), len(b), a.shape[1], TILE=_TILE, num_warps=8)
        return scores

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, ...]:
        a, b, u = ctx.saved_tensors
        image_sum = _masked_sum(a, b, gradient.T)
        text_sum = _masked_sum(b, a, gradient)
        u_gradient = (a * image_sum).sum(0) + (b * text_sum).sum(0)
        return u * image_sum, u * text_sum, u_gradient, gradient.sum().view(1)


def _masked_sum(rows: torch.Tensor, others: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """(n, h): for each row and hidden unit the gradient's sum over the others where row + other > 0."""
    total = torch.zeros_like(rows)
    if gradient.numel():
        grid = (triton.cdiv(len(rows), _ROWS), triton.cdiv(rows.shape[1], _HIDDEN))
        sizes = len(rows), len(others), rows.shape[1]
        _sum_kernel[grid](rows, others.neg(), gradient.contiguous(), total, *sizes, ROWS=_ROWS, HIDDEN=_HIDDEN)
    return total


@triton.jit
def _score_kernel(a, b_negative, u, shift, scores, images, texts, width, TILE: tl.constexpr):
    """One tile of scores; `a` (h, n_i) and `b_negative` (h, n_t) lie by hidden unit."""
    rows = tl.program_id(0) * TILE + tl.arange(0, TILE)
    columns = tl.program_id(1) * TILE + tl.arange(0, TILE)
    row_there, column_there = rows < images, columns < texts
    total = tl.zeros((TILE, TILE), dtype=a.dtype.element_ty)
    for hidden in range(width):
        image = tl.load(a + hidden * images + rows, mask=row_there, other=0.0)
        text = tl.load(b_negative + hidden * texts + columns, mask=column_there, other=0.0)
        image, text = image[:, None], text[None, :]
        # Not tl.maximum: where the image's is not a number, the score must not be one either.
        total += tl.load(u + hidden) * tl.where(text > image, text, image)
    total += tl.load(shift + columns, mask=column_there, other=0.0)[None, :]
    places = rows.to(tl.int64)[:, None] * texts + columns[None, :]
    tl.store(scores + places, total, mask=row_there[:, None] & column_there[None, :])


@triton.jit
def _sum_kernel(rows, others_negative, gradient, total, count, others, width, ROWS: tl.constexpr, HIDDEN: tl.constexpr):
    """One tile of masked sums; `gradient` (others, count) lies by the other side's items."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    hidden = tl.program_id(1) * HIDDEN + tl.arange(0, HIDDEN)
    row_there, hidden_there = row < count, hidden < width
    places = row.to(tl.int64)[:, None] * width + hidden[None, :]
    there = row_there[:, None] & hidden_there[None, :]
    own = tl.load(rows + places, mask=there, other=0.0)
    found = tl.zeros((ROWS, HIDDEN), dtype=rows.dtype.element_ty)
    for other in range(others):
        text = tl.load(others_negative + other * width + hidden, mask=hidden_there, other=0.0)
        share = tl.load(gradient + other * count + row, mask=row_there, other=0.0)
        found += tl.where(own > text[None, :], share[:, None], 0.0)
    tl.store(total + places, found, mask=there)
