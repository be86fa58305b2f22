"""`drsl data prepare`, `drsl data check` and `drsl data import`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from drsl.commands.data_import import import_features
from drsl.project import Project, dataset_option


@click.group()
def data() -> None:
    """Make a data set's manifest, or check one; import features that others published.

    \b
    drsl data prepare -d emoji    draws the default data set
    drsl data check -d emoji      says what is there, by split and class, and what is wrong
    drsl data import --help       takes feature files that exist already
    """


data.add_command(import_features)


@data.command()
@dataset_option
@click.pass_obj
def prepare(folder: Path | None, dataset: str) -> None:
    """Read a data set's source and write data/NAME/manifest.csv.

    \b
    Example:
      drsl data prepare -d emoji
    """
    from drsl.extract.sources import load_source
    from drsl.features.manifest import write_manifest
    from drsl.progress import bar

    project = Project.open(folder, dataset)
    project.require_raw("there is nothing to prepare")
    manifest = project.layout.manifest
    config, write, notice = load_source(str(project.params.dataset(dataset).get("source")))
    settings = project.params.part(dataset, "prepare", config)
    if hasattr(settings, "path"):  # sources read files where they lie; params.yaml names them from the project's folder
        settings = replace(settings, path=str(project.params.root / settings.path))
    with project.writing(f"prepare@{dataset}", manifest), bar("pictures", "image") as update:
        items = write(manifest.parent, settings, update)
        write_manifest(manifest, items)
    click.echo(f"{len(items)} items\n{notice}".rstrip())


@data.command()
@dataset_option
@click.pass_obj
def check(folder: Path | None, dataset: str) -> None:
    """Say what a data set holds and whether every file of it is there.

    \b
    Example:
      drsl data check -d emoji
    """
    from drsl.commands.tables import table
    from drsl.features.check import check_dataset
    from drsl.features.errors import UserError

    project = Project.open(folder, dataset)
    project.require_raw("there are no files to check (`drsl features show` looks into features)")
    found = check_dataset(project.layout.manifest)
    click.echo(table(("class", "train", "val", "test"), found.rows))
    click.echo(f"{found.images} images, {found.texts} texts, manifest digest {found.digest[:12]}")
    for problem in found.problems[:20]:
        click.echo(f"problem: {problem}", err=True)
    if found.problems:
        raise UserError(f"{len(found.problems)} problems in {project.layout.show(project.layout.manifest)}")
