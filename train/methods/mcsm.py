"""MCSM: Peng et al., Modality-specific similarity measurement with recurrent attention network, IEEE TIP 27 (2018).

TIP: IEEE Transactions on Image Processing. Here on global features.

There is no common space, but one that each modality is at home in. With l(x) = x / |x|:

    image space:  u_i = l(A x_i),             u_t = l(B x_t);    s_u = u_i . u_t
    text space:   v_i = l(sigmoid(C x_i)),    v_t = l(D x_t);    s_v = v_i . v_t

Each space learns by max(0, 0.5 - s(p, p) + s(p, q)) for the texts of a batch as for its images, q a random item of the
batch of another class. A pair's score weighs each similarity by the other one, brought to 0..1 for the query:

    a mm(s_u) s_v + (1 - a) mm(s_v) s_u,    mm(s) = (s - least) / (largest - least).

Differs from the original: no recurrent attention, as there are no parts (`mcsm-full` has them); Adam and the best epoch
on val; `a` is chosen on val, not on test. mm is worked out for each direction (the original takes that of image queries
for both), the two scores are averaged as a pair has one score here, and least and largest are those of the query's
similarities to training items, limited to 0..1: so a pair's score does not depend on what else is searched. The
similarity that is weighed is brought from -1..1 to 0..1 too, or a larger weight would make what is unlike less unlike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from drsl.features.errors import require
from drsl.features.store import Features
from drsl.train.methods.network import Batch, NetworkConfig, NetworkMethod, TwoNetworks
from drsl.train.side import Side, rows_of

__all__ = ["Mcsm", "McsmConfig", "McsmNetworks", "Space", "hinge", "min_max", "of_another_class"]

_ROWS = 256
"""Items that are embedded at a time."""


@dataclass(frozen=True)
class McsmConfig(NetworkConfig):
    """Two spaces and their fusion."""

    batch: int = 40
    dim: int = 1024
    """width of each space"""
    margin: float = 0.5
    """by how much a pair shall be more similar than two items of different classes"""
    weight: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    """a: several values are candidates, of which each epoch takes the best on val"""
    references: int = 1000
    """training items of each side that say what a query's least and largest similarities are"""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.dim >= 1, f"dim: {self.dim} must be positive")
        require(self.margin > 0, f"margin: {self.margin} must be positive")
        fine = bool(self.weight) and all(0 <= each <= 1 for each in self.weight)
        require(fine, f"weight: {list(self.weight)} must be one or more numbers from 0 to 1")
        require(self.references >= 2, f"references: {self.references} must be 2 or more")


class Space(nn.Module):
    """Where one side is in both spaces.

    Args:
        image_space: features (n, d) to (n, dim).
        text_space: features (n, d) to (n, dim).
    """

    def __init__(self, image_space: nn.Module, text_space: nn.Module) -> None:
        super().__init__()
        self.image_space, self.text_space = image_space, text_space

    def forward(self, feature: torch.Tensor) -> torch.Tensor:
        """Both vectors, each of length 1.

        Args:
            feature: (n, d).

        Returns:
            (2, n, dim): in the image space, in the text space.
        """
        found = [self.image_space(feature), self.text_space(feature)]
        return functional.normalize(torch.stack(found), dim=2)


class McsmNetworks(TwoNetworks):
    """Both sides in both spaces, with the weight of the fusion and what queries are compared with.

    Args:
        config: the settings.
        dims: widths of the image and the text feature.
        image: the images' spaces.
        text: the texts' spaces.
    """

    weight: torch.Tensor
    references: torch.Tensor

    def __init__(self, config: McsmConfig, dims: tuple[int, int], image: Space, text: Space) -> None:
        super().__init__(config.inputs, dims, image, text)
        self.register_buffer("weight", torch.tensor(0.5))
        # By modality: of the other side, in both spaces.
        self.register_buffer("references", torch.zeros(2, 2, config.references, config.dim))

    def embed(self, modality: str, feature: torch.Tensor) -> torch.Tensor:
        """Both vectors, then the least and largest similarity in either space.

        Args:
            modality: `image` or `text`.
            feature: (n, d) as cached.

        Returns:
            (n, 2 dim + 4).
        """
        found = super().embed(modality, feature)
        similar = found @ self.references[int(modality == "text")].transpose(1, 2)
        ends = torch.stack([similar.amin(dim=2), similar.amax(dim=2)], dim=2)
        return torch.cat([*found, *ends], dim=1)


