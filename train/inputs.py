"""What is done to features before a network sees them; worked out on the train split alone."""

from __future__ import annotations

import torch
from torch import nn

from drsl.features.errors import choose

__all__ = ["INPUTS", "Standardize", "UnitNorm", "make_inputs", "total_variance"]

INPUTS = ("raw", "standard", "unit")
"""As they are; mean 0 and deviation 1 on train, column by column; rows of length 1."""


class Standardize(nn.Module):
    """Subtracts the train split's mean and divides by its deviation; columns that are constant on train become 0.

    Args:
        width: of the features; `fit` gives the numbers.
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    @torch.no_grad()
    def fit(self, feature: torch.Tensor, least: float = 0.0) -> None:
        """Takes mean and deviation from training features.

        Args:
            feature: (n, width), of the train split.
            least: columns count as constant whose deviation is a smaller share than this of all columns' mean one; for
                codes of a network, where a unit that hardly ever speaks would be blown up, and rounding with it.
        """
        self.mean.copy_(feature.mean(dim=0))
        deviation = feature.std(dim=0, correction=0)
        # Rounding leaves a constant column a tiny deviation; dividing by it would blow rounding up.
        constant = deviation <= (1e-6 * self.mean.abs().clamp(min=1e-30)).clamp(min=least * deviation.mean())
        self.scale.copy_(torch.where(constant, torch.zeros_like(deviation), 1 / deviation))

    def forward(self, feature: torch.Tensor) -> torch.Tensor:
        """Standardised features.

        Args:
            feature: (n, width).

        Returns:
            (n, width).
        """
        return (feature - self.mean) * self.scale


class UnitNorm(nn.Module):
    """Gives each row length 1; rows of zeros stay."""

    def forward(self, feature: torch.Tensor) -> torch.Tensor:
        """Rows of length 1.

        Args:
            feature: (n, width).

        Returns:
            (n, width).
        """
        return nn.functional.normalize(feature, dim=1)


def make_inputs(kind: str, width: int) -> nn.Module:
    """The first module of a network; `fit` follows where it has one.

    Args:
        kind: one of `INPUTS`.
        width: of the features.

    Returns:
        A module from features (n, width) to (n, width).

    Raises:
        SettingError: the kind is unknown.
    """
    choose("inputs", kind, INPUTS)
    return Standardize(width) if kind == "standard" else UnitNorm() if kind == "unit" else nn.Identity()


@torch.no_grad()
def total_variance(feature: torch.Tensor) -> float:
    """What the best constant leaves of a reconstruction: errors divided by it compare across widths and scales.

    Args:
        feature: (n, width), as a network sees them.

    Returns:
        The sum of the columns' variances; positive.
    """
    return max(float(feature.var(dim=0, correction=0).sum()), 1e-30)
