"""What every method offers: fit, score, save, load. DRSL and each method it is compared with share it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from drsl.features.errors import DamagedFile, SettingError, UserError
from drsl.features.store import Features
from drsl.features.tensor_file import MODEL_FORMAT, read_tensors, write_tensors

__all__ = ["Method", "read_about"]

Progress = Callable[[int, int, str], None]


class Method(ABC):
    """Learns from cached features, and scores any image against any text.

    A subclass names itself, keeps its settings in `settings`, and gives its learned numbers as named arrays.
    """

    name: ClassVar[str]
    settings: dict[str, Any]
    log_columns: ClassVar[Sequence[str]] = ()
    stochastic: ClassVar[bool] = True
    """whether seeds matter; otherwise one run says all"""
    parts: ClassVar[Mapping[str, str]] = {}
    """modality to the kind of parts of items that its features are joined with (`join_parts`); empty for most"""

    def __init__(self) -> None:
        self.log: list[Sequence[float]] = []
        """rows of the training log, in the order of `log_columns`"""
        self.warnings: list[str] = []
        """what the last fit gives reason to doubt, and what may help, a line each"""
        self.provenance: dict[str, Any] = {}
        """what the method was fitted on; kept in its file"""
        self.classes = 0
        """number of classes of the features it was fitted on; kept in its file"""

    @abstractmethod
    def fit(
        self, image: Features, text: Features, *, seed: int, device: str = "cpu", progress: Progress | None = None
    ) -> Self:
        """Learns from the train split and selects on the val split; the test split is not looked at.

        Args:
            image: `feature` (n, d_i).
            text: `feature` (n', d_t); n' may differ from n.
            seed: equal seeds give equal results on one machine and thread count.
            device: `cpu` or `cuda`.
            progress: called with (steps done, steps in all, a word on the state).

        Returns:
            The method itself.

        Raises:
            UserError: the features cannot be learned from.
        """

    def tune(self, image: Features, text: Features, *, device: str = "cpu", memory: Path | None = None) -> list[str]:
        """Settles what depends on the machine, before `fit`; a method that has nothing to settle does nothing.

        Args:
            image: as `fit` takes it.
            text: as `fit` takes it.
            device: `cpu` or `cuda`.
            memory: JSON file of measurements on this machine, so that the next run settles the same; None forgets.

        Returns:
            What was settled and why, a line each.
        """
        return []

    @property
    def best_val_map(self) -> float:
        """The best mAP on val in the log; NaN when there was nothing to judge by."""
        column = self.log_columns.index("val_map")
        values = [row[column] for row in self.log if not math.isnan(row[column])]
        return max(values, default=math.nan)

    @abstractmethod
    def score(self, image_feature: np.ndarray, text_feature: np.ndarray) -> np.ndarray:
        """Scores all pairs.

        Args:
            image_feature: (n_i, d_i) float32.
            text_feature: (n_t, d_t) float32.

        Returns:
            (n_i, n_t) float32; higher is more similar.

        Raises:
            UserError: the method is not fitted, or was fitted on features of other widths.
        """

    def represent(self, modality: str, feature: np.ndarray) -> Any:
        """What a method needs to know of items of one side, worked out once for all their pairs.

        Args:
            modality: `image` or `text`.
            feature: (n, d) float32.

        Returns:
            What `relate` takes; here the features as they are.

        Raises:
            UserError: as `score`.
        """
        return feature

    def relate(self, images: Any, texts: Any) -> np.ndarray:
        """Scores all pairs of represented items; `relate` of two `represent` is `score`.

        Args:
            images: what `represent` gave for n_i images.
            texts: what `represent` gave for n_t texts.

        Returns:
            (n_i, n_t) float32; higher is more similar.

        Raises:
            UserError: as `score`.
        """
        return self.score(images, texts)

    @abstractmethod
    def _arrays(self) -> dict[str, np.ndarray]:
        """The learned numbers; raises UserError when there are none."""

    @abstractmethod
    def _restore(self, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
        """Takes learned numbers back; `about` has `dims`, the widths of the features, and the number of `classes`."""

    @property
    @abstractmethod
    def dims(self) -> tuple[int, int]:
        """Widths of the image and the text feature it was fitted on."""

    def save(self, path: Path) -> None:
        """Writes the fitted method; the same numbers give the same bytes.

        Args:
            path: the file's final name.

        Raises:
            UserError: the method is not fitted, or the file cannot be written.
        """
        arrays = self._arrays()
        about = {
            "method": self.name,
            "settings": self.settings,
            "dims": list(self.dims),
            "classes": self.classes,
            "provenance": self.provenance,
        }
        write_tensors(path, MODEL_FORMAT, arrays, about)

    def load(self, path: Path) -> Self:
        """Takes a fitted method from its file; the settings become those it was fitted with.

        Args:
            path: a file that `save` wrote.

        Returns:
            The method itself.

        Raises:
            UserError: the file is missing, damaged, or of another method.
        """
        repair = _repair(Path(path), self.name)
        arrays, about = read_tensors(Path(path), MODEL_FORMAT, repair)
        if about.get("method") != self.name:
            raise SettingError(f"{path} holds the method {about.get('method')}, not {self.name}: run `{repair}`")
        try:
            with self._undone_on_failure():
                self.settings = about["settings"]
                self.provenance = about["provenance"]
                self.classes = int(about["classes"])
                self._restore(arrays, about)
        except (LookupError, RuntimeError, TypeError, ValueError, UserError) as error:
            raise DamagedFile(f"{path} has not the numbers that its settings ask for: run `{repair}`") from error
        return self

    @contextmanager
    def _undone_on_failure(self) -> Iterator[None]:
        """Leaves the method as it was when the block fails."""
        before = self.__dict__.copy()
        try:
            yield
        except BaseException:
            self.__dict__ = before
            raise

    def _check_width(self, modality: str, feature: np.ndarray) -> None:
        width = self.dims[modality == "text"]
        if feature.ndim != 2 or feature.shape[1] != width:
            raise UserError(
                f"{self.name} was fitted on {width}-d {modality} features, not on {feature.shape}: fit it again"
            )


def read_about(path: Path) -> dict[str, Any]:
    """What a fitted method's file says of itself.

    Args:
        path: a file that `Method.save` wrote.

    Returns:
        `method`, `settings`, `dims`, `classes` and `provenance`.

    Raises:
        UserError: the file is missing or damaged.
    """
    repair = _repair(Path(path), "METHOD")
    about = read_tensors(Path(path), MODEL_FORMAT, repair)[1]
    if missing := {"method", "settings", "dims", "classes", "provenance"} - about.keys():
        raise DamagedFile(f"{path} does not say its {', '.join(sorted(missing))}: run `{repair}`")
    return about


def _repair(path: Path, name: str) -> str:
    return f"drsl fit -d {path.parent.parent.name} -m {name} -s {path.stem}"
