"""Gathers the result files of a data set and writes its report."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drsl.evaluate.published import published
from drsl.evaluate.report.examples import Example, choose_examples
from drsl.evaluate.report.page import render_page
from drsl.evaluate.results import read_result
from drsl.evaluate.summary import Row, as_csv, as_markdown, summarize
from drsl.features.atomic import write_text
from drsl.features.errors import MissingFile
from drsl.features.layout import Layout, Run
from drsl.features.manifest import read_manifest

__all__ = ["Report", "gather", "write_report"]


@dataclass(frozen=True)
class Report:
    """What the result files of one data set say."""

    dataset: str
    """its name"""
    rows: list[Row]
    """one a method, best mean mAP first"""
    table: str
    """the rows as Markdown, published numbers beside ours"""
    encoders: dict[str, dict[str, float]]
    """modality to the accuracy of its classifier by split; empty for imported features"""
    curves: dict[str, dict[str, list[tuple[float, float]]]]
    """direction to method to points (recall, precision), of the method's first seed"""
    examples: list[Example]
    """queries with their best answers, by the best method whose score file is here; none for imported features"""


def gather(layout: Layout) -> Report:
    """Reads every result of a data set.

    Args:
        layout: where the results are.

    Returns:
        The report's content.

    Raises:
        MissingFile: there is no result yet.
        DamagedFile: a result, score file or manifest is damaged.
    """
    runs = _runs(layout)
    if not runs:
        raise MissingFile(
            f"there is no result in {layout.show(layout.results)}: run `dvc repro`, or `drsl fit` and `drsl evaluate`"
        )
    results = {method: [read_result(run.result) for run in found] for method, found in runs.items()}
    rows = sorted(summarize(results), key=lambda row: (-row.mean_map, row.method))
    scored = [run for row in rows for run in runs[row.method] if run.scores.is_file()]
    return Report(
        dataset=layout.dataset,
        rows=rows,
        table=as_markdown(rows, published(layout.dataset)),
        encoders={path.stem: _json(path) for path in sorted((layout.results / "encoders").glob("*.json"))},
        curves=_curves({row.method: runs[row.method][0] for row in rows}),
        examples=_examples(layout, scored),
    )


def write_report(layout: Layout) -> Report:
    """Writes `table.csv`, `table.md` and `index.html` into the report folder.

    Args:
        layout: where results are and reports go.

    Returns:
        What was written.

    Raises:
        UserError: there is no result, a file is damaged, or a file cannot be written.
    """
    report = gather(layout)
    write_text(layout.report / "table.csv", as_csv(report.rows))
    write_text(layout.report / "table.md", report.table)
    page = render_page(report.dataset, report.table, report.encoders, report.curves, report.examples)
    write_text(layout.report / "index.html", page)
    return report


def _examples(layout: Layout, scored: list[Run]) -> list[Example]:
    if not scored:
        return []
    manifest = read_manifest(layout.manifest)
    pictured = manifest.of("image", "test") and manifest.of("text", "test")  # imported features have neither
    return choose_examples(scored[0], manifest) if pictured else []


def _runs(layout: Layout) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for path in sorted(layout.results.glob("*/*.json")):
        if path.stem.isdecimal():
            found.setdefault(path.parent.name, []).append(layout.run(path.parent.name, int(path.stem)))
    return {method: sorted(runs, key=lambda run: run.seed) for method, runs in found.items()}


def _curves(runs: dict[str, Run]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {"i2t": {}, "t2i": {}}
    for method, run in runs.items():
        if not run.precision_recall.is_file():
            raise MissingFile(f"{run.precision_recall} is not there: run `drsl evaluate` for {method} again")
        with run.precision_recall.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                for direction, methods in curves.items():
                    point = float(row["recall"]), float(row[f"{direction}_precision"])
                    methods.setdefault(method, []).append(point)
    return curves


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text("utf-8")))
