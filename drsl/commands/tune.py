"""`drsl tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from drsl.project import Project, dataset_option, method_option, seed_option


@click.command()
@dataset_option
@method_option
@seed_option
@click.option("--dry-run", is_flag=True, help="Show what would be tried and written; fit nothing, write nothing.")
@click.pass_obj
def tune(folder: Path | None, dataset: str, method: str, seed: int, dry_run: bool) -> None:
    """Choose a method's settings on the val split, and write them into params.yaml.

    The values to try stand in params.yaml: `grids: {deep-sm: {learning_rate: [0.0001, 0.001], dropout: [0.2, 0.5]}}`.
    A method that chooses among several values by itself, such as cca, needs no grid. Test items are not looked at.
    What has been tried stands in results/DATASET/METHOD/tune.csv, so a search that was stopped goes on.

    \b
    Examples:
      drsl tune -d emoji -m deep-sm --dry-run
      drsl tune -d emoji -m deep-sm
    """
    from drsl.method_block_edit import set_method_settings
    from drsl.progress import bar
    from drsl.stage_two import read_pair
    from drsl.train.methods import method_class
    from drsl.tuning import Point, points_of, tune_method

    project = Project.open(folder, dataset)
    kind = method_class(method)  # a wrong name is told before the features are read
    grid = project.params.grid(method)
    settings = project.params.method(dataset, method)
    record = project.layout.results / method / "tune.csv"
    count = len(points_of(grid))
    if dry_run:
        for each in points_of(grid):
            click.echo(_words(each) or "one fit: the method chooses by itself")
        click.echo(f"{count} fit{'s' if count > 1 else ''}, recorded in {project.layout.show(record)}")
        said = settings and _words(settings)
        click.echo(
            f"would set what is best under methods.{method}.datasets.{dataset}; now in force: {said or 'defaults'}"
        )
        return
    image, text = read_pair(project, kind.parts)

    def say(point: Point) -> None:
        outcome = point.note or f"val mAP {point.val_map:.4f}, {point.seconds:.1f} s"
        click.echo(f"{_words(point.settings) or method}: {outcome}{' (from the record)' if point.kept else ''}")

    with (
        project.writing(None, record),
        bar(f"tune {method}", "fit") as update,
    ):
        found = tune_method(
            method,
            settings,
            grid,
            image,
            text,
            record,
            seed=seed,
            device=project.device(),
            memory=project.layout.work / "precision.json",
            progress=update,
            said=say,
        )
    rows = sum(not each.note for each in found.points)
    tried = f"best of {rows}" if rows > 1 else "chosen by the method itself"
    comment = f"chosen by drsl tune on val: {found.best.val_map:.3f}, {tried}"
    if not found.chosen:
        click.echo("nothing to write: the method had nothing to choose")
        return
    line = set_method_settings(project.params.root, method, dataset, found.chosen, comment)
    click.echo(f"wrote into params.yaml, methods.{method}.datasets: {line}")
    click.echo(f"next: drsl compare -d {dataset} -m {method}")


def _words(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in settings.items())
