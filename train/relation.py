"""The relation network k(g(z_image, z_text)) of equation 5, for all pairs of a block of images and texts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import nn

from drsl.features.errors import choose
from drsl.train.config import BACKENDS, FUSIONS
from drsl.train.fusion import first_layer, fused_width
from drsl.train.kernels import choose_backend, relation_function
from drsl.train.kernels.deep import pair_layers
from drsl.train.kernels.pairs import pair_layer

__all__ = ["RelationNetwork"]


class RelationNetwork(nn.Module):
    """Scores every pair of an image and a text: Linear, ReLU, Linear, with a linear unit at the end.

    Args:
        dim: width of the representations.
        hidden: width of the hidden layer, or widths of several.
        fusion: `concat`, `mul`, `add` or `sub`.
        batch_norm: normalise before each ReLU, over all pairs.
        backend: how the relation function is worked out; `auto` chooses.

    Raises:
        SettingError: the fusion or the backend is unknown.
    """

    def __init__(
        self,
        dim: int = 300,
        hidden: int | Sequence[int] = 1024,
        fusion: str = "concat",
        *,
        batch_norm: bool = False,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        widths = (hidden,) if isinstance(hidden, int) else tuple(hidden)
        self.dim = dim
        self.fusion = choose("fusion", fusion, FUSIONS)
        self.backend = choose("backend", backend, BACKENDS)
        self.first = nn.Linear(fused_width(fusion, dim), widths[0])
        self.middle = nn.ModuleList(nn.Linear(before, after) for before, after in itertools.pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in widths if batch_norm)
        self.last = nn.Linear(widths[-1], 1)

    def forward(self, z_image: torch.Tensor, z_text: torch.Tensor, precision: str = "float32") -> torch.Tensor:
        """Relation scores of all pairs.

        Args:
            z_image: (n_i, dim), after ReLU.
            z_text: (n_t, dim), after ReLU.
            precision: `float32` or `bfloat16`, of the matrix products over pairs where there are any (the `mul` fusion,
                a second hidden layer).

        Returns:
            R (n_i, n_t), unbounded; higher is more related.
        """
        u, d = self.last.weight[0], self.last.bias
        if self.fusion != "mul" and len(self.middle) < 2:
            a, b = self._first(z_image, z_text)
            if self.norms:
                a, b = self._normalize(a, b)
            if not self.middle:
                return relation_function(a, b, u, d, self.backend)
            return self._last_hidden(a, b, "sum", precision)
        if self.fusion == "mul" and not self.middle:
            return self._last_hidden(z_image, z_text, "product", precision)
        return self._deep(z_image, z_text)

    def _first(self, z_image: torch.Tensor, z_text: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The first layer's two parts, (n_i, h) and (n_t, h), of a fusion other than `mul`."""
        compiled = choose_backend(self.backend, z_image.device.type) == "numba"
        return first_layer(self.fusion, z_image, z_text, self.first.weight, self.first.bias, compiled)

    def _last_hidden(self, left: torch.Tensor, right: torch.Tensor, kind: str, precision: str) -> torch.Tensor:
        """The last hidden layer over all pairs, tile by tile, with its batch norm."""
        linear = [self.first, *self.middle][-1]
        weight, bias, u, d = linear.weight, linear.bias, self.last.weight[0], self.last.bias
        if not self.norms:
            return pair_layer(left, right, kind, weight, bias, u, d, precision=precision)[0]
        norm, pairs = self.norms[-1], len(left) * len(right)
        assert isinstance(norm, nn.BatchNorm1d)
        if self.training and pairs:
            _require_pairs(pairs)
            batch = norm.weight, norm.bias, norm.eps
            scores, mean, variance = pair_layer(left, right, kind, weight, bias, u, d, batch, precision)
            _track(norm, mean, variance, pairs)
            return scores
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)  # a fixed norm is part of the linear layer
        weight, bias = scale[:, None] * weight, (bias - norm.running_mean) * scale + norm.bias
        return pair_layer(left, right, kind, weight, bias, u, d, precision=precision)[0]

    def _deep(self, z_image: torch.Tensor, z_text: torch.Tensor) -> torch.Tensor:
        """Several hidden layers over all pairs."""
        layers = [each for each in self.middle if isinstance(each, nn.Linear)]
        norms = [each for each in self.norms if isinstance(each, nn.BatchNorm1d)]
        left, right, kind = z_image, z_text, "product"
        if self.fusion == "mul":
            layers.insert(0, self.first)
        else:
            left, right = self._first(z_image, z_text)
            kind = "sum"
            if norms:
                left, right = self._normalize(left, right)
                norms = norms[1:]
        pairs = len(left) * len(right)
        if not (self.training and norms and pairs):
            return pair_layers(left, right, kind, layers, norms, self.last)
        _require_pairs(pairs)

        def track(place: int, mean: torch.Tensor, variance: torch.Tensor) -> None:
            _track(norms[place], mean, variance, pairs)

        return pair_layers(left, right, kind, layers, norms, self.last, track)

    def _normalize(self, a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Batch norm of a[p] + b[q] over all pairs, in closed form: mean(a) + mean(b) and var(a) + var(b)."""
        norm = self.norms[0]
        assert isinstance(norm, nn.BatchNorm1d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        pairs = len(a) * len(b)
        if self.training and pairs:
            _require_pairs(pairs)
            mean_a, mean_b = a.mean(dim=0), b.mean(dim=0)
            variance = a.var(dim=0, correction=0) + b.var(dim=0, correction=0)
            _track(norm, mean_a + mean_b, variance, pairs)
        else:
            mean_a, mean_b, variance = norm.running_mean, torch.zeros_like(norm.running_mean), norm.running_var
        scale = norm.weight * torch.rsqrt(variance + norm.eps)
        return (a - mean_a) * scale + norm.bias, (b - mean_b) * scale


def _require_pairs(pairs: int) -> None:
    if pairs == 1:
        raise ValueError("batch norm needs more than one pair in training mode")


@torch.no_grad()
def _track(norm: nn.BatchNorm1d, mean: torch.Tensor, variance: torch.Tensor, pairs: int) -> None:
    """Takes a batch into the running statistics, as `BatchNorm1d` does with all pairs as its batch."""
    share = norm.momentum if norm.momentum is not None else 0.1
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.lerp_(mean, share)
    norm.running_var.lerp_(variance * pairs / (pairs - 1), share)
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked += 1
