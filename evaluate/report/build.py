"""Gathers the result files of a data set and writes its report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from drsl.evaluate.findings import CONTROL, findings
from drsl.evaluate.published import published, published_remarks
from drsl.evaluate.queries import Query, mean_over_seeds, read_queries
from drsl.evaluate.report.classes import class_scores, confusion
from drsl.evaluate.report.content import Answers, ClassScore, Report
from drsl.evaluate.report.curves import plots
from drsl.evaluate.report.described import described
from drsl.evaluate.report.examples import choose_examples
from drsl.evaluate.report.facts import run_facts
from drsl.evaluate.report.histogram import score_histogram
from drsl.evaluate.report.item_map import map_items
from drsl.evaluate.report.page import render_page
from drsl.evaluate.results import read_result
from drsl.evaluate.scores import read_scores
from drsl.evaluate.significance import compare_to_reference
from drsl.evaluate.summary import as_csv, summarize
from drsl.evaluate.tables import as_markdown, cost_table, map_table
from drsl.features.atomic import write_text
from drsl.features.errors import MissingFile, choose
from drsl.features.layout import Layout, Run
from drsl.features.manifest import read_manifest

__all__ = ["gather", "write_overview", "write_report"]


def gather(layout: Layout, reference: str = "drsl-c", method: str | None = None) -> Report:
    """Reads every result of a data set.

    Args:
        layout: where the results are.
        reference: the method that the others are compared with, when it has a result.
        method: whose scores and answers are shown; None: the best whose score file is here.

    Returns:
        The report's content.

    Raises:
        MissingFile: there is no result yet, or `method` has no score file.
        SettingError: `method` has no result.
        DamagedFile: a result, score file or manifest is damaged.
    """
    runs = _runs(layout)
    if not runs:
        raise MissingFile(
            f"there is no result in {layout.show(layout.results)}: run `dvc repro`, or `drsl fit` and `drsl evaluate`"
        )
    if method is not None:
        choose("method", method, runs)
    results = {name: [read_result(run.result) for run in found] for name, found in runs.items()}
    base = reference if reference in runs else None
    queries = _queries(runs)
    means = _means(queries)
    against = compare_to_reference(means, base) if base in means else {}
    rows = sorted(summarize(results, against), key=lambda row: (-row.mean_map, row.method))
    ranked = {row.method: runs[row.method] for row in rows}
    return Report(
        dataset=layout.dataset,
        rows=rows,
        reference=base,
        table=map_table(rows, published(layout.dataset), published_remarks(layout.dataset), base),
        costs=cost_table(rows),
        findings=findings(rows, base),
        described=described(layout.root / "docs" / "methods.md"),
        encoders={path.stem: _json(path) for path in sorted((layout.results / "encoders").glob("*.json"))},
        plots=plots(layout, {name: found[0] for name, found in ranked.items()}),
        classes=_classes([row.method for row in rows], base, queries),
        answers=_answers(layout, ranked, method, queries),
        runs=run_facts(ranked, results),
    )


def write_report(layout: Layout, method: str | None = None) -> Report:
    """Writes `table.csv`, `table.md` and `index.html` into the report folder.

    Args:
        layout: where results are and reports go.
        method: whose scores and answers are shown; None: the best whose score file is here.

    Returns:
        What was written.

    Raises:
        UserError: there is no result, a file is damaged, or a file cannot be written.
    """
    report = gather(layout, method=method)
    up = Path(*[".."] * len(layout.report.relative_to(layout.root).parts)).as_posix()
    links = {name: f"{up}/docs/methods.md#{name}" for name in report.described}
    said = "".join(f"\n{sentence}\n" for sentence in report.findings)
    remarks = published_remarks(layout.dataset)
    write_text(layout.report / "table.csv", as_csv(report.rows, published(layout.dataset), remarks))
    write_text(layout.report / "table.md", f"{as_markdown(report.table, links)}{said}\n{as_markdown(report.costs)}")
    write_text(layout.report / "index.html", render_page([report]))
    return report


def write_overview(path: Path, reports: Sequence[Report]) -> None:
    """Writes the reports of several data sets as one page.

    Args:
        path: the page, `Layout.overview`.
        reports: what `write_report` gave for each.

    Raises:
        UserError: it cannot be written.
    """
    write_text(path, render_page(reports))


def _runs(layout: Layout) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for path in sorted(layout.results.glob("*/*.json")):
        if path.stem.isdecimal():
            found.setdefault(path.parent.name, []).append(layout.run(path.parent.name, int(path.stem)))
    return {method: sorted(runs, key=lambda run: run.seed) for method, runs in found.items()}


def _queries(runs: Mapping[str, Sequence[Run]]) -> dict[str, list[list[Query]]]:
    """The queries of each run; only methods whose every run has the file."""
    return {
        method: [read_queries(run.queries) for run in each]
        for method, each in runs.items()
        if all(run.queries.is_file() for run in each)
    }


def _means(queries: Mapping[str, Sequence[Sequence[Query]]]) -> dict[str, dict[tuple[str, str], float]]:
    """Mean average precision of each query; methods whose runs have different queries are left out."""
    found = {}
    for method, runs in queries.items():
        with suppress(ValueError):
            found[method] = mean_over_seeds(runs)
    return found


def _classes(
    ranked: Sequence[str], reference: str | None, queries: Mapping[str, Sequence[Sequence[Query]]]
) -> tuple[ClassScore, ...]:
    """Each class by the best method, the reference and the control."""
    shown = [name for name in dict.fromkeys((ranked[0], reference, CONTROL)) if name is not None and name in queries]
    return class_scores({name: queries[name] for name in shown})


def _answers(
    layout: Layout,
    ranked: Mapping[str, Sequence[Run]],
    method: str | None,
    queries: Mapping[str, Sequence[Sequence[Query]]],
) -> Answers | None:
    """What the score file of the chosen method says, or of the best that has one."""
    wanted = ranked if method is None else {method: ranked[method]}
    scored = [(name, run) for name, runs in wanted.items() for run in runs if run.scores.is_file()]
    if not scored:
        if method is not None:
            again = f"`drsl fit -d {layout.dataset} -m {method}`"
            raise MissingFile(f"{layout.show(wanted[method][0].scores)} is not there: run {again}")
        return None
    name, run = scored[0]
    scores, manifest = read_scores(run.scores), read_manifest(layout.manifest)
    pictured = bool(manifest.of("image", "test")) and bool(manifest.of("text", "test"))  # imported features: neither
    asked = queries[name][ranked[name].index(run)] if name in queries else []
    return Answers(
        method=name,
        seed=run.seed,
        histogram=score_histogram(scores),
        confusion=confusion(scores),
        map=map_items(scores),
        examples=choose_examples(scores, asked, manifest) if pictured else (),
    )


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text("utf-8")))
