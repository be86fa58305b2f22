"""`drsl doctor`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.pass_obj
def doctor(folder: Path | None) -> None:
    """Print what is installed, which optional parts and weights are found, and the state of each data set.

    \b
    Example:
      drsl doctor
    """
    from itertools import groupby

    from drsl.commands.tables import screen_width, wrap
    from drsl.doctor import examine

    facts = list(examine(folder))
    names = [_short(fact.name) for fact in facts]
    width = max(len(name) for name in names)
    room = screen_width()
    for part, group in groupby(zip(facts, names, strict=True), key=lambda each: each[0].part):
        click.secho(part, bold=True)
        for fact, name in group:
            mark = {True: "ok", False: "--", None: "  "}[fact.good]
            color = {True: "green", False: "yellow", None: None}[fact.good]
            click.echo(
                click.style(f"  {mark:>2}", fg=color) + f"  {name:<{width}}  " + wrap(fact.text, width + 8, room)
            )
        click.echo()
    problems = sum(fact.good is False for fact in facts)
    click.echo(f"{problems} things are missing; each line marked -- says what to do" if problems else "all is there")


def _short(name: str) -> str:
    """A fact's name without the data set, which stands above it."""
    return name.rpartition(": ")[2]
