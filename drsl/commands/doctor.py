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
    from drsl.doctor import examine

    facts, problems = list(examine(folder)), 0
    width = max(len(fact.name) for fact in facts)
    for fact in facts:
        mark = {True: "ok", False: "--", None: "  "}[fact.good]
        problems += fact.good is False
        color = {True: "green", False: "yellow", None: None}[fact.good]
        click.echo(click.style(f"{mark:>2}", fg=color) + f"  {fact.name:<{width}}  {fact.text}")
    click.echo(f"{problems} things are missing; each line marked -- says what to do" if problems else "all is there")
