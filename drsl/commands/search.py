"""`drsl search`."""

from __future__ import annotations

from pathlib import Path

import click

from drsl.project import Project, dataset_option, method_option, seed_option


@click.command()
@click.argument("words", nargs=-1)
@click.option("--image", type=click.Path(path_type=Path), help="Find texts for this picture instead.")
@click.option("--item", help="Find texts for the picture of the item with this id instead; or, with --find image, ...")
@click.option(
    "--find", type=click.Choice(["image", "text"]), default="text", show_default=True, help="... images for its text."
)
@dataset_option
@method_option
@seed_option
@click.option("-k", "--count", type=click.IntRange(min=1), default=10, show_default=True, help="Number of answers.")
@click.option("--split", default="test", show_default=True, help="What is searched: test, val, train or all.")
@click.option("--class", "expected", help="The class that counts as right. Default: the query classifier's guess.")
@click.option("--only", help="Answers of this class only.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--save", type=click.Path(path_type=Path), help="Write a contact sheet (PNG).")
@click.pass_obj
def search(
    folder: Path | None,
    words: tuple[str, ...],
    image: Path | None,
    item: str | None,
    find: str,
    dataset: str,
    method: str,
    seed: int,
    count: int,
    split: str,
    expected: str | None,
    only: str | None,
    as_json: bool,
    save: Path | None,
) -> None:
    """Find images for words, or texts for a picture.

    \b
    Examples:
      drsl search -d emoji "red fruit"
      drsl search -d emoji "sad face" -k 5 --save sheet.png
      drsl search -d emoji --image photo.jpg -m drsl-m
      drsl search -d emoji --item 1F34E --find image --only "Food & Drink"
    """
    import json
    import sys
    from functools import partial

    from drsl.commands.tables import screen_width, table
    from drsl.features.errors import choose
    from drsl.search.answers import answer_as_json
    from drsl.search.searcher import Searcher
    from drsl.search.sheet import save_sheet
    from drsl.train import method_names

    text = " ".join(words).strip()
    if bool(text) + bool(image) + bool(item) != 1:
        raise click.UsageError('give either words, as in `drsl search "red fruit"`, or --image FILE, or --item ID')
    project = Project.open(folder, dataset)
    project.require_raw("a query has no encoder and an answer nothing to show")
    say = partial(click.echo, err=True) if sys.stderr.isatty() else lambda line: None
    searcher = Searcher(project.layout, choose("method", method, method_names()), seed, split, say)
    if item:
        answer = searcher.find_for_item(item, find, count, expected, only)
    elif image:
        answer = searcher.find_texts(image, count, expected, only)
    else:
        answer = searcher.find_images(text, count, expected, only)
    right = sum(bool(hit.right) for hit in answer.hits)
    if as_json:
        found = answer_as_json(answer, text or item or str(image), dataset, method)
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        if answer.unknown_words:
            click.echo(f"no word vector for: {', '.join(answer.unknown_words)}", err=True)
        why = "by the query's own classifier" if answer.predicted else "as you said" if expected else "its own"
        click.echo(f"expected class: {answer.expected} ({why}); {right} of {len(answer.hits)} right")
        rows = [
            (
                hit.rank,
                "right" if hit.right else "wrong",
                hit.item.id,
                f"{hit.score:.3f}",
                hit.item.label,
                hit.item.text,
            )
            for hit in answer.hits
        ]
        head = ("", "", "id", "score", "class", "text")
        shown = table(head, rows, left=(1, 2, 4, 5), width=screen_width()).splitlines()
        click.echo(shown[0])
        for line, hit in zip(shown[1:], answer.hits, strict=True):
            click.secho(line, fg="green" if hit.right else "red")
    if save:
        title = f"{text or item or image}   ({method}, {split} split, expected {answer.expected})"
        save_sheet(save, title, answer.hits, project.layout.manifest.parent, image)
        wrong = len(answer.hits) - right
        frames = f"{len(answer.hits)} answers, {right} right (framed green), {wrong} wrong (framed red)"
        click.echo(f"wrote {save}: {frames}", err=as_json)
