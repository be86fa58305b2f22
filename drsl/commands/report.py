"""`drsl report`."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from drsl.project import Project, dataset_option


@click.command()
@dataset_option
@click.option("--open", "show", is_flag=True, help="Open the page in the web browser.")
@click.pass_obj
def report(folder: Path | None, dataset: str, show: bool) -> None:
    """Put the results of all methods and seeds into a table and a page.

    \b
    Example:
      drsl report -d emoji --open
    """
    from drsl.evaluate.report.build import write_report
    from drsl.evaluate.tables import as_markdown

    project = Project.open(folder, dataset)
    page = project.layout.report / "index.html"
    with project.writing(f"report@{dataset}", page, page.with_name("table.csv"), page.with_name("table.md")):
        found = write_report(project.layout)
    click.echo(as_markdown(found.table))
    for sentence in found.findings:
        click.echo(sentence)
    click.echo(f"\n{as_markdown(found.costs)}")
    for modality, accuracy in found.encoders.items():
        shares = ", ".join(f"{key.removesuffix('_accuracy')} {value:.3f}" for key, value in accuracy.items())
        click.echo(f"{modality} classifier: {shares}")
    if show:
        webbrowser.open(page.resolve().as_uri())
