"""`drsl report`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drsl.project import Project

if TYPE_CHECKING:
    from drsl.evaluate.report.content import Report


@click.command()
@click.option("-d", "--dataset", help="A data set of params.yaml. Default: each that has results, and one page of all.")
@click.option("-m", "--method", help="Whose answers are shown. Default: the best whose score file is here.")
@click.option("--open", "show", is_flag=True, help="Open the page in the web browser.")
@click.pass_obj
def report(folder: Path | None, dataset: str | None, method: str | None, show: bool) -> None:
    """Put the results of all methods and seeds into a table and a page.

    The page is one HTML file that needs nothing else: tables with the published numbers beside ours, curves, each
    class, scores of related and unrelated pairs, confusion between classes, a map of the items, queries with their
    answers, settings and costs.

    \b
    Examples:
      drsl report -d emoji --open
      drsl report -d emoji -m drsl-c
      drsl report
    """
    from drsl.evaluate.report.build import write_overview
    from drsl.features.errors import MissingFile
    from drsl.params import find_project, read_params

    params = read_params(find_project(folder))
    if dataset is not None:
        found = _one(folder, dataset, method)
        page = Project.open(folder, dataset).layout.report / "index.html"
        _show(found)
    else:
        blocks = params.content.get("datasets") or {}
        there = [name for name in blocks if any((params.root / "results" / name).glob("*/[0-9]*.json"))]
        if not there:
            raise MissingFile("no data set has results yet: run `dvc repro`, or `drsl fit` and `drsl evaluate`")
        reports = [_one(folder, name, method) for name in there]
        page = Project.open(folder, there[0]).layout.overview
        write_overview(page, reports)
        click.echo(f"wrote {page.relative_to(params.root).as_posix()}")
        if len(reports) == 1:
            _show(reports[0])
        else:
            for each in reports:
                click.echo(f"\n{each.dataset}: {each.findings[0]}")
    if show:
        webbrowser.open(page.resolve().as_uri())


def _one(folder: Path | None, dataset: str, method: str | None) -> Report:
    """Writes the report of one data set."""
    from drsl.evaluate.report.build import write_report

    project = Project.open(folder, dataset)
    page = project.layout.report / "index.html"
    with project.writing(f"report@{dataset}", page, page.with_name("table.csv"), page.with_name("table.md")):
        return write_report(project.layout, method)


def _show(found: Report) -> None:
    from drsl.evaluate.tables import as_markdown

    click.echo(as_markdown(found.table))
    for sentence in found.findings:
        click.echo(sentence)
    click.echo(f"\n{as_markdown(found.costs)}")
    for modality, accuracy in found.encoders.items():
        shares = ", ".join(f"{key.removesuffix('_accuracy')} {value:.3f}" for key, value in accuracy.items())
        click.echo(f"{modality} classifier: {shares}")
