"""DRSL's trainable part: two FNNs and the relation network (figure 2 of the paper)."""

from __future__ import annotations

import torch
from torch import nn

from drsl.train.config import DrslConfig
from drsl.train.fnn import Fnn
from drsl.train.relation import RelationNetwork

__all__ = ["DrslModel"]


class DrslModel(nn.Module):
    """Cached features to relation scores.

    Args:
        config: widths, fusion, batch norm, and whether inputs are standardised.
        image_dim: width of the image feature.
        text_dim: width of the text feature.
    """

    def __init__(self, config: DrslConfig, image_dim: int, text_dim: int) -> None:
        super().__init__()
        self.image_fnn = Fnn(image_dim, config.image_fnn, config.fnn_batch_norm, config.standardise)
        self.text_fnn = Fnn(text_dim, config.text_fnn, config.fnn_batch_norm, config.standardise)
        self.relation = RelationNetwork(
            config.image_fnn[-1],
            config.relation,
            config.fusion,
            batch_norm=config.relation_batch_norm,
            backend=config.backend,
        )

    def forward(self, image: torch.Tensor, text: torch.Tensor, precision: str = "float32") -> torch.Tensor:
        """Relation scores of all pairs (equations 6 to 8).

        Args:
            image: (n_i, image_dim) features.
            text: (n_t, text_dim) features.
            precision: `float32` or `bfloat16`, of the FNNs' matrix products, and of those over pairs where the relation
                network has any; sums over hidden units are in float32 always.

        Returns:
            R (n_i, n_t).
        """
        with torch.autocast(image.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            z_image, z_text = self.image_fnn(image), self.text_fnn(text)
        return self.relation(z_image.to(image.dtype), z_text.to(text.dtype), precision)
