"""`drsl methods`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drsl.project import Project, dataset_option

if TYPE_CHECKING:
    from drsl.train.methods.describe import About


@click.command()
@click.argument("name", required=False)
@dataset_option
@click.option("--markdown", is_flag=True, help="Write docs/methods.md, which the report's tables link to.")
@click.pass_obj
def methods(folder: Path | None, name: str | None, dataset: str, markdown: bool) -> None:
    """List the methods that can be compared; with NAME, one method's settings and what they mean.

    \b
    Examples:
      drsl methods
      drsl methods cca -d emoji
    """
    from drsl.train import method_names
    from drsl.train.methods.describe import describe

    project = Project.open(folder, dataset)
    if markdown:
        from drsl.features.atomic import write_text
        from drsl.method_page import method_page

        path = project.params.root / "docs" / "methods.md"
        write_text(path, method_page())
        click.echo(f"wrote {project.layout.show(path)}")
    elif name is None:
        for each in method_names():
            _show_in_short(project, describe(each))
        click.echo(f"One method's settings: drsl methods NAME -d {dataset}. Try one: drsl fit -d {dataset} -m NAME")
        click.echo(f"All of them, with a table: drsl compare -d {dataset}")
    else:
        _show_in_full(project, describe(name))


def _show_in_short(project: Project, about: About) -> None:
    usual = {each.name: each.default for each in about.settings}
    own = {key: value for key, value in _asked(project, about.name).items() if value != usual.get(key, ...)}
    said = ", ".join(f"{key}: {_word(value)}" for key, value in own.items()) or "its own defaults"
    click.echo(f"{click.style(about.name, bold=True)}: {about.line}")
    click.echo(f"    {about.source}")
    click.echo(f"    {_seeds(about)}; on {project.layout.dataset}: {said}")


def _show_in_full(project: Project, about: About) -> None:
    from drsl.commands.tables import table
    from drsl.features.errors import UserError
    from drsl.train.methods import get_method, read_about

    layout, name = project.layout, about.name
    click.echo(f"{click.style(name, bold=True)}: {about.line}\n{about.source}\n{_seeds(about)}")
    for modality, kind in about.parts.items():
        click.echo(f"needs parts: {modality} {kind} ({layout.show(layout.parts(modality, kind))})")
    values = {**get_method(name, **_asked(project, name)).settings}
    if "preset" in _asked(project, name):
        values["preset"] = _asked(project, name)["preset"]
    grid = project.params.grid(name)
    rows = [
        (
            each.name,
            _word(values.get(each.name, each.default)),
            _word(each.default),
            _word(grid[each.name]) if each.name in grid else "",
            each.meaning,
        )
        for each in about.settings
    ]
    click.echo("")
    click.echo(
        table(("setting", f"on {layout.dataset}", "default", "drsl tune tries", "meaning"), rows, (0, 1, 2, 3, 4))
    )
    try:
        fitted = read_about(layout.run(name, 0).model)["settings"]
    except UserError:
        fitted = {}
    chosen = {key: value for key, value in fitted.items() if _is_chosen(values.get(key), value)}
    if chosen:
        said = ", ".join(f"{key}: {_word(value)}" for key, value in chosen.items())
        click.echo(f"\nOf several values the best on val is taken; the fitted method (seed 0) has {said}")
    click.echo(f"\nSet them in params.yaml, for all data sets or for one:\n\nmethods:\n  {name}:")
    click.echo(f"    datasets:\n      {layout.dataset}: {{{_example(about)}}}")
    click.echo(
        f"\nthen: drsl fit -d {layout.dataset} -m {name}; or let val choose: drsl tune -d {layout.dataset} -m {name}"
    )


def _asked(project: Project, name: str) -> dict[str, Any]:
    return project.params.method(project.layout.dataset, name)


def _seeds(about: About) -> str:
    return "random: a run a seed" if about.stochastic else "nothing random: one run says all"


def _word(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_word(each) for each in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "–" if value is None else str(value)


def _example(about: About) -> str:
    known = {each.name: each.default for each in about.settings}
    key = next((each for each in ("learning_rate", "components", *known) if each in known), None)
    return f"{key}: {_word(known[key])}" if key else ""


def _is_chosen(asked: Any, fitted: Any) -> bool:
    return isinstance(asked, list) and isinstance(fitted, list) and len(asked) > 1 and len(fitted) == 1
