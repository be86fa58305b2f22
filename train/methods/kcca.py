"""Kernel canonical correlation analysis (KCCA).

Lai and Fyfe, Kernel and Nonlinear Canonical Correlation Analysis, International Journal of Neural Systems 2000;
Hardoon, Szedmak and Shawe-Taylor, Canonical Correlation Analysis: An Overview with Application to Learning Methods,
Neural Computation 2004.

CCA between the images of items in the space of a kernel. With centred kernel matrices K_v: the alpha_v of largest
alpha_iT K_i K_t alpha_t where alpha_vT (K_v^2 + kappa n K_v) alpha_v = 1. The kernel is
k(x, x') = exp(-gamma |x - x'|^2), 1 / gamma the median of |x - x'|^2 over the landmarks of a side.

Solved as ridge CCA on the map phi(x) = k(x, L) K_LL^-1/2 to the span of landmarks L: with all couples as landmarks
phi(x)T phi(x') is the kernel and the result exact; with a draw of them it is the approximation of Nystroem (Williams
and Seeger, NIPS 2000), and no matrix of couples by couples is made. scikit-learn's Nystroem is the same map but for a
rotation (the tests' oracle). It is written out here because landmarks are couples, the same for both sides, and because
the map goes into the projections, so that a file holds the landmarks and L numbers for each, not a second large matrix.

kappa here is in units of the trace of a side's covariance, so that one number serves both sides and any kernel: for a
kernel of values 0 to 1 it is near the original's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import scipy.linalg

from drsl.features.errors import choose, require
from drsl.features.manifest import SPLITS
from drsl.features.store import Features
from drsl.train.methods.base import Progress
from drsl.train.methods.cca import Cca, CcaConfig, canonical_directions
from drsl.train.methods.linear import Solution, SolvedMethod
from drsl.train.moments import training_moments
from drsl.train.settings import plain_settings
from drsl.train.side import couples

__all__ = ["Kcca", "KccaConfig", "KernelMap"]

_ROWS = 2048
"""Items whose kernel values are held at a time."""


@dataclass(frozen=True)
class KccaConfig(CcaConfig):
    """Kernel CCA."""

    ridge: tuple[float, ...] = (1e-3, 1e-2, 1e-1)
    """kappa: the ridge, in units of the trace of a side's covariance"""
    kernel: str = "rbf"
    """`rbf` or `linear`"""
    exact_up_to: int = 6000
    """couples; more of them are approximated"""
    landmarks: int = 2000
    """couples that stand for all where there are too many"""
    draw: int = 0
    """seed of the draw of landmarks; a setting, for `fit` is not random"""

    def __post_init__(self) -> None:
        super().__post_init__()
        choose("kernel", self.kernel, ("rbf", "linear"))
        for key in ("exact_up_to", "landmarks"):
            require(getattr(self, key) >= 1, f"{key}: {getattr(self, key)} must be at least 1")
        require(self.draw >= 0, f"draw: {self.draw} must be at least 0")


@dataclass(frozen=True)
class KernelMap:
    """phi(x) = k(x, L) M, to as many dimensions as there are columns in M.

    Args:
        landmarks: L, (m, d) features.
        gamma: of the kernel exp(-gamma |x - x'|^2); 0 stands for the linear kernel x x'T.
    """

    landmarks: np.ndarray
    gamma: float

    def kernel(self, feature: np.ndarray) -> np.ndarray:
        """Kernel values with the landmarks.

        Args:
            feature: (n, d).

        Returns:
            (n, m) float64.
        """
        feature, landmarks = np.asarray(feature, np.float64), np.asarray(self.landmarks, np.float64)
        if not self.gamma:
            linear: np.ndarray = feature @ landmarks.T
            return linear
        values = _distances(feature, landmarks)
        values *= -self.gamma
        return np.exp(values, out=values)

    def root(self) -> np.ndarray:
        """K_LL^-1/2, but for a rotation; landmarks that say nothing new give columns of zeros.

        Returns:
            (m, m) float64.
        """
        value, vector = scipy.linalg.eigh(self.kernel(self.landmarks), overwrite_a=True, check_finite=False)
        fine = value > 1e-10 * value[-1]
        vector *= np.where(fine, 1 / np.sqrt(np.where(fine, value, 1)), 0)
        found: np.ndarray = vector
        return found


