"""Gathers the result files of a data set and writes its report."""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drsl.evaluate.findings import findings
from drsl.evaluate.published import published, published_remarks
from drsl.evaluate.queries import mean_over_seeds, read_queries
from drsl.evaluate.report.described import described
from drsl.evaluate.report.examples import Example, choose_examples
from drsl.evaluate.report.page import render_page
from drsl.evaluate.results import read_result
from drsl.evaluate.significance import compare_to_reference
from drsl.evaluate.summary import Row, as_csv, summarize
from drsl.evaluate.tables import Table, as_markdown, cost_table, map_table
from drsl.features.atomic import write_text
from drsl.features.errors import MissingFile
from drsl.features.layout import Layout, Run
from drsl.features.manifest import read_manifest

__all__ = ["Report", "gather", "write_report"]

_CURVES = 8
"""Methods whose curves are drawn: more than there are colours that can be told apart would hide each other."""


@dataclass(frozen=True)
class Report:
    """What the result files of one data set say."""

    dataset: str
    """its name"""
    rows: list[Row]
    """one a method, best mean mAP first"""
    reference: str | None
    """the method that the others are compared with; None when it has no result"""
    table: Table
    """what each method reaches, published numbers beside ours"""
    costs: Table
    """what each method costs"""
    findings: list[str]
    """what the tables show, in sentences"""
    described: dict[str, str]
    """method to what it is, as far as docs/methods.md says"""
    encoders: dict[str, dict[str, float]]
    """modality to the accuracy of its classifier by split; empty for imported features"""
    curves: dict[str, dict[str, list[tuple[float, float]]]]
    """direction to method to points (recall, precision), of the first seed of each of the best methods"""
    examples: list[Example]
    """queries with their best answers, by the best method whose score file is here; none for imported features"""


def gather(layout: Layout, reference: str = "drsl-c") -> Report:
    """Reads every result of a data set.

    Args:
        layout: where the results are.
        reference: the method that the others are compared with, when it has a result.

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
    base = reference if reference in runs else None
    against = compare_to_reference(_queries(runs), base) if base and _has_queries(runs[base]) else {}
    rows = sorted(summarize(results, against), key=lambda row: (-row.mean_map, row.method))
    scored = [run for row in rows for run in runs[row.method] if run.scores.is_file()]
    return Report(
        dataset=layout.dataset,
        rows=rows,
        reference=base,
        table=map_table(rows, published(layout.dataset), published_remarks(layout.dataset), base),
        costs=cost_table(rows),
        findings=findings(rows, base),
        described=described(layout.root / "docs" / "methods.md"),
        encoders={path.stem: _json(path) for path in sorted((layout.results / "encoders").glob("*.json"))},
        curves=_curves({row.method: runs[row.method][0] for row in rows[:_CURVES]}),
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
    up = Path(*[".."] * len(layout.report.relative_to(layout.root).parts)).as_posix()
    links = {name: f"{up}/docs/methods.md#{name}" for name in report.described}
    said = "".join(f"\n{sentence}\n" for sentence in report.findings)
    remarks = published_remarks(layout.dataset)
    write_text(layout.report / "table.csv", as_csv(report.rows, published(layout.dataset), remarks))
    write_text(layout.report / "table.md", f"{as_markdown(report.table, links)}{said}\n{as_markdown(report.costs)}")
    write_text(layout.report / "index.html", render_page(report))
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


def _has_queries(runs: list[Run]) -> bool:
    return all(run.queries.is_file() for run in runs)


def _queries(runs: dict[str, list[Run]]) -> dict[str, dict[tuple[str, str], float]]:
    """Mean average precision of each query; only methods whose every run has the file, with the same queries."""
    found = {}
    for method, each in runs.items():
        if _has_queries(each):
            with suppress(ValueError):  # runs on different queries
                found[method] = mean_over_seeds([read_queries(run.queries) for run in each])
    return found


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
