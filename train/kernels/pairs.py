"""A hidden layer that runs over all pairs: tiles of matrix products, with ReLU and the dot with u behind each.

For relation networks whose last hidden layer does not factor: the `mul` fusion, and a second hidden layer. A tile's
inputs are made again in the backward pass. The layer's outputs are kept for it while they are few, and else worked out
again too, so that memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

__all__ = ["pair_layer"]

_TILE = 1 << 21
"""Elements of the hidden layer that a tile has: 8 MB in float32, about a core's share of the last cache."""
_KEPT = 1 << 26
"""Elements of the hidden layer that are kept for the backward pass, at most."""


def pair_layer(
    left: torch.Tensor,
    right: torch.Tensor,
    kind: str,
    weight: torch.Tensor,
    bias: torch.Tensor,
    u: torch.Tensor,
    d: torch.Tensor,
    norm: tuple[torch.Tensor, torch.Tensor, float] | None = None,
    precision: str = "float32",
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """R[p, q] = d + u . relu(N(W x + c)), where x is relu(left[p] + right[q]) or left[p] * right[q].

    Args:
        left: (n_i, k), the images' part.
        right: (n_t, k), the texts' part.
        kind: `sum` or `product`: how x is made.
        weight: W (h, k).
        bias: c (h,).
        u: (h,), weights of the last layer.
        d: (1,), bias of the last layer.
        norm: gain (h,), offset (h,) and epsilon of a batch norm N over all pairs; None for no norm.
        precision: `float32` or `bfloat16`, of the matrix products.

    Returns:
        R (n_i, n_t), whose gradient can be taken once, not twice; then the mean (h,) and the variance (h,) of W x + c
        over all pairs, without gradient, zeros without a norm.
    """
    gain, offset, epsilon = norm if norm is not None else (None, None, 0.0)
    product = torch.bfloat16 if precision == "bfloat16" else left.dtype
    scores, mean, variance = _PairLayer.apply(
        left, right, weight, bias, gain, offset, u, d, kind == "product", epsilon, product
    )
    return scores, mean, variance


class _PairLayer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, left, right, weight, bias, gain, offset, u, d, is_product, epsilon, product
    ) -> tuple[torch.Tensor, ...]:
        low = weight.to(product)
        work = _Work(left, right, low, bias, is_product, product)
        pairs, width = len(left) * len(right), len(weight)
        read_again = any(ctx.needs_input_grad) or gain is not None  # by the backward pass, or behind the norm
        keep = read_again and pairs * width <= _KEPT
        kept = left.new_empty((pairs, width), dtype=product) if keep else None
        scores = left.new_empty(pairs)
        mean, variance = left.new_zeros(width), left.new_zeros(width)
        if gain is not None and pairs:
            squares = left.new_zeros(width)
            center: torch.Tensor | None = None
            for rows in work.tiles():
                hidden = work.hidden(work.inputs(rows))
                if kept is not None:
                    kept[work.span(rows)] = hidden
                wide = hidden.to(left.dtype)
                if center is None:
                    center = wide.mean(dim=0)  # near enough to the mean for the squares not to cancel
                away = wide - center
                mean += away.sum(dim=0)
                squares += away.square().sum(dim=0)
            mean /= pairs
            variance = (squares / pairs - mean.square()).clamp_min(0)
            mean += center
        scale = None if gain is None else torch.rsqrt(variance + epsilon)
        for rows in work.tiles():
            span = work.span(rows)
            if gain is not None and kept is not None:
                hidden = kept[span]
            else:
                hidden = work.hidden(work.inputs(rows))
                if kept is not None:
                    kept[span] = hidden
            active = _normal(hidden, mean, scale, gain, offset, left.dtype)
            torch.mv(active.relu_(), u, out=scores[span])
        ctx.save_for_backward(left, right, low, bias, gain, offset, u, mean, scale, kept)
        ctx.about = is_product, product
        ctx.mark_non_differentiable(mean, variance)
        return (scores + d).view(len(left), len(right)), mean, variance

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor, *_: Any) -> tuple[Any, ...]:
        left, right, low, bias, gain, offset, u, mean, scale, kept = ctx.saved_tensors
        is_product, product = ctx.about
        work = _Work(left, right, low, bias, is_product, product)
        flat = gradient.reshape(-1)
        pairs = max(1, len(flat))
        sums = left.new_zeros(2, len(low))  # of the gradient where a unit is active, and of it times the normal output

        def normal(rows: slice, inputs: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
            """The layer's output before gain and offset, and where the unit is active."""
            if kept is not None:
                hidden = kept[work.span(rows)]
            else:
                hidden = work.hidden(work.inputs(rows) if inputs is None else inputs)
            output = hidden.to(left.dtype)
            if scale is None:
                return output, output > 0
            output = (output - mean).mul_(scale)
            return output, torch.addcmul(offset, output, gain) > 0

        if scale is not None:
            for rows in work.tiles():
                output, active = normal(rows)
                share = flat[work.span(rows)]
                active = active.to(left.dtype)
                sums[0] += torch.mv(active.T, share)
                sums[1] += torch.mv(active.mul_(output).T, share)
        d_left, d_right = torch.zeros_like(left), torch.zeros_like(right)
        d_weight, d_bias = left.new_zeros(low.shape), torch.zeros_like(u)
        factor = u if scale is None else u * gain
        for rows in work.tiles():
            inputs = work.inputs(rows)
            output, active = normal(rows, inputs)
            share = flat[work.span(rows)]
            active = active.to(left.dtype)
            if scale is None:
                sums[1] += torch.mv((active * output).T, share)
            change = active.mul_(share[:, None]).mul_(factor)
            if scale is not None:
                change -= factor * sums[0] / pairs
                change -= output.mul_(factor * sums[1] / pairs)
                change *= scale
            else:
                d_bias += change.sum(dim=0)
            change = change.to(product)
            d_weight += (change.T @ inputs).to(left.dtype)
            work.spread((change @ low).to(left.dtype), inputs, rows, d_left, d_right)
        d_gain = d_offset = None
        d_u = sums[1]
        if scale is not None:
            d_gain, d_offset, d_u = u * sums[1], u * sums[0], gain * sums[1] + offset * sums[0]
        return d_left, d_right, d_weight, d_bias, d_gain, d_offset, d_u, flat.sum().view(1), None, None, None


class _Work:
    """The tiles of a layer over pairs, what goes into them and what their gradient does to the two sides."""

    def __init__(
        self,
        left: torch.Tensor,
        right: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        is_product: bool,
        product: torch.dtype,
    ) -> None:
        self.left, self.right, self.weight, self.bias = left, right, weight, bias.to(product)
        self.is_product, self.product = is_product, product

    def tiles(self) -> Iterator[slice]:
        size = max(1, _TILE // max(1, len(self.right) * max(self.weight.shape)))
        for start in range(0, len(self.left) if len(self.right) else 0, size):
            yield slice(start, min(start + size, len(self.left)))

    def span(self, rows: slice) -> slice:
        """The pairs of a tile's image rows."""
        return slice(rows.start * len(self.right), rows.stop * len(self.right))

    def inputs(self, rows: slice) -> torch.Tensor:
        left, right = self.left[rows, None, :], self.right[None, :, :]
        made = left * right if self.is_product else (left + right).relu_()
        return made.flatten(0, 1).to(self.product)

    def hidden(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.addmm(self.bias, inputs, self.weight.T)

    def spread(
        self, change: torch.Tensor, inputs: torch.Tensor, rows: slice, d_left: torch.Tensor, d_right: torch.Tensor
    ) -> None:
        """Adds the gradient of a tile's inputs to those of the two sides."""
        if self.is_product:
            change = change.view(-1, len(self.right), change.shape[1])
            d_left[rows] = (change * self.right).sum(dim=1)
            d_right += (change * self.left[rows, None, :]).sum(dim=0)
        else:
            change = change.mul_(inputs > 0).view(-1, len(self.right), change.shape[1])
            d_left[rows] = change.sum(dim=1)
            d_right += change.sum(dim=0)


def _normal(
    hidden: torch.Tensor,
    mean: torch.Tensor,
    scale: torch.Tensor | None,
    gain: torch.Tensor | None,
    offset: torch.Tensor | None,
    kind: torch.dtype,
) -> torch.Tensor:
    """A copy of the layer's output as it goes into the ReLU."""
    if scale is None or gain is None or offset is None:
        return hidden.to(kind, copy=True)
    factor = scale * gain
    return torch.addcmul(offset - mean * factor, hidden.to(kind), factor)
