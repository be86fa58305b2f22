"""`drsl features show|verify|diff`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from drsl.features import Features, Parts

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
def show(file: Path) -> None:
    """Print what a feature file or a parts file holds and what made it.

    \b
    Examples:
      drsl features show features/emoji/image.h5
      drsl features show features/emoji/image.grid.h5
    """
    from drsl.commands.tables import table
    from drsl.features import open_parts, read_features
    from drsl.features.freshness import encoder_of
    from drsl.features.manifest import SPLITS

    found = open_parts(file) if _holds_parts(file) else read_features(file)
    encoder = encoder_of(found)
    facts = [
        *_content(found),
        ("data set", f"{found.attrs.get('dataset', '?')}, {found.attrs.get('modality', '?')}"),
        *((key, str(value)) for key, value in sorted(encoder.items()) if not isinstance(value, dict | list)),
        *(
            ("imported", f"{each['split']} from {each['file']} {each['variable']} (SHA-256 {each['sha256'][:12]})")
            for each in encoder.get("imported", ())
        ),
        ("manifest", str(found.attrs.get("manifest_digest", "?"))),
        ("digest", str(found.attrs.get("digest", "?"))),
    ]
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        click.echo(f"{name:<{width}}  {value}")
    counts = [
        (name, *(int(((found.label == place) & (found.split == code)).sum()) for code in range(len(SPLITS))))
        for place, name in enumerate(found.classes)
    ]
    click.echo(table(("class", *SPLITS), counts))


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


def _content(found: Features | Parts) -> list[tuple[str, str]]:
    """What the rows are, as lines of two columns."""
    import numpy as np

    from drsl.features.store import Features

    if isinstance(found, Features):
        norms = np.linalg.norm(found.feature, axis=1)
        return [
            ("rows", f"{len(found)} of width {found.feature.shape[1]}"),
            ("row norm", f"{norms.min():.3g} to {norms.max():.3g}, mean {norms.mean():.3g}" if len(found) else "-"),
            ("zeros", f"{(found.feature == 0).mean():.1%} of all values; {(norms == 0).sum()} rows are zero"),
        ]
    lines = [
        ("parts", f"{found.kind}, settings {found.attrs.get('settings', '?')}"),
        ("rows", f"{len(found)} of {' x '.join(str(each) for each in found.part.shape[1:])} {found.part.dtype}"),
    ]
    if found.mask is not None:
        counts = np.asarray(found.mask).sum(axis=1)
        lines.append(
            ("parts there", f"{counts.min()} to {counts.max()}, mean {counts.mean():.3g}" if len(found) else "-")
        )
    if found.vectors is not None:
        lines.append(("words", f"{len(found.words)}, vectors of width {found.vectors.shape[1]}"))
    return lines
