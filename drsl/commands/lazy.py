"""Groups that name their commands without importing them, so that `--help` is quick."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called.

    Args:
        commands_at: name of each command, where it lives (`module:function`), and its line in the group's help.
        heading: of the list of commands.
    """

    def __init__(
        self,
        *args: Any,
        commands_at: Mapping[str, tuple[str, str]],
        heading: str = "Commands",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._at = commands_at
        self._heading = heading

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in order.

        Args:
            ctx: click's.

        Returns:
            The names.
        """
        return list(self._at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command.

        Args:
            ctx: click's.
            cmd_name: its name.

        Returns:
            The command, or None for an unknown name.
        """
        if cmd_name not in self._at:
            return None
        module, _, name = self._at[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command that is called.

        Args:
            ctx: click's.
            args: the words after the group's name.

        Returns:
            As click has it.

        Raises:
            UserError: there is no such command; the nearest is named.
        """
        if args and args[0] not in self._at and not args[0].startswith("-"):
            from drsl.features.errors import UserError, did_you_mean

            near = did_you_mean(args[0], self._at)
            raise UserError(f"there is no command {args[0]!r}{near}; see `{ctx.command_path} --help`")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands.

        Args:
            ctx: click's.
            formatter: click's.
        """
        with formatter.section(self._heading):
            formatter.write_dl([(name, line) for name, (_, line) in self._at.items()])
