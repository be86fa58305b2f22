"""`drsl features show|verify|diff`."""

from __future__ import annotations

from pathlib import Path

import click

_FILE = click.Path(path_type=Path)


@click.group()
def features() -> None:
    """Look into a feature file, prove it whole, compare two.

    \b
    drsl features show features/emoji/image.h5
    drsl features verify features/emoji/image.h5 features/emoji/text.h5
    drsl features diff features/emoji/image.h5 backup/image.h5
    """


@features.command()
@click.argument("file", type=_FILE)
def show(file: Path) -> None:
    """Print what a feature file holds and what made it.

    \b
    Example:
      drsl features show features/emoji/image.h5
    """
    import numpy as np

    from drsl.commands.tables import table
    from drsl.features import read_features
    from drsl.features.freshness import encoder_of
    from drsl.features.manifest import SPLITS

    found = read_features(file)
    encoder = encoder_of(found)
    norms = np.linalg.norm(found.feature, axis=1)
    facts = [
        ("rows", f"{len(found)} of width {found.feature.shape[1]}"),
        ("data set", f"{found.attrs.get('dataset', '?')}, {found.attrs.get('modality', '?')}"),
        *((key, str(value)) for key, value in sorted(encoder.items()) if not isinstance(value, dict | list)),
        *(
            ("imported", f"{each['split']} from {each['file']} {each['variable']} (SHA-256 {each['sha256'][:12]})")
            for each in encoder.get("imported", ())
        ),
        ("row norm", f"{norms.min():.3g} to {norms.max():.3g}, mean {norms.mean():.3g}" if len(found) else "-"),
        ("zeros", f"{(found.feature == 0).mean():.1%} of all values; {(norms == 0).sum()} rows are zero"),
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
    from drsl.features import read_features

    for file in files:
        found = read_features(file)
        click.echo(f"{file}: whole, {len(found)} rows, digest {str(found.attrs['digest'])[:12]}")


@features.command()
@click.argument("first", type=_FILE)
@click.argument("second", type=_FILE)
def diff(first: Path, second: Path) -> None:
    """Say in what two feature files differ; exit code 1 when they do.

    \b
    Example:
      drsl features diff features/emoji/image.h5 other/image.h5
    """
    import sys

    from drsl.features import read_features
    from drsl.features.compare import compare_features

    lines = compare_features(read_features(first), read_features(second))
    for line in lines:
        click.echo(line)
    if not lines:
        click.echo("equal: ids, labels, splits and all feature values")
    sys.exit(1 if lines else 0)
