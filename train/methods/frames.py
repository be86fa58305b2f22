"""Fixed class directions, and what losses on unit vectors share: lengths of rows and the contrast of couples."""

from __future__ import annotations

import torch
from torch import nn

from drsl.features.errors import require

__all__ = ["couple_contrast", "orthonormal_frame", "row_lengths"]


def orthonormal_frame(space: int, classes: int) -> torch.Tensor:
    """One direction a class, all at right angles: columns of a random orthogonal matrix, from torch's generator.

    Args:
        space: width L of the common space.
        classes: K, at most L.

    Returns:
        (L, K) with orthonormal columns.

    Raises:
        SettingError: there are more classes than dimensions.
    """
    require(classes <= space, f"space: {space} must be the number of classes, {classes}, or more")
    return nn.init.orthogonal_(torch.empty(space, classes))


def row_lengths(rows: torch.Tensor, tiny: float = 1e-12) -> torch.Tensor:
    """Euclidean lengths; the root's gradient at a row of zeros is 0, not infinite.

    Args:
        rows: (n, L).
        tiny: added to the squared length.

    Returns:
        (n,).
    """
    return (rows.square().sum(dim=1) + tiny).sqrt()


def couple_contrast(image: torch.Tensor, text: torch.Tensor, temperature: float) -> torch.Tensor:
    """The contrastive loss of MRL's published code: each item shall find its couple among all others of both sides.

    With s(a, b) = a.b / temperature over all 2n vectors together, twice the mean over a of
    log sum_{b != a} exp s(a, b) - s(a, couple of a). Twice, as the code adds the loss by rows and by columns, which
    are one number: s is symmetric. (The paper's sum has s(a, a) too; the code takes it out.)

    Args:
        image: (n, L) unit vectors.
        text: (n, L) unit vectors; row p of both is one item.
        temperature: positive.

    Returns:
        A number.
    """
    both = torch.cat([image, text])
    scores = both @ both.T / temperature
    itself = torch.eye(len(both), dtype=torch.bool, device=both.device)
    others = scores.masked_fill(itself, -torch.inf).logsumexp(dim=1)
    couple = (image * text).sum(dim=1).repeat(2) / temperature
    return 2 * (others - couple).mean()
