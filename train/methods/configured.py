"""What most methods share: settings of one dataclass, and the choice by mAP on val."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from drsl.evaluate import average_precision_of_blocks
from drsl.features.store import Features
from drsl.train.methods.base import Method
from drsl.train.score import score_blocks
from drsl.train.settings import make_settings, plain_settings
from drsl.train.side import rows_of

__all__ = ["ConfiguredMethod"]


class ConfiguredMethod(Method):
    """A method whose settings are the fields of `config_type`.

    Args:
        settings: any field of `config_type`; the others have their defaults.

    Raises:
        SettingError: a setting is unknown or out of range.
    """

    config_type: ClassVar[type]

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.config = self._configure(settings)
        self.settings = plain_settings(self.config)

    def _configure(self, settings: dict[str, Any]) -> Any:
        return make_settings(self.config_type, settings)

    def _val_map(
        self, image: Features, text: Features, blocks: Iterable[tuple[int, np.ndarray]] | None = None
    ) -> float:
        """The mean of both directions' mAP@ALL on val, as fitted so far; NaN when no query has a relevant item.

        `blocks` are the scores of val, where they are known already: first image and scores (b, n_t) of each.
        """
        sides = [(features, rows_of(features, "val")) for features in (image, text)]
        labels = [features.label[rows] for features, rows in sides]
        if not np.isin(*labels).any():
            return float("nan")
        if blocks is None:
            left, right = (features.feature.take(rows, axis=0) for features, rows in sides)
            blocks = score_blocks(self, left, right)
        held = list(blocks)
        both = average_precision_of_blocks(lambda: held, *labels, name=self.name)
        return float(np.mean([np.nanmean(each) for each in both]))
