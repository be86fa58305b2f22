"""The reference of the benchmarks: DRSL written plainly from the paper's equations, as its published code has it."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["PlainRelation", "plain_twin"]


class PlainRelation(nn.Module):
    """Equations 4, 5 and 8: all pairs expanded and concatenated, then Linear, ReLU, Linear.

    Args:
        dim: width of a representation.
        hidden: widths of the hidden layers.
    """

    def __init__(self, dim: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((2 * dim, *hidden[:-1]), hidden, strict=True):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden[-1], 1))

    def forward(self, z_image: torch.Tensor, z_text: torch.Tensor) -> torch.Tensor:
        """Scores (n_i, n_t) of z_image (n_i, dim) against z_text (n_t, dim)."""
        n_i, n_t = len(z_image), len(z_text)
        image = z_image.unsqueeze(1).expand(n_i, n_t, -1)
        text = z_text.unsqueeze(0).expand(n_i, n_t, -1)
        return self.layers(torch.cat([image, text], dim=2)).squeeze(2)


def plain_twin(relation: nn.Module) -> PlainRelation:
    """The plain form of a `RelationNetwork` with concat fusion and without batch norm; same weights."""
    linears = [relation.first, *relation.middle, relation.last]
    twin = PlainRelation(relation.dim, tuple(each.out_features for each in linears[:-1]))
    for mine, theirs in zip([each for each in twin.layers if isinstance(each, nn.Linear)], linears, strict=True):
        mine.load_state_dict(theirs.state_dict())
    return twin
