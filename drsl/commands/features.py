"""`drsl features show|verify|diff`."""

from __future__ import annotations

from pathlib import Path

import click

_FILE = click.Path(path_type=Path)


@click.group()
def features() -> None:
    """Look into a feature file or a parts file, prove it whole, compare two.

    \b
    drsl features show features/emoji/image.h5
    drsl features verify features/emoji/image.h5 features/emoji/text.h5
    drsl features diff features/emoji/image.h5 backup/image.h5
    """


@features.command()
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print all of it, digests in full, as JSON.")
def show(file: Path, as_json: bool) -> None:
    """Print what a feature file or a parts file holds and what made it.

    \b
    Examples:
      drsl features show features/emoji/image.h5
      drsl features show features/emoji/image.grid.h5
      drsl features show features/emoji/image.h5 --json
    """
    import json

    from drsl.commands.tables import table
    from drsl.feature_facts import class_counts, facts_of, told
    from drsl.features import open_parts, read_features
    from drsl.features.manifest import SPLITS

    found = open_parts(file) if _holds_parts(file) else read_features(file)
    if as_json:
        click.echo(json.dumps(told(found), ensure_ascii=False, indent=2))
        return
    parts = facts_of(found)
    width = max(len(name) for _, lines in parts for name, _ in lines)
    for heading, lines in parts:
        click.secho(heading, bold=True)
        for name, value in lines:
            click.echo(f"  {name:<{width}}  {value}")
        click.echo()
    click.echo(table(("class", *SPLITS, "all"), class_counts(found)))


@features.command()
@click.argument("files", type=_FILE, nargs=-1, required=True)
def verify(files: tuple[Path, ...]) -> None:
    """Read each file whole and check its digest, types, ids and numbers.

    \b
    Example:
      drsl features verify features/emoji/*.h5
    """
    from drsl.features import open_parts, read_features

    for file in files:
        found = open_parts(file, verify=True) if _holds_parts(file) else read_features(file)
        click.echo(f"{file}: whole, {len(found)} rows, digest {str(found.attrs['digest'])[:12]}")


@features.command()
@click.argument("first", type=_FILE)
@click.argument("second", type=_FILE)
def diff(first: Path, second: Path) -> None:
    """Say in what two feature files, or two parts files, differ; exit code 1 when they do.

    \b
    Example:
      drsl features diff features/emoji/image.h5 other/image.h5
    """
    import sys

    from drsl.features import open_parts, read_features
    from drsl.features.compare import compare_features, compare_parts
    from drsl.features.errors import UserError

    if _holds_parts(first) != _holds_parts(second):
        raise UserError(f"{first} and {second} cannot be compared: one holds features, the other parts of items")
    if _holds_parts(first):
        lines = compare_parts(open_parts(first), open_parts(second))
    else:
        lines = compare_features(read_features(first), read_features(second))
    for line in lines:
        click.echo(line)
    if not lines:
        click.echo("equal: ids, labels, splits and all values")
    sys.exit(1 if lines else 0)


def _holds_parts(file: Path) -> bool:
    """Whether this is a parts file; for what is missing or damaged, its name decides what it should be."""
    from drsl.features.hdf5 import format_of
    from drsl.features.parts import FORMAT, KINDS

    return (format_of(file) or (FORMAT if file.stem.partition(".")[2] in KINDS else "")) == FORMAT