class Kcca(SolvedMethod):
    """Kernel CCA, exact for up to `exact_up_to` couples; ridge, number of directions and weight are chosen on val.

    Args:
        settings: fields of `KccaConfig`.

    Raises:
        SettingError: a setting is unknown or out of range.
    """

    name = "kcca"
    config_type: ClassVar[type] = KccaConfig
    log_columns = Cca.log_columns

    def tune(self, image: Features, text: Features, *, device: str = "cpu", memory: Path | None = None) -> list[str]:
        """Settles nothing, and says whether `fit` will be exact.

        Args:
            image: as `fit` takes it.
            text: as `fit` takes it.
            device: not asked.
            memory: not asked.

        Returns:
            A line.
        """
        count, config = len(couples(image, text, "train")[0]), self.config
        if count <= config.exact_up_to:
            return [f"kcca: {count} couples are at most {config.exact_up_to}, so exact"]
        taken = min(count, config.landmarks)
        return [f"kcca: {count} couples are more than {config.exact_up_to}, so Nystroem with {taken} landmarks"]

    def fit(
        self, image: Features, text: Features, *, seed: int = 0, device: str = "cpu", progress: Progress | None = None
    ) -> Self:
        """Maps train and val items, and solves there for each candidate; keeps the one that is best on val.

        Args:
            image: `feature` (n, d_i).
            text: `feature` (n', d_t).
            seed: nothing is random here; the landmarks are drawn by the setting `draw`.
            device: nothing runs on a GPU here.
            progress: called with (candidates done, candidates in all, the last one's val mAP).

        Returns:
            The method itself; `settings` has the chosen values alone, `log` a row a candidate.

        Raises:
            UserError: there are fewer than two couples.
        """
        rows = couples(image, text, "train", self.name)
        places = self._places(len(rows[0]))
        maps = [
            _kernel_map(features.feature[each[places]], self.config.kernel)
            for features, each in zip((image, text), rows, strict=True)
        ]
        roots = [each.root() for each in maps]
        mapped = [_mapped(*each) for each in zip((image, text), maps, roots, strict=True)]
        inner = _MappedCca(**{key: getattr(self.config, key) for key in ("components", "power", "ridge")})
        inner.fit(mapped[0], mapped[1], progress=progress)
        arrays = {}
        for side, each, root in zip(("image", "text"), maps, roots, strict=True):
            projection = inner.arrays[f"{side}_projection"].astype(np.float64)
            arrays[f"{side}_gamma"] = np.array([each.gamma])
            arrays[f"{side}_landmarks"] = np.ascontiguousarray(each.landmarks, np.float32)
            arrays[f"{side}_offset"] = inner.arrays[f"{side}_mean"].astype(np.float64) @ projection
            arrays[f"{side}_projection"] = root @ projection
        self.arrays, self.log, self.classes = arrays, inner.log, inner.classes
        chosen = {key: getattr(inner.config, key) for key in ("components", "power", "ridge")}
        self.config = replace(self.config, **chosen)
        self.settings = plain_settings(self.config)
        return self

    def _places(self, count: int) -> np.ndarray:
        """Which couples are landmarks, ascending."""
        if count <= self.config.exact_up_to:
            return np.arange(count)
        draw = np.random.default_rng(self.config.draw)
        return np.sort(draw.choice(count, min(count, self.config.landmarks), replace=False))

    def _embed(self, modality: str, feature: np.ndarray) -> np.ndarray:
        gamma, landmarks, offset, projection = (
            self.arrays[f"{modality}_{part}"] for part in ("gamma", "landmarks", "offset", "projection")
        )
        found: np.ndarray = KernelMap(landmarks, float(gamma[0])).kernel(feature) @ projection - offset
        return found

    @property
    def dims(self) -> tuple[int, int]:
        """Widths of the image and the text feature it was fitted on."""
        arrays = self._arrays()
        return arrays["image_landmarks"].shape[1], arrays["text_landmarks"].shape[1]

    def _restore(self, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
        self.config = self._configure(self.settings)
        parts = {
            f"{side}_{part}" for side in ("image", "text") for part in ("gamma", "landmarks", "offset", "projection")
        }
        if arrays.keys() != parts:
            raise ValueError("these are not the arrays of kcca")
        for side, dim in zip(("image", "text"), about["dims"], strict=True):
            rows, kept = arrays[f"{side}_projection"].shape
            if (
                arrays[f"{side}_landmarks"].shape != (rows, dim)
                or arrays[f"{side}_offset"].shape != (kept,)
                or arrays[f"{side}_gamma"].shape != (1,)
            ):
                raise ValueError("landmarks and projections do not fit together")
        self.arrays = arrays


class _MappedCca(Cca):
    """Ridge CCA of mapped features; only the unit of the ridge differs."""

    name = "kcca"

    def _solutions(self, image: Features, text: Features) -> Iterator[tuple[np.ndarray, np.ndarray, Solution]]:
        moments = training_moments(image, text, method=self.name)
        width = len(moments.image.mean)
        for ridge in self.config.ridge:
            directions = canonical_directions(moments, ridge * width, max(self.config.components))
            yield moments.image.mean, moments.text.mean, Solution({"ridge": ridge}, *directions)


def _kernel_map(landmarks: np.ndarray, kernel: str) -> KernelMap:
    if kernel == "linear":
        return KernelMap(landmarks, 0.0)
    wide = landmarks.astype(np.float64)
    distance = _distances(wide, wide)[np.triu(np.ones((len(wide), len(wide)), bool), 1)]
    middle = float(np.median(distance)) if len(distance) else 0.0
    return KernelMap(landmarks, 1 / middle if middle > 0 else 1.0)


def _mapped(features: Features, kernel: KernelMap, root: np.ndarray) -> Features:
    """Train and val items on the map; test items are left out."""
    rows = np.flatnonzero(features.split != SPLITS.index("test"))
    feature = np.empty((len(rows), len(root)), np.float32)
    for start in range(0, len(rows), _ROWS):
        block = rows[start : start + _ROWS]
        feature[start : start + len(block)] = kernel.kernel(features.feature[block]) @ root
    return replace(
        features, id=features.id[rows], feature=feature, label=features.label[rows], split=features.split[rows]
    )


def _distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(n, m) squared distances of rows, 0 where rounding gives less."""
    products = left @ right.T
    products *= -2
    products += np.square(left).sum(axis=1)[:, None]
    products += np.square(right).sum(axis=1)
    return np.maximum(products, 0, out=products)
