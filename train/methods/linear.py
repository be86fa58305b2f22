"""Methods with a closed form: one projection a modality. The candidates of their settings are judged on val."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from drsl.features.errors import UserError, require
from drsl.features.store import Features
from drsl.train.methods.base import Progress
from drsl.train.methods.common_space import CommonSpace, unit_rows
from drsl.train.settings import plain_settings

__all__ = ["LinearConfig", "LinearMethod", "Solution", "SolvedMethod", "require_candidates"]

_BLOCK = 512
"""Images whose scores with all texts of val are worked out at a time."""


@dataclass(frozen=True)
class LinearConfig:
    """What all of them have: how many directions, and their weight. Several values are candidates for val."""

    components: tuple[int, ...] = (10, 20, 50, 100, 200, 300)
    """numbers of directions that are kept"""
    power: tuple[float, ...] = (0.0,)
    """a direction is weighted by its strength (correlation, root of eigenvalue) to this power"""

    def __post_init__(self) -> None:
        require_candidates(self.components, "components", 1)
        require_candidates(self.power, "power", 0)


@dataclass(frozen=True)
class Solution:
    """The directions that one choice of the other settings gives, strongest first."""

    chosen: dict[str, float]
    """the values of the settings that have candidates, but for `components` and `power`"""
    image: np.ndarray
    """(d_i, k)"""
    text: np.ndarray
    """(d_t, k)"""
    strength: np.ndarray
    """(k,) weights, 0 or more"""


class SolvedMethod(CommonSpace):
    """A method that is fitted by solving, not by steps; what it learns is named arrays."""

    stochastic = False

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.arrays: dict[str, np.ndarray] = {}

    def _arrays(self) -> dict[str, np.ndarray]:
        if not self.arrays:
            raise UserError(f"{self.name} is not fitted yet: call fit or load first")
        return self.arrays


class LinearMethod(SolvedMethod):
    """A subclass solves for directions; centring with the train means, selection and files are here."""

    config_type: ClassVar[type] = LinearConfig
    candidates: ClassVar[tuple[str, ...]] = ()
    """settings with candidates that `_solutions` goes through"""
    weighting: ClassVar[tuple[str, ...]] = ("components", "power")
    """settings with candidates that choose among a solution's directions; empty where all are taken as they are"""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Names the columns of the log: a row a candidate."""
        super().__init_subclass__(**kwargs)
        cls.log_columns = ("candidate", *cls.candidates, *cls.weighting, "val_map")

    @abstractmethod
    def _solutions(self, image: Features, text: Features) -> Iterator[tuple[np.ndarray, np.ndarray, Solution]]:
        """Train means (d_i,) and (d_t,), and directions, for each choice of the settings named in `candidates`."""

    def fit(
        self, image: Features, text: Features, *, seed: int = 0, device: str = "cpu", progress: Progress | None = None
    ) -> Self:
        """Solves on the train split for each candidate; keeps the one that is best on val, the first of equals.

        Args:
            image: `feature` (n, d_i).
            text: `feature` (n', d_t).
            seed: nothing is random here.
            device: nothing runs on a GPU here.
            progress: called with (candidates done, candidates in all, the last one's val mAP).

        Returns:
            The method itself; `settings` has the chosen values alone, `log` a row a candidate.

        Raises:
            UserError: the items cannot be learned from.
        """
        with self._undone_on_failure():
            self._select(image, text, progress)
        return self

    def _select(self, image: Features, text: Features, progress: Progress | None) -> None:
        self.log, self.classes = [], len(image.classes)
        best = -math.inf
        kept: tuple[dict[str, np.ndarray], dict[str, float]] | None = None
        keys = (*self.candidates, *self.weighting)
        total = math.prod(len(getattr(self.config, key)) for key in keys)
        for image_mean, text_mean, solution in self._solutions(image, text):
            self.arrays = self._found(image, text, image_mean, text_mean, solution)
            judge = self._judge(image, text)
            for chosen, count, weight in self._weightings(solution):
                value = judge(count, weight)
                self.log.append((len(self.log) + 1, *(chosen[key] for key in keys), value))
                if kept is None or value > best:
                    best, kept = value, (self._kept(count, weight), chosen)
                if progress:
                    progress(min(len(self.log), total), total, f"val mAP {value:.3f}")
        if kept is None:
            raise UserError(f"{self.name} found no direction in the features: they are constant on the train split")
        self.arrays, chosen = kept
        self.config = replace(self.config, **{key: (chosen[key],) for key in chosen})
        self.settings = plain_settings(self.config)
        if progress:  # fewer directions than asked for are fewer candidates
            progress(total, total, f"val mAP {best:.3f}")

    def _found(
        self, image: Features, text: Features, image_mean: np.ndarray, text_mean: np.ndarray, solution: Solution
    ) -> dict[str, np.ndarray]:
        """What is learned when all directions of a solution are kept, with equal weights."""
        found = {
            "image_mean": image_mean,
            "text_mean": text_mean,
            "image_projection": solution.image,
            "text_projection": solution.text,
        }
        return {key: np.ascontiguousarray(each, np.float32) for key, each in found.items()}

    def _kept(self, count: int, weight: np.ndarray) -> dict[str, np.ndarray]:
        """What is learned when the first directions are kept, with weights (count,)."""
        kept = dict(self.arrays)
        for key in ("image_projection", "text_projection"):
            kept[key] = np.ascontiguousarray(kept[key][:, :count] * weight, np.float32)
        return kept

    def _judge(self, image: Features, text: Features) -> Callable[[int, np.ndarray], float]:
        """A function from a number of directions and their weights to the mAP on val; items are projected once."""
        sides = [(modality, each.select("val").feature) for modality, each in (("image", image), ("text", text))]
        left, right = (self._embed(modality, feature) for modality, feature in sides)

        def judge(count: int, weight: np.ndarray) -> float:
            images, texts = (unit_rows(each[:, :count] * weight) for each in (left, right))
            starts = range(0, len(images), _BLOCK)
            return self._val_map(image, text, ((start, images[start : start + _BLOCK] @ texts.T) for start in starts))

        return judge

    def _weightings(self, solution: Solution) -> Iterator[tuple[dict[str, float], int, np.ndarray]]:
        """The candidates of number and weight of the directions; numbers beyond those found are one candidate."""
        found = solution.image.shape[1]
        if not self.weighting:
            yield solution.chosen, found, np.ones(found)
            return
        for count in dict.fromkeys(min(each, found) for each in self.config.components):
            for power in self.config.power:
                weight = np.maximum(solution.strength[:count], 0) ** power
                yield {**solution.chosen, "components": count, "power": power}, count, weight

    def _embed(self, modality: str, feature: np.ndarray) -> np.ndarray:
        mean, projection = (self.arrays[f"{modality}_{part}"] for part in ("mean", "projection"))
        found: np.ndarray = (np.asarray(feature, np.float32) - mean) @ projection
        return found

    @property
    def dims(self) -> tuple[int, int]:
        """Widths of the image and the text feature it was fitted on."""
        arrays = self._arrays()
        return len(arrays["image_mean"]), len(arrays["text_mean"])

    def _restore(self, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
        self.config = self._configure(self.settings)
        widths = {f"{side}_{part}" for side in ("image", "text") for part in ("mean", "projection")}
        if arrays.keys() != widths or any(
            arrays[f"{side}_mean"].shape != (dim,) or arrays[f"{side}_projection"].shape[:1] != (dim,)
            for side, dim in zip(("image", "text"), about["dims"], strict=True)
        ):
            raise ValueError("means and projections do not fit together")
        self.arrays = arrays


def require_candidates(values: tuple[float, ...], key: str, least: float) -> None:
    """Checks a list of candidates.

    Args:
        values: the candidates.
        key: the setting's name.
        least: the smallest allowed value.

    Raises:
        SettingError: there is none, one is below `least` or not finite.
    """
    fine = bool(values) and all(least <= each < math.inf for each in values)
    require(fine, f"{key}: {list(values)} must be one or more numbers of at least {least}")
