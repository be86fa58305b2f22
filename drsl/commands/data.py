"""The group `drsl data`; its commands have files of their own, so that a stage depends on its own command alone."""

from __future__ import annotations

import click

from drsl.commands.lazy import LazyGroup

__all__ = ["data"]

_COMMANDS = {
    "add": ("drsl.commands.data_add:add", "Check your own images and texts and write their block into params.yaml."),
    "import": ("drsl.commands.data_import:import_features", "Take published features as a data set."),
    "check": ("drsl.commands.data_check:check", "Say what is there, what is missing, and what is wrong."),
    "prepare": ("drsl.commands.data_prepare:prepare", "Read a source and write the manifest."),
}


@click.group(cls=LazyGroup, commands_at=_COMMANDS)
def data() -> None:
    """Make a data set's manifest, or check one; import features that others published.

    \b
    drsl data add NAME PATH       checks your own data and writes their block into params.yaml
    drsl data prepare -d emoji    draws the default data set
    drsl data check -d emoji      says what is there, by split and class, and what is wrong
    drsl data import --help       takes feature files that exist already
    """
