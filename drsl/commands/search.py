"""`drsl search`."""

from __future__ import annotations

from pathlib import Path

import click

from drsl.project import Project, dataset_option, method_option, seed_option


@click.command()
@click.argument("words", nargs=-1)
@click.option("--image", type=click.Path(path_type=Path), help="Find texts for this picture instead.")
@dataset_option
@method_option
@seed_option
@click.option("-k", "--count", type=click.IntRange(min=1), default=10, show_default=True, help="Number of answers.")
@click.option("--split", default="test", show_default=True, help="What is searched: test, val, train or all.")
@click.option("--class", "expected", help="The class that counts as right. Default: the query classifier's guess.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--save", type=click.Path(path_type=Path), help="Write a contact sheet (PNG).")
@click.pass_obj
def search(
    folder: Path | None,
    words: tuple[str, ...],
    image: Path | None,
    dataset: str,
    method: str,
    seed: int,
    count: int,
    split: str,
    expected: str | None,
    as_json: bool,
    save: Path | None,
) -> None:
    """Find images for words, or texts for a picture.

    \b
    Examples:
      drsl search -d emoji "red fruit"
      drsl search -d emoji "sad face" -k 5 --save sheet.png
      drsl search -d emoji --image photo.jpg -m drsl-m
    """
    import json
    import sys
    from functools import partial

    from drsl.commands.tables import table
    from drsl.features.errors import choose
    from drsl.search.searcher import Searcher
    from drsl.search.sheet import save_sheet
    from drsl.train import method_names

    text = " ".join(words).strip()
    if bool(text) == bool(image):
        raise click.UsageError('give either words, as in `drsl search "red fruit"`, or --image FILE')
    project = Project.open(folder, dataset)
    project.require_raw("a query has no encoder and an answer nothing to show")
    say = partial(click.echo, err=True) if sys.stderr.isatty() else lambda line: None
    searcher = Searcher(project.layout, choose("method", method, method_names()), seed, split, say)
    answer = searcher.find_texts(image, count, expected) if image else searcher.find_images(text, count, expected)
    if as_json:
        hits = [
            {
                "rank": hit.rank,
                "id": hit.item.id,
                "text": hit.item.text,
                "image": hit.item.image,
                "label": hit.item.label,
                "score": round(hit.score, 6),
                "right": hit.right,
            }
            for hit in answer.hits
        ]
        found = {
            "query": text or str(image),
            "dataset": dataset,
            "method": method,
            "expected": answer.expected,
            "expected_is_predicted": answer.predicted,
            "unknown_words": list(answer.unknown_words),
            "hits": hits,
        }
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        if answer.unknown_words:
            click.echo(f"no word vector for: {', '.join(answer.unknown_words)}", err=True)
        why = "by the query's own classifier" if answer.predicted else "as you said"
        click.echo(f"expected class: {answer.expected} ({why})")
        rows = [
            (
                f"{hit.rank:>2}  " + ("right" if hit.right else "wrong"),
                hit.item.id,
                f"{hit.score:.3f}",
                hit.item.label,
                hit.item.text,
            )
            for hit in answer.hits
        ]
        shown = table(("    ", "id", "score", "class", "text"), rows, left=(0, 1, 3, 4)).splitlines()
        click.echo(shown[0])
        for line, hit in zip(shown[1:], answer.hits, strict=True):
            click.secho(line, fg="green" if hit.right else "red")
    if save:
        title = f"{text or image}   ({method}, {split} split, expected {answer.expected})"
        save_sheet(save, title, answer.hits, project.layout.manifest.parent, image)
        click.echo(f"wrote {save}", err=as_json)