class Mcsm(NetworkMethod):
    """MCSM on global features."""

    name = "mcsm"
    config_type = McsmConfig
    cosine = False
    terms = ("image_space", "text_space")

    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        dim = self.config.dim
        image = Space(nn.Linear(dims[0], dim), nn.Sequential(nn.Linear(dims[0], dim), nn.Sigmoid()))
        return McsmNetworks(self.config, dims, image, Space(nn.Linear(dims[1], dim), nn.Linear(dims[1], dim)))

    def _losses(self, model: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        image = TwoNetworks.embed(model, "image", batch.image)
        text = TwoNetworks.embed(model, "text", batch.text)
        other = [of_another_class(batch.image_label) for _ in range(4)]
        found = [
            hinge(left, right, first, self.config.margin) + hinge(right, left, second, self.config.margin)
            for left, right, first, second in zip(image, text, other[:2], other[2:], strict=True)
        ]
        return dict(zip(self.terms, found, strict=True))

    def _settle(self, model: Any, train: tuple[Side, Side]) -> None:
        """Keeps training items, evenly spread, for queries of the other side to be compared with."""
        for place, (side, each) in enumerate((("text", train[1]), ("image", train[0]))):
            places = torch.arange(self.config.references) * len(each) // self.config.references
            embedded = [
                TwoNetworks.embed(model, side, each.feature(some.to(self.device))) for some in places.split(_ROWS)
            ]
            model.references[place] = torch.cat(embedded, dim=1)

    def _val_map(
        self, image: Features, text: Features, blocks: Iterable[tuple[int, np.ndarray]] | None = None
    ) -> float:
        """The best mean mAP on val of the candidates for the fusion's weight, which the model takes."""
        if blocks is not None:
            return super()._val_map(image, text, blocks)
        sides = [
            self.represent(side, each.feature.take(rows_of(each, "val"), axis=0))
            for side, each in (("image", image), ("text", text))
        ]
        model: Any = self._fitted()
        found = []
        for weight in self.config.weight:
            model.weight.fill_(weight)
            found.append(super()._val_map(image, text, [(0, self.relate(*sides))]))
        best = int(np.argmax(found))
        model.weight.fill_(self.config.weight[best])
        return found[best]

    def relate(self, images: np.ndarray, texts: np.ndarray) -> np.ndarray:
        """Scores all pairs of represented items.

        Args:
            images: (n_i, 2 dim + 4) from `represent`.
            texts: (n_t, 2 dim + 4) from `represent`.

        Returns:
            (n_i, n_t) float32; higher is more similar.
        """
        dim, weight = self.config.dim, np.float32(self._weight())
        similar = [images[:, part] @ texts[:, part].T for part in (slice(dim), slice(dim, 2 * dim))]
        mean = []
        for each, least in zip(similar, (2 * dim, 2 * dim + 2), strict=True):
            of_image = min_max(each, images[:, least, None], images[:, least + 1, None])
            mean.append((of_image + min_max(each, texts[:, least], texts[:, least + 1])) / 2)
        found: np.ndarray = weight * mean[0] * (similar[1] + 1) / 2 + (1 - weight) * mean[1] * (similar[0] + 1) / 2
        return found

    def _weight(self) -> float:
        model: Any = self._fitted()
        return float(model.weight)


def hinge(query: torch.Tensor, other: torch.Tensor, wrong: torch.Tensor, margin: float) -> torch.Tensor:
    """How far each pair falls short of being more similar than the query and an item of another class.

    Args:
        query: (b, k) unit vectors.
        other: (b, k) unit vectors of the other side; place p of both is one pair.
        wrong: (b,) positions of an item of another class for each query; -1 where there is none.
        margin: by how much.

    Returns:
        The mean over the batch; a query without an item of another class has no share.
    """
    short = margin - (query * other).sum(dim=1) + (query * other[wrong]).sum(dim=1)
    return (short.clamp(min=0) * (wrong >= 0)).mean()


def min_max(similar: np.ndarray, least: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Similarities between a query's least and largest one, from 0 to 1.

    Args:
        similar: (n_i, n_t).
        least: of each query, of a shape that fits.
        largest: of each query, of a shape that fits.

    Returns:
        (n_i, n_t); where least and largest are one, there is nothing to tell apart.
    """
    found: np.ndarray = np.clip((similar - least) / np.maximum(largest - least, 1e-6), 0, 1)
    return found


def of_another_class(label: torch.Tensor) -> torch.Tensor:
    """A random item of another class for each item of a batch, drawn from torch's own generator.

    Args:
        label: (b,) int64.

    Returns:
        (b,) positions on the label's device; -1 where all are of one class.
    """
    chance = torch.rand(len(label), len(label)).to(label.device)
    best = chance.masked_fill(label[:, None] == label, -1.0).max(dim=1)
    return torch.where(best.values < 0, -1, best.indices)
