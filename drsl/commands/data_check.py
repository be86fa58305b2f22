"""`drsl data check`: a data set's published files before it is prepared, its manifest afterwards."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drsl.project import Project, dataset_option

if TYPE_CHECKING:
    from drsl.extract.sources.public_layout import PublicLayout
    from drsl.features.manifest import Item

__all__ = ["check", "count_lines", "reject_lines", "source_settings"]

_SHOWN = 20
"""Problems that are shown one by one."""


def source_settings(project: Project, config: type[Any]) -> Any:
    """The settings of a data set's source.

    Args:
        project: the project, for one data set.
        config: the source's settings class.

    Returns:
        The settings; a path in them is read from the project's folder, as params.yaml means it.
    """
    settings = project.params.part(project.layout.dataset, "prepare", config)
    if hasattr(settings, "path"):
        settings = replace(settings, path=str(project.params.root / settings.path))
    return settings


def count_lines(items: Sequence[Item], layout: PublicLayout | None, digest: str) -> list[str]:
    """What `prepare` and `check` say of a manifest's splits.

    Args:
        items: the manifest's items.
        layout: the public layout they were read from; None for other sources.
        digest: the split's digest.

    Returns:
        Lines to print: the sizes of the splits, whether they are the paper's, and the digest.
    """
    from drsl.features.manifest import SPLITS

    count = Counter(item.split for item in items)
    lines = [f"{len(items)} items: {', '.join(f'{split} {count[split]}' for split in SPLITS)}"]
    if layout is not None:
        differences = layout.differences(items)
        lines.append(
            f"the counts are NOT the paper's: {'; '.join(differences)}" if differences else "the counts are the paper's"
        )
    return [*lines, f"split digest {digest}"]


def reject_lines(project: Project) -> list[str]:
    """What `prepare` says of the items that it left out.

    Args:
        project: the project, for one data set.

    Returns:
        Lines to print that name their list; none when there are no such items.
    """
    from drsl.extract.sources.placing import REJECTS

    path = project.layout.manifest.with_name(REJECTS)
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        ids = [row[0] for row in csv.reader(file)][1:]
    items = sum(1 for name in ids if name)
    counts = (f"{items} items are left out", items), (f"{len(ids) - items} files belong to no item", len(ids) - items)
    return [f"{text}, see {project.layout.show(path)}" for text, count in counts if count]


@click.command()
@dataset_option
@click.pass_obj
def check(folder: Path | None, dataset: str) -> None:
    """Say what a data set holds and whether every file of it is there.

    Before it is prepared, a public data set's files are looked at: what is there, what is missing, where the original
    is published, and what the folder must look like.

    \b
    Examples:
      drsl data check -d emoji
      drsl data check -d wikipedia
    """
    from drsl.extract.sources import SOURCES, load_layout, load_source

    project = Project.open(folder, dataset)
    project.require_raw("there are no files to check (`drsl features show` looks into features)")
    source = project.params.dataset(dataset).get("source")
    public = load_layout(source) if isinstance(source, str) and source in SOURCES else None
    if public is not None and not project.layout.manifest.exists():
        layout, read_items = public
        _check_files(project, layout, read_items, source_settings(project, load_source(str(source))[0]))
    else:
        _check_manifest(project, None if public is None else public[0])


def _check_manifest(project: Project, layout: PublicLayout | None) -> None:
    from drsl.commands.tables import table
    from drsl.features.check import check_dataset
    from drsl.features.digest import digest_file
    from drsl.features.errors import UserError
    from drsl.features.exact_split import split_digest

    path = project.layout.manifest
    found = check_dataset(path)
    click.echo(table(("class", "train", "val", "test"), found.rows))
    click.echo(f"{found.images} images, {found.texts} texts, manifest digest {found.digest[:12]}")
    items = found.manifest.items
    digest = split_digest(items)
    for line in count_lines(items, layout, digest)[1:]:  # the table has the sizes
        click.echo(line)
    problems = [*found.problems]
    split = project.layout.split
    if split.is_file() and digest_file(split) != digest:
        problems.append(f"{project.layout.show(split)} does not name the splits of the manifest: run prepare again")
    _show(problems)
    if problems:
        raise UserError(f"{len(problems)} problems in {project.layout.show(path)}")


def _check_files(project: Project, layout: PublicLayout, read_items: Any, settings: Any) -> None:
    from drsl.commands.tables import table
    from drsl.extract.sources.raw_check import check_raw
    from drsl.features.errors import MissingFile

    name = project.layout.dataset
    place = project.layout.show(Path(settings.path))
    found = check_raw(layout, read_items, settings)
    click.echo(f"{layout.title}, in {place}\n")
    click.echo(table((place, "", "holds"), found.parts, left=(0, 1, 2)))
    click.echo(f"\npublished at {', '.join(layout.published)}\n{layout.terms}\n\nThe folder must look like this:")
    click.echo("\n".join(f"  {line}" for line in layout.tree.splitlines()) + "\n")
    if found.missing:
        raise MissingFile(
            f"{len(found.missing)} parts of {name} are missing in {place}: {', '.join(found.missing)}; get them where "
            "the data set is published and put them as drawn above"
        )
    from drsl.features.exact_split import split_digest

    for line in count_lines(found.items, layout, split_digest(found.items)):
        click.echo(line)
    _show(found.problems)
    if found.problems:
        count = len(found.problems) + len(found.items)
        raise MissingFile(
            f"{len(found.problems)} of {count} items lack a usable file: get the files, or let `drsl data prepare "
            f"-d {name}` leave these items out (at most {int(settings.max_reject_fraction * count)} of them, by "
            "prepare.max_reject_fraction)"
        )
    click.echo(f"everything is there; next: drsl data prepare -d {name}")


def _show(problems: Sequence[str]) -> None:
    for problem in problems[:_SHOWN]:
        click.echo(f"problem: {problem}", err=True)
    if len(problems) > _SHOWN:
        click.echo(f"... and {len(problems) - _SHOWN} more", err=True)
