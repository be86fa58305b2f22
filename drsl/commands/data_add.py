"""`drsl data add`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from drsl.extract.sources.placing import Reject
    from drsl.features.manifest import Item

__all__ = ["add"]


@click.command()
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the splits.")
@click.option(
    "--captions",
    type=click.Choice(["together", "each"]),
    default="together",
    show_default=True,
    help="Several captions of an image: one item, or one item each.",
)
@click.option(
    "--like",
    metavar="DATASET",
    help="Copy the image, text and drsl settings of this data set.  [default: emoji, with images as photos need them]",
)
@click.option(
    "--max-reject-fraction",
    type=click.FloatRange(0, 1),
    default=0.01,
    show_default=True,
    help="Share of items that may be unusable.",
)
@click.option("--run", is_flag=True, help="Make it the data set that `dvc repro` runs.")
@click.option("--dry-run", is_flag=True, help="Print the block and write nothing.")
@click.pass_obj
def add(
    folder: Path | None,
    name: str,
    path: Path,
    seed: int,
    captions: str,
    like: str | None,
    max_reject_fraction: float,
    run: bool,
    dry_run: bool,
) -> None:
    """Check your own data and write their block into params.yaml.

    PATH is a folder with one folder a class, images beside .txt files of the same name; or a CSV file with the columns
    image, text, label and, if you have them, id and split.

    \b
    Examples:
      drsl data add flowers ~/photos/flowers --run
      drsl data add shop shop.csv --like flowers
    """
    from drsl.data_block import dataset_block
    from drsl.extract.sources.own_data import OwnDataConfig, refuse_overlap, settle_splits, survey
    from drsl.extract.sources.placing import refuse_too_many
    from drsl.features.layout import Layout
    from drsl.params import find_project, read_params
    from drsl.params_edit import add_dataset, check_new_name, render_dataset
    from drsl.progress import bar

    params = read_params(find_project(folder))
    check_new_name(params, name)
    known = params.content.get("datasets") or {}
    base = params.dataset(like or ("emoji" if "emoji" in known else next(iter(known), "emoji")))
    path = path.resolve()
    refuse_overlap(path, Layout(params.root, name).manifest.parent)
    prepare: dict[str, Any] = {"path": Layout(params.root, name).show(path)}
    prepare |= {"train": 0.7, "val": 0.1, "test": 0.2, "seed": seed}
    prepare |= {"captions": captions, "max_reject_fraction": max_reject_fraction}
    config = OwnDataConfig(**{**prepare, "path": str(path)})
    source, read = _reader(path)
    with bar("items", "item") as update:
        found = survey(read, config, lambda done, total: update(done, total, ""))
    _show_faults("rejected", found.rejects)
    _show_faults("left alone", found.strays)
    refuse_too_many(found.rejects, len(found.items), max_reject_fraction, "mend them, or see --max-reject-fraction")
    items = settle_splits(found.items, found.family, config)
    _show_counts(items)
    made = "as the data have them" if found.items[0].split else f"made here, class by class, with seed {seed}"
    click.echo(f"splits: {made}")
    chosen = dataset_block({"source": source, "prepare": prepare}, items, base, keep_image=like is not None)
    for reason in chosen.reasons:
        click.echo(reason)
    if dry_run:
        click.echo(render_dataset(name, chosen.block).rstrip())
        return
    add_dataset(params.root, name, chosen.block, run=run)
    click.echo(f"wrote the block of {name} into params.yaml")
    if run:
        click.echo(f"`dvc repro` now runs {name}: its line in params.yaml is `datasets: [{name}]` under `run:`")
    else:
        click.echo(f"to let `dvc repro` run it, put `datasets: [{name}]` under `run:` in params.yaml")
    click.echo(f'next:\n  dvc repro\n  drsl search -d {name} "some words"')


def _reader(path: Path) -> tuple[str, Any]:
    """Name and reading function of the source that the path is for."""
    from drsl.extract.sources.folder import read_folder
    from drsl.extract.sources.manifest_file import read_manifest_file
    from drsl.features.errors import MissingFile

    if path.is_dir():
        return "folder", read_folder
    if path.is_file():
        return "manifest", read_manifest_file
    raise MissingFile(f"{path} is not there: name a folder with one folder a class, or a CSV file")


def _show_counts(items: Sequence[Item]) -> None:
    from drsl.commands.tables import table
    from drsl.features.manifest import SPLITS

    count = Counter((item.label, item.split) for item in items)
    total = Counter(item.split for item in items)
    rows = [(label, *(count[label, split] for split in SPLITS)) for label in sorted({item.label for item in items})]
    click.echo(table(("class", *SPLITS), [*rows, ("all", *(total[split] for split in SPLITS))]))
    both = sum(bool(item.image and item.text) for item in items)
    alone = Counter("image" if item.image else "text" for item in items if not (item.image and item.text))
    click.echo(
        f"{len(items)} items: {both} with image and text, {alone['image']} without text, {alone['text']} without image"
    )


def _show_faults(title: str, faults: Sequence[Reject]) -> None:
    for each in faults[:5]:
        click.echo(f"{title}: {each.path or each.id}: {each.reason}", err=True)
    if len(faults) > 5:
        kinds = Counter(each.reason for each in faults)
        most = ", ".join(f"{number} x {reason}" for reason, number in kinds.most_common(4))
        click.echo(f"{title}: {len(faults)} in all: {most}", err=True)
