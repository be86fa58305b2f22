"""CCL with parts: Peng et al., Cross-modal correlation learning with multigrained fusion, IEEE TMM 20 (2018).

As `ccl`, with two grains: the whole item, and its parts (image patches; sentences). Level 1 has a second autoencoder a
side, that of parts; an item's code of that grain is the mean over the parts it has. Each grain has its correspondence,
and a further autoencoder a side fuses both grains' codes, [whole; part], before the classifier.

Differs from the original in what `ccl` does, and: patches are a grid of crops with the whole picture among them, not
the outcome of selective search; an autoencoder fuses the grains in place of a joint Boltzmann machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from drsl.features.errors import require
from drsl.train.methods.ccl import Ccl, CclConfig, View
from drsl.train.methods.joined import JoinedMethod, Taken
from drsl.train.methods.network import TwoNetworks
from drsl.train.methods.stages import Autoencoder, Stages
from drsl.train.side import Side

__all__ = ["CclMulti", "CclMultiConfig", "MultiView", "mean_of_parts"]


@dataclass(frozen=True)
class CclMultiConfig(CclConfig):
    """Two levels, two grains."""

    fused: int = 2048
    """width of the code that fuses both grains"""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.fused >= 1, f"fused: {self.fused} must be positive")


class MultiView(View):
    """What one side's features and parts go through, in the order of the stages.

    Args:
        config: the settings.
        dims: widths of the feature and of a part.
        widths: of the autoencoders.
        classes: K.
    """

    def __init__(self, config: CclMultiConfig, dims: tuple[int, int], widths: tuple[int, ...], classes: int) -> None:
        super().__init__(config, dims[0], widths, classes, config.fused)
        self.part = Autoencoder([dims[1], *widths])
        self.part_correspondence = Autoencoder([widths[-1], config.code], nn.Sigmoid())
        self.fused = Autoencoder([2 * config.code, config.fused])

    def code(self, feature: Any) -> torch.Tensor:
        """The code of level 1 before the classifier.

        Args:
            feature: features and parts, taken apart.

        Returns:
            (n, fused).
        """
        whole = self.correspondence(self.whole(feature.whole))
        part = self.part_correspondence(mean_of_parts(self.part, feature))
        found: torch.Tensor = self.fused(torch.cat([whole, part], dim=1))
        return found


class CclMulti(JoinedMethod, Ccl):
    """CCL on whole items and their parts."""

    name = "ccl-multi"
    config_type = CclMultiConfig
    parts = {"image": "patches", "text": "sentences"}  # noqa: RUF012
    alike = True
    terms = Ccl.terms

    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        config = self.config
        assert self.layouts is not None
        views = [
            MultiView(config, (layout.feature, layout.width), widths, classes)
            for layout, widths in zip(self.layouts, (config.image_layers, config.text_layers), strict=True)
        ]
        return self._joined(TwoNetworks(config.inputs, dims, *views))

    def _grains(self, stages: Stages, model: Any, side: str, train: Side) -> list[torch.Tensor]:
        view, inputs = getattr(model, side), model.inputs[side]

        def taken(places: torch.Tensor) -> Taken:
            found: Taken = inputs(train.feature(places))
            return found

        whole, features = view.whole, train.whole()
        codes = stages.autoencode(whole, lambda places: inputs.whole(features[places]), f"{side} autoencoder")
        part = view.part

        def error(places: torch.Tensor) -> torch.Tensor:
            items = taken(places)
            found: torch.Tensor = part.error(items.part[items.mask])
            return found

        stages.train(part, error, f"{side} parts' autoencoder")
        return [codes, stages.codes(lambda places: mean_of_parts(part, taken(places)))]

    def _fused(
        self, stages: Stages, model: Any, image: list[torch.Tensor], text: list[torch.Tensor]
    ) -> list[torch.Tensor]:
        grains = [
            self._correspond(stages, getattr(model.image, name), getattr(model.text, name), *codes)
            for name, codes in zip(
                ("correspondence", "part_correspondence"), zip(image, text, strict=True), strict=True
            )
        ]
        both = [torch.cat(each, dim=1) for each in zip(*grains, strict=True)]
        return [
            stages.autoencode(view.fused, code.__getitem__, "fusion of grains")
            for view, code in zip((model.image, model.text), both, strict=True)
        ]


def mean_of_parts(part: nn.Module, taken: Taken) -> torch.Tensor:
    """An item's code as the mean over the parts it has.

    Args:
        part: makes a code (b, k) of parts (b, d).
        taken: features and parts; each item has a part or more.

    Returns:
        (n, k).
    """
    mask = taken.mask
    code = part(taken.part[mask])
    total = code.new_zeros(len(mask), code.shape[1])
    item = torch.arange(len(mask), device=code.device).repeat_interleave(mask.sum(dim=1))
    return total.index_add(0, item, code) / mask.sum(dim=1, keepdim=True).clamp(min=1)
