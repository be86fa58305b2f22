"""DRSL itself: two FNNs and a relation network that scores every pair (Wang, Hu, Zhen, Peng 2020)."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch

from drsl.features.errors import UserError, require
from drsl.features.store import Features
from drsl.train.config import DrslConfig, drsl_config
from drsl.train.kernels import choose_backend
from drsl.train.loop import LOG_COLUMNS, train_drsl
from drsl.train.methods.base import Method, Progress
from drsl.train.model import DrslModel
from drsl.train.precision import faster_precision
from drsl.train.separation import separation_warnings
from drsl.train.settings import plain_settings

__all__ = ["DrslAdd", "DrslConcat", "DrslMul", "DrslSub"]

_ROWS = 4096
"""Items that go through a network at a time."""


class _Drsl(Method):
    """DRSL with one of the four fusions.

    Args:
        settings: `preset` (`paper` or `released`) and any field of `DrslConfig`.

    Raises:
        SettingError: a setting is unknown or out of range.
    """

    fusion: ClassVar[str]
    log_columns = LOG_COLUMNS

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        config = drsl_config(settings, self.fusion)
        require(config.fusion == self.fusion, f"fusion: {config.fusion} is not that of {self.name}: take its method")
        self._set(config)
        self.model: DrslModel | None = None
        self.device = "cpu"

    def _set(self, config: DrslConfig) -> None:
        self.config = config
        self.settings = plain_settings(config)

    def tune(self, image: Features, text: Features, *, device: str = "cpu", memory: Path | None = None) -> list[str]:
        """Settles the backend of the relation function, and the arithmetic of the matrix products by a measurement.

        Args:
            image: `feature` (n, d_i).
            text: `feature` (n', d_t).
            device: `cpu` or `cuda`.
            memory: JSON file of measurements on this machine; None forgets.

        Returns:
            What was settled and why, a line each.
        """
        lines = [f"relation function: {choose_backend(self.config.backend, device)}"]
        if self.config.precision == "auto":
            dims = image.feature.shape[1], text.feature.shape[1]
            precision, why = faster_precision(self.config, dims, device, memory)
            self._set(replace(self.config, precision=precision))
            lines.append(f"precision: {why}")
        return lines

    def fit(
        self, image: Features, text: Features, *, seed: int, device: str = "cpu", progress: Progress | None = None
    ) -> Self:
        """Trains the three networks with Adam on the train split; keeps the epoch that is best on val.

        Args:
            image: `feature` (n, d_i).
            text: `feature` (n', d_t).
            seed: of initial weights and order.
            device: `cpu` or `cuda`.
            progress: called with (steps done, steps in all, a word on the last epoch).

        Returns:
            The method itself; `log` has a row an epoch, and `warnings` a line when the scores do not separate.

        Raises:
            UserError: there is nothing to train on, or the loss is no longer finite.
        """
        self.tune(image, text, device=device)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed the GPUs too
            model = DrslModel(self.config, image.feature.shape[1], text.feature.shape[1])
        self.classes = len(image.classes)
        model.to(device)
        log = train_drsl(model, image, text, self.config, seed=seed, device=device, progress=progress)
        self.model, self.device = model, device
        self.log = [astuple(entry) for entry in log]
        standardise = [] if self.config.standardise else ["set standardise: true"]
        advice = ["raise epochs or learning_rate", *standardise, "take drsl-plus"]
        self.warnings = separation_warnings(self.name, LOG_COLUMNS, self.log, advice)
        return self

    def score(self, image_feature: np.ndarray, text_feature: np.ndarray) -> np.ndarray:
        """Relation scores of all pairs (equation 8), in blocks.

        Args:
            image_feature: (n_i, d_i) float32.
            text_feature: (n_t, d_t) float32.

        Returns:
            (n_i, n_t) float32.

        Raises:
            UserError: not fitted, or other widths.
        """
        return self.relate(self.represent("image", image_feature), self.represent("text", text_feature))

    @torch.no_grad()
    def represent(self, modality: str, feature: np.ndarray) -> torch.Tensor:
        """The representations z of equations 6 and 7.

        Args:
            modality: `image` or `text`.
            feature: (n, d) float32.

        Returns:
            (n, r) on the method's device, after ReLU.

        Raises:
            UserError: not fitted, or another width.
        """
        model = self._fitted().eval()
        self._check_width(modality, feature)
        fnn = model.image_fnn if modality == "image" else model.text_fnn
        found = torch.empty(len(feature), self.config.image_fnn[-1], device=self.device)
        for start in range(0, len(feature), _ROWS):
            rows = torch.from_numpy(np.array(feature[start : start + _ROWS], np.float32)).to(self.device)
            found[start : start + _ROWS] = fnn(rows)
        return found

    @torch.no_grad()
    def relate(self, images: torch.Tensor, texts: torch.Tensor) -> np.ndarray:
        """Relation scores of all pairs of representations (equation 8).

        Args:
            images: (n_i, r) from `represent`.
            texts: (n_t, r) from `represent`.

        Returns:
            (n_i, n_t) float32.

        Raises:
            UserError: not fitted.
        """
        scores: np.ndarray = self._fitted().eval().relation(images, texts).cpu().numpy()
        return scores

    @property
    def dims(self) -> tuple[int, int]:
        """Widths of the image and the text feature it was fitted on."""
        model = self._fitted()
        first = (model.image_fnn.layers[0], model.text_fnn.layers[0])
        return first[0].in_features, first[1].in_features  # type: ignore[return-value]

    def _arrays(self) -> dict[str, np.ndarray]:
        return {name: each.detach().cpu().numpy() for name, each in self._fitted().state_dict().items()}

    def _restore(self, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
        self.config = drsl_config(self.settings, self.fusion)
        with torch.random.fork_rng(devices=[]):  # the first weights are drawn, and thrown away
            model = DrslModel(self.config, *about["dims"])
        model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        self.model, self.device = model.eval(), "cpu"

    def _fitted(self) -> DrslModel:
        if self.model is None:
            raise UserError(f"{self.name} is not fitted yet: call fit or load first")
        return self.model


class DrslConcat(_Drsl):
    """DRSL-C: representations are concatenated."""

    name = "drsl-c"
    fusion = "concat"


class DrslMul(_Drsl):
    """DRSL-M: representations are multiplied."""

    name = "drsl-m"
    fusion = "mul"


class DrslAdd(_Drsl):
    """DRSL-A: representations are added."""

    name = "drsl-a"
    fusion = "add"


class DrslSub(_Drsl):
    """DRSL-S: the text's representation is subtracted from the image's."""

    name = "drsl-s"
    fusion = "sub"
