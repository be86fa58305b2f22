"""Several hidden layers that run over all pairs: tiles made again for the backward pass, batch norm by sums over tiles.

For relation networks with three hidden layers or more, or with two behind the `mul` fusion. A batch norm is folded into
the linear layer before it as soon as its moments are known; those take a pass over all tiles of their own, so memory
does not grow with the pairs, and a network of L such layers is run L times to its depth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear

__all__ = ["pair_layers"]

_TILE = 1 << 23
"""Outputs of hidden layers that one tile has: 32 MB in float32."""

Affine = tuple[torch.Tensor, torch.Tensor]
Moments = Callable[[int, torch.Tensor, torch.Tensor], None]


def pair_layers(
    left: torch.Tensor,
    right: torch.Tensor,
    kind: str,
    layers: Sequence[nn.Linear],
    norms: Sequence[nn.BatchNorm1d],
    last: nn.Linear,
    seen: Moments | None = None,
) -> torch.Tensor:
    """R[p, q] = d + u . relu(N_L(W_L ... relu(N_1(W_1 x + c_1)))), where x is as in `pair_layer`.

    Args:
        left: (n_i, k), the images' part.
        right: (n_t, k), the texts' part.
        kind: `sum` or `product`: how x is made.
        layers: the hidden layers over pairs, first to last.
        norms: a batch norm behind each of them, or none at all.
        last: the linear unit at the end.
        seen: takes place, mean (h,) and variance (h,) over all pairs of each norm's input; None takes the running
            statistics of the norms instead.

    Returns:
        R (n_i, n_t).
    """
    tiles = _Tiles(left, right, kind == "product", sum(each.out_features for each in layers))
    folded: list[Affine] = []
    for place, layer in enumerate(layers):
        weight: torch.Tensor = layer.weight
        bias: torch.Tensor = layer.bias
        if norms:
            norm = norms[place]
            if seen is None:
                assert norm.running_mean is not None
                assert norm.running_var is not None
                mean, variance = norm.running_mean, norm.running_var
            else:
                mean, variance = tiles.moments(folded, (weight, bias))
                seen(place, mean.detach(), variance.detach())
            scale = norm.weight * torch.rsqrt(variance + norm.eps)
            weight, bias = scale[:, None] * weight, (bias - mean) * scale + norm.bias
        folded.append((weight, bias))
    return tiles.scores(folded, (last.weight, last.bias))


class _Tiles:
    """All pairs, some images' at a time."""

    def __init__(self, left: torch.Tensor, right: torch.Tensor, is_product: bool, width: int) -> None:
        self.left, self.right, self.is_product = left, right, is_product
        self._rows = max(1, _TILE // max(1, len(right) * width))

    def scores(self, layers: Sequence[Affine], last: Affine) -> torch.Tensor:
        """(n_i, n_t): the layers, then the last unit."""

        def tile(rows: torch.Tensor, right: torch.Tensor, *flat: torch.Tensor) -> torch.Tensor:
            *before, end = _paired(flat)
            return linear(self._hidden(rows, right, before), *end).view(len(rows), len(right))

        return self._each(tile, False, [*layers, last])

    def moments(self, before: Sequence[Affine], layer: Affine) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean (h,) and variance (h,) of a layer's output over all pairs, with gradient."""
        with torch.no_grad():  # a value near the mean, taken away so that the squares do not cancel; it changes neither
            center = linear(self._hidden(self.left[: self._rows], self.right, before), *layer).mean(dim=0)

        def tile(rows: torch.Tensor, right: torch.Tensor, *flat: torch.Tensor) -> torch.Tensor:
            *earlier, end = _paired(flat)
            away = linear(self._hidden(rows, right, earlier), *end) - center
            return torch.stack([away.sum(dim=0), away.square().sum(dim=0)])

        mean, square = self._each(tile, True, [*before, layer]) / (len(self.left) * len(self.right))
        return mean + center, (square - mean.square()).clamp_min(0)

    def _hidden(self, rows: torch.Tensor, right: torch.Tensor, layers: Sequence[Affine]) -> torch.Tensor:
        """(rows n_t, h) after the ReLU of the last of the layers."""
        left, right = rows[:, None, :], right[None, :, :]
        hidden = (left * right if self.is_product else torch.relu(left + right)).flatten(0, 1)
        for layer in layers:
            hidden = torch.relu(linear(hidden, *layer))
        return hidden

    def _each(self, tile: _Tile, adds: bool, layers: Sequence[Affine]) -> torch.Tensor:
        flat = [each for layer in layers for each in layer]
        result: torch.Tensor = _Tiled.apply(tile, self._rows, adds, self.left, self.right, *flat)
        return result


_Tile = Callable[..., torch.Tensor]


class _Tiled(torch.autograd.Function):
    """A function of some images' rows and of what all share, tile by tile; put together or added up.

    torch.utils.checkpoint does the same for one tile, but of many tiles' gradients it holds more than one at a time.
    """

    @staticmethod
    def forward(ctx: Any, tile: _Tile, size: int, adds: bool, left, *shared) -> torch.Tensor:
        ctx.save_for_backward(left, *shared)
        ctx.about = tile, size, adds
        found = [tile(rows, *shared) for rows in left.split(size)]
        return torch.stack(found).sum(dim=0) if adds else torch.cat(found)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        tile, size, adds = ctx.about
        left, *shared = (each.detach().requires_grad_() for each in ctx.saved_tensors)
        d_left = torch.zeros_like(left)
        d_shared = [torch.zeros_like(each) for each in shared]
        for start in range(0, len(left), size):
            rows = left[start : start + size].detach().requires_grad_()
            with torch.enable_grad():
                found = tile(rows, *shared)
            upstream = gradient if adds else gradient[start : start + size]
            d_rows, *others = torch.autograd.grad(found, [rows, *shared], upstream)
            d_left[start : start + size] = d_rows
            for total, each in zip(d_shared, others, strict=True):
                total += each
        return None, None, None, d_left, *d_shared


def _paired(flat: Sequence[torch.Tensor]) -> list[Affine]:
    return list(zip(flat[::2], flat[1::2], strict=True))
