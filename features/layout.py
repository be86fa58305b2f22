"""Where each file of a project lies. The only place that spells a path; `dvc.yaml` spells the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Layout", "Run"]


@dataclass(frozen=True)
class Layout:
    """File names of one data set inside a project's folder."""

    root: Path
    dataset: str

    @property
    def manifest(self) -> Path:
        """The manifest CSV."""
        return self.root / "data" / self.dataset / "manifest.csv"

    @property
    def split(self) -> Path:
        """Who is in which split (CSV), for two people to compare."""
        return self.root / "data" / self.dataset / "split.csv"

    @property
    def images(self) -> Path:
        """The folder of images that a source draws or copies."""
        return self.root / "data" / self.dataset / "images"

    def network(self, modality: str) -> Path:
        """The fine-tuned network of stage one (safetensors).

        Args:
            modality: `image` or `text`.

        Returns:
            Its path.
        """
        return self.root / "models" / self.dataset / f"{modality}.safetensors"

    def features(self, modality: str) -> Path:
        """The feature file (HDF5).

        Args:
            modality: `image` or `text`.

        Returns:
            Its path.
        """
        return self.root / "features" / self.dataset / f"{modality}.h5"

    def parts(self, modality: str, kind: str) -> Path:
        """The parts of the items of a modality (HDF5), which are written on request.

        Args:
            modality: `image` or `text`.
            kind: `grid` or `patches` of images, `words` or `sentences` of texts.

        Returns:
            Its path.
        """
        return self.root / "features" / self.dataset / f"{modality}.{kind}.h5"

    def encoder_log(self, modality: str) -> Path:
        """The fine-tuning log (CSV): loss and accuracy by epoch.

        Args:
            modality: `image` or `text`.

        Returns:
            Its path.
        """
        return self.root / "results" / self.dataset / "encoders" / f"{modality}.log.csv"

    def encoder_result(self, modality: str) -> Path:
        """The classifier's accuracy on each split (JSON).

        Args:
            modality: `image` or `text`.

        Returns:
            Its path.
        """
        return self.root / "results" / self.dataset / "encoders" / f"{modality}.json"

    def run(self, method: str, seed: int) -> Run:
        """The files of one method trained with one seed.

        Args:
            method: the method's name.
            seed: the seed.

        Returns:
            Its file names.
        """
        return Run(self.root / "results" / self.dataset / method, seed)

    @property
    def results(self) -> Path:
        """The folder that holds one folder a method."""
        return self.root / "results" / self.dataset

    @property
    def report(self) -> Path:
        """The folder of the report of all methods."""
        return self.root / "reports" / self.dataset

    @property
    def overview(self) -> Path:
        """The page of all data sets' reports."""
        return self.root / "reports" / "index.html"

    @property
    def work(self) -> Path:
        """Resume state and locks; nobody's output, so DVC never deletes it."""
        return self.root / "work" / self.dataset

    def show(self, path: Path) -> str:
        """A path as people type it.

        Args:
            path: any path.

        Returns:
            Relative to the project's folder when it lies in it.
        """
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)


@dataclass(frozen=True)
class Run:
    """File names of one method trained with one seed."""

    folder: Path
    seed: int

    def _file(self, ending: str) -> Path:
        return self.folder / f"{self.seed}{ending}"

    @property
    def model(self) -> Path:
        """The fitted method (safetensors)."""
        return self._file(".safetensors")

    @property
    def log(self) -> Path:
        """The training log (CSV)."""
        return self._file(".log.csv")

    @property
    def cost(self) -> Path:
        """Seconds and peak memory of fit and score, and the machine they were measured on (JSON)."""
        return self._file(".cost.json")

    @property
    def scores(self) -> Path:
        """Scores of all test images against all test texts (HDF5)."""
        return self._file(".scores.h5")

    @property
    def result(self) -> Path:
        """The metrics (flat JSON)."""
        return self._file(".json")

    @property
    def precision_recall(self) -> Path:
        """The interpolated precision-recall curves (CSV)."""
        return self._file(".precision_recall.csv")

    @property
    def precision_scope(self) -> Path:
        """The precision-scope curves (CSV)."""
        return self._file(".precision_scope.csv")

    @property
    def queries(self) -> Path:
        """The average precision of each query (CSV)."""
        return self._file(".queries.csv")
