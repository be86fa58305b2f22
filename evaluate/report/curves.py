"""The curves of a report, from the files that evaluation, fitting and fine-tuning leave."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from drsl.evaluate.figures import Curve
from drsl.evaluate.report.content import Plot
from drsl.features.errors import DamagedFile, MissingFile
from drsl.features.layout import Layout, Run

__all__ = ["plots"]

_QUERIES = {"i2t": "image queries", "t2i": "text queries"}
_LOSS = "loss"


def plots(layout: Layout, first: Mapping[str, Run]) -> tuple[Plot, ...]:
    """Reads the curves of all methods.

    Args:
        layout: of the data set.
        first: method to the run whose curves are drawn, in the order of the legend.

    Returns:
        Precision over recall and over scope, in both directions; what validation and the objective did by epoch, for
        the methods that learn in epochs; the encoders' accuracy. Pictures without a curve are left out.

    Raises:
        MissingFile: a run has no curves; names the command that makes them.
        DamagedFile: a file is not such a table.
    """
    recall = {method: _rows(run.precision_recall, _again(layout, run)) for method, run in first.items()}
    scope = {method: _rows(run.precision_scope, _again(layout, run)) for method, run in first.items()}
    logs = {method: _rows(run.log) for method, run in first.items() if run.log.is_file()}
    epochs = {method: rows for method, rows in logs.items() if rows and "epoch" in rows[0]}
    encoders = {
        modality: _rows(layout.encoder_log(modality))
        for modality in ("image", "text")
        if layout.encoder_log(modality).is_file()
    }
    found = [
        Plot("precision-recall", f"Precision over recall, {who}", "recall", "precision", _curves(recall, "recall", key))
        for key, who in _QUERIES.items()
        for key in (f"{key}_precision",)
    ]
    found += [
        Plot(
            "precision-scope",
            f"Precision over scope, {who}",
            "scope R: answers looked at",
            "precision within the top R",
            _curves(scope, "scope", f"{direction}_precision"),
        )
        for direction, who in _QUERIES.items()
    ]
    found += [
        Plot("convergence", "Validation by epoch", "epoch", "mAP on val", _curves(epochs, "epoch", "val_map")),
        Plot(
            "convergence",
            "The objective by epoch",
            "epoch",
            "objective, share of the first epoch's",
            tuple(_relative(each) for each in _curves(epochs, "epoch", _LOSS)),
            "Objectives have different units, so each is divided by its value after the first epoch.",
        ),
        Plot(
            "fine-tuning",
            "Fine-tuning of the encoders",
            "epoch",
            "accuracy on val",
            _curves(encoders, "epoch", "val_accuracy"),
        ),
    ]
    return tuple(each for each in found if each.curves)


def _curves(tables: Mapping[str, Sequence[Mapping[str, float]]], x: str, y: str) -> tuple[Curve, ...]:
    """One curve a table that has both columns; what was not measured is left out."""
    found = []
    for name, rows in tables.items():
        points = tuple((row[x], row[y]) for row in rows if x in row and not math.isnan(row.get(y, math.nan)))
        if points:
            found.append(Curve(name, points))
    return tuple(found)


def _relative(curve: Curve) -> Curve:
    start = curve.points[0][1]
    return Curve(curve.name, tuple((x, y / start) for x, y in curve.points)) if start else curve


def _rows(path: Path, again: str = "") -> list[dict[str, float]]:
    """A table of numbers; an empty cell is NaN."""
    if not path.is_file():
        raise MissingFile(f"{path} is not there: run {again}")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [{key: float(value or "nan") for key, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise DamagedFile(f"{path} is damaged ({error}): make it again{f' with {again}' if again else ''}") from None


def _again(layout: Layout, run: Run) -> str:
    return f"`drsl evaluate -d {layout.dataset} -m {run.folder.name} -s {run.seed}`"
