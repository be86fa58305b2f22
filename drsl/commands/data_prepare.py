"""`drsl data prepare`."""

from __future__ import annotations

from pathlib import Path

import click

from drsl.commands.data_check import count_lines, reject_lines, source_settings
from drsl.project import Project, dataset_option

__all__ = ["prepare"]


@click.command()
@dataset_option
@click.pass_obj
def prepare(folder: Path | None, dataset: str) -> None:
    """Read a data set's source and write data/NAME/manifest.csv, with the split in data/NAME/split.csv.

    \b
    Example:
      drsl data prepare -d emoji
    """
    from drsl.extract.sources import load_layout, load_source
    from drsl.features.exact_split import write_split
    from drsl.features.manifest import write_manifest
    from drsl.progress import bar

    project = Project.open(folder, dataset)
    project.require_raw("there is nothing to prepare")
    manifest, split = project.layout.manifest, project.layout.split
    source = str(project.params.dataset(dataset).get("source"))
    config, write, notice = load_source(source)
    settings = source_settings(project, config)
    with project.writing(f"prepare@{dataset}", manifest, split), bar("pictures", "image") as update:
        items = write(manifest.parent, settings, update)
        write_manifest(manifest, items)
        digest = write_split(split, items)
    public = load_layout(source)
    left_out = reject_lines(project) if hasattr(settings, "path") else []
    for line in (*count_lines(items, public and public[0], digest), *left_out, notice.rstrip()):
        click.echo(line)
