"""MCSM with parts: Peng et al., Modality-specific cross-modal similarity measurement, IEEE TIP 27 (2018).

As `mcsm`, but each side is read part by part in its own space, by recurrent networks with attention. With g_1 .. g_s
the states of two layers of long short-term memory, brought to the width of the space, an item is

    l(sum_j w_j g_j),    w = softmax(e),    e_j = v . tanh(W g_j)  (W is left out for words).

Image space: g are the cells of the network's last pooling, in reading order, against l(B x_t). Text space: g come from
the text's words, three times convolved, normalised by batch and pooled, against l(sigmoid(C x_i)).

Differs from the original in what `mcsm` does, and: spaces of 1024 in place of 4096; convolutions keep the length, and a
pool is never longer than what is left, so that short texts can be read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from drsl.features.errors import require
from drsl.train.methods.joined import JoinedMethod, Taken, Whole
from drsl.train.methods.mcsm import Mcsm, McsmConfig, McsmNetworks, Space
from drsl.train.methods.network import TwoNetworks

__all__ = ["Attention", "McsmFull", "McsmFullConfig", "ReadCells", "ReadWords"]


@dataclass(frozen=True)
class McsmFullConfig(McsmConfig):
    """Two spaces, their fusion, and what reads cells and words."""

    cell_states: int = 512
    """width of the recurrent layers over an image's cells"""
    word_states: int = 256
    """width of the recurrent layers over a text"""
    maps: tuple[int, ...] = (384, 512, 256)
    """widths of the convolutions over words"""
    windows: tuple[int, ...] = (15, 9, 7)
    """words that each of them sees"""
    pools: tuple[int, ...] = (5, 5, 6)
    """by how much each shortens the text"""
    dropout: float = 0.5
    """between recurrent layers, and of what attention looks at"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("cell_states", "word_states"):
            require(getattr(self, key) >= 1, f"{key}: {getattr(self, key)} must be positive")
        same = len(self.maps) == len(self.windows) == len(self.pools) > 0
        require(same, f"maps, windows and pools: {self.maps}, {self.windows}, {self.pools} must be equally many")
        for key in ("maps", "windows", "pools"):
            require(min(getattr(self, key)) >= 1, f"{key}: {list(getattr(self, key))} must be positive")
        require(0 <= self.dropout < 1, f"dropout: {self.dropout} must be in [0, 1)")


class Attention(nn.Module):
    """A weighted mean over a sequence.

    Args:
        width: of its states.
        dropout: of what the weights are worked out from.
        mixed: whether states go through a matrix first.
    """

    def __init__(self, width: int, dropout: float, mixed: bool) -> None:
        super().__init__()
        self.mix = nn.Linear(width, width) if mixed else nn.Identity()
        self.drop = nn.Dropout(dropout)
        self.energy = nn.Linear(width, 1, bias=False)

    def weights(self, states: torch.Tensor) -> torch.Tensor:
        """How much each state counts.

        Args:
            states: (n, s, width).

        Returns:
            (n, s), of sum 1.
        """
        found: torch.Tensor = self.energy(self.drop(self.mix(states).tanh())).squeeze(2)
        return found.softmax(dim=1)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """The weighted mean.

        Args:
            states: (n, s, width).

        Returns:
            (n, width).
        """
        return torch.einsum("ns,nsk->nk", self.weights(states), states)


class ReadCells(nn.Module):
    """An image cell by cell.

    Args:
        config: the settings.
        width: of a cell.
    """

    def __init__(self, config: McsmFullConfig, width: int) -> None:
        super().__init__()
        self.states = nn.LSTM(width, config.cell_states, 2, batch_first=True, dropout=config.dropout)
        self.out = nn.Linear(config.cell_states, config.dim)
        self.attention = Attention(config.dim, config.dropout, mixed=True)

    def forward(self, taken: Taken) -> torch.Tensor:
        """Reads the cells.

        Args:
            taken: parts (n, p, width).

        Returns:
            (n, dim).
        """
        found: torch.Tensor = self.attention(self.out(self.states(taken.part)[0]))
        return found


class ReadWords(nn.Module):
    """A text by its words; padding is read too.

    Args:
        config: the settings.
        words: number and width of word vectors.
        vectors: them; None when they are to be loaded.
    """

    vectors: torch.Tensor

    def __init__(self, config: McsmFullConfig, words: tuple[int, int], vectors: np.ndarray | None) -> None:
        super().__init__()
        found = torch.zeros(words) if vectors is None else torch.from_numpy(vectors)
        self.register_buffer("vectors", found)
        self.pools = config.pools
        blocks, before = [], words[1]
        for maps, window in zip(config.maps, config.windows, strict=True):
            # Padded here, as padding="same" warns of even windows.
            pad = nn.ConstantPad1d(((window - 1) // 2, window // 2), 0.0)
            blocks.append(nn.Sequential(pad, nn.Conv1d(before, maps, window), nn.BatchNorm1d(maps), nn.ReLU()))
            before = maps
        self.blocks = nn.ModuleList(blocks)
        self.states = nn.LSTM(before, config.word_states, 2, batch_first=True, dropout=config.dropout)
        self.out = nn.Linear(config.word_states, config.dim)
        self.attention = Attention(config.dim, config.dropout, mixed=False)

    def forward(self, taken: Taken) -> torch.Tensor:
        """Reads the words.

        Args:
            taken: word ids (n, p).

        Returns:
            (n, dim).
        """
        rows = functional.embedding(taken.part, self.vectors).transpose(1, 2)
        for block, pool in zip(self.blocks, self.pools, strict=True):
            rows = block(rows)
            rows = functional.max_pool1d(rows, min(pool, rows.shape[2]), ceil_mode=True)
        found: torch.Tensor = self.attention(self.out(self.states(rows.transpose(1, 2))[0]))
        return found


class McsmFull(JoinedMethod, Mcsm):
    """MCSM on cells of images and words of texts."""

    name = "mcsm-full"
    config_type = McsmFullConfig
    parts = {"image": "grid", "text": "words"}  # noqa: RUF012
    terms = Mcsm.terms

    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        config = self.config
        assert self.layouts is not None
        cells, words = self.layouts
        image = Space(
            ReadCells(config, cells.width), nn.Sequential(Whole(), nn.Linear(cells.feature, config.dim), nn.Sigmoid())
        )
        text = Space(
            nn.Sequential(Whole(), nn.Linear(words.feature, config.dim)),
            ReadWords(config, (words.words, words.width), self.vectors),
        )
        return self._joined(McsmNetworks(config, dims, image, text))
