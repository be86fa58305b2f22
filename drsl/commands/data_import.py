"""`drsl data import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drsl.features.errors import SettingError, require
from drsl.features.layout import Layout
from drsl.params import find_project, read_params
from drsl.params_edit import add_dataset, check_name
from drsl.project import Project

if TYPE_CHECKING:
    from drsl.features.importers import ImportPlan

_SCOPES = (1, 5, 10, 20, 50, 100, 200, 400, 1000, 2000, 4000)
_SETTINGS = ("val_from", "val_count", "seed", "orientation", "labels_from", "standardize")
_PLACE = "SPLIT=FILE[:VAR]"


@click.command("import")
@click.option("-d", "--dataset", required=True, help="The data set's name; its block in params.yaml is made if absent.")
@click.option("--image", multiple=True, required=True, metavar=_PLACE, help="Image features of a split.")
@click.option("--text", multiple=True, required=True, metavar=_PLACE, help="Text features of a split.")
@click.option("--label", multiple=True, metavar=_PLACE, help="Labels of a split, of images and texts alike.")
@click.option("--image-label", multiple=True, metavar=_PLACE, help="Labels of the images, when texts have others.")
@click.option("--text-label", multiple=True, metavar=_PLACE, help="Labels of the texts, when images have others.")
@click.option("--classes", metavar="FILE|A,B,C", help="Class names in the order of their numbers.")
@click.option("--ids", multiple=True, metavar=_PLACE, help="Ids of the couples of a split. Default: train-0001 ...")
@click.option("--val-from", metavar="test|train", help="Draw the val split from this one.")
@click.option("--val-count", type=int, help="How many couples to draw.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the draw.")
@click.option("--orientation", metavar="rows|columns", help="How matrices lie that fit both ways.")
@click.option("--labels-from", metavar="0|1", type=int, help="What labels count from, when they do not show it.")
@click.option("--standardize", is_flag=True, help="Bring each number to mean 0, deviation 1, as measured on train.")
@click.pass_obj
def import_features(folder: Path | None, /, dataset: str, **options: Any) -> None:
    """Take published features (.mat, .npy, .npz, .h5) as a data set, ready for `drsl fit`.

    VAR is the array's name in the file, or the number of a text file's column.

    \b
    Example:
      drsl data import -d mine --image train=img.mat:I_tr --image test=img.mat:I_te \\
        --text train=txt.npz:train --text test=txt.npz:test \\
        --label train=train.list:3 --label test=test.list:3
    """
    from drsl.features.importers import ImportRequest, plan_import, write_import
    from drsl.features.importers.location import parse_splits

    check_name(dataset)
    params = read_params(find_project(folder))
    project = Project(params, Layout(params.root, dataset))
    known = dataset in (params.content.get("datasets") or {})
    if known and not project.imported:
        raise SettingError(f"data set {dataset!r} has another source in params.yaml: take another name")
    sides = {"both": options["label"], "image": options["image_label"], "text": options["text_label"]}
    given = {side: parse_splits(f"--{side}-label".replace("both-", ""), each) for side, each in sides.items() if each}
    require(
        set(given) in ({"both"}, {"image", "text"}),
        "give either --label for images and texts alike, or --image-label and --text-label",
    )
    request = ImportRequest(
        features={each: parse_splits(f"--{each}", options[each]) for each in ("image", "text")},
        labels=given,
        ids=parse_splits("--ids", options["ids"]),
        classes=_class_names(options["classes"]),
        **{key: options[key] for key in _SETTINGS},
    )
    plan = plan_import(request)
    layout = project.layout
    block = _block(plan)

    def finish() -> None:
        if not known:
            add_dataset(params.root, dataset, block)

    with project.writing(f"import@{dataset}", layout.features("image"), layout.features("text"), layout.manifest):
        write_import(plan, layout, finish)
    for note in plan.notes:
        click.echo(note)
    if not known:
        click.echo(f"params.yaml has a new block datasets.{dataset}: look at its drsl settings")
    if not any(item.split == "val" for item in plan.items):
        click.echo(
            "warning: there is no val split, so no epoch and no setting can be selected; DRSL then keeps its last "
            "epoch. `--val-from test --val-count N` or `--val-from train ...` draws one",
            err=True,
        )


def _class_names(given: str | None) -> tuple[str, ...]:
    if given is None:
        return ()
    path = Path(given)
    try:
        lines = path.read_text("utf-8-sig").splitlines() if path.is_file() else given.split(",")
    except UnicodeDecodeError as error:
        raise SettingError(f"--classes: {given}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    names = tuple(each.strip() for each in lines)
    while names and not names[-1]:
        names = names[:-1]
    require(
        bool(names) and all(names) and len(set(names)) == len(names),
        f"--classes: {given!r} must be a file of names, one a line, or names with commas between; each once",
    )
    require(len(names) > 1, f"--classes: {given} is not there")
    return names


def _block(plan: ImportPlan) -> dict[str, Any]:
    """Settings to start from: the paper's layers, no wider than of use, and scopes that fit the test split."""
    test = min(sum(item.split == "test" for item in side.items) for side in plan.sides.values())
    scopes = [each for each in _SCOPES if each <= test]
    return {
        "source": "features",
        "drsl": {
            "preset": "paper",
            "image_fnn": [1024, 300],
            "text_fnn": [1024, 300],
            "relation": [1024],
            "batch": 200,
            "epochs": 100,
        },
        "evaluate": {"at": [min(50, scopes[-1])], "scope": scopes},
    }
