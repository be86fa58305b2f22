"""What every command needs: the project's folder, its settings, the files of a data set, a device, a lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from drsl.features.errors import SettingError
from drsl.features.layout import Layout
from drsl.features.lock import exclusive
from drsl.params import Params, find_project, read_params

__all__ = ["Project", "dataset_option", "method_option", "seed_option"]

_Command = Callable[..., Any]


def dataset_option(command: _Command) -> _Command:
    """The option `-d NAME`.

    Args:
        command: a click callback.

    Returns:
        The callback with the option.
    """
    return click.option("-d", "--dataset", default="emoji", show_default=True, help="A data set of params.yaml.")(
        command
    )


def method_option(command: _Command) -> _Command:
    """The option `-m METHOD`.

    Args:
        command: a click callback.

    Returns:
        The callback with the option.
    """
    return click.option("-m", "--method", default="drsl-c", show_default=True, help="What scores the pairs.")(command)


def seed_option(command: _Command) -> _Command:
    """The option `-s SEED`.

    Args:
        command: a click callback.

    Returns:
        The callback with the option.
    """
    return click.option("-s", "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed.")(
        command
    )


@dataclass(frozen=True)
class Project:
    """A project's folder with its settings, for one data set."""

    params: Params
    layout: Layout

    @classmethod
    def open(cls, context_folder: Path | None, dataset: str) -> Project:
        """Finds the project and checks that the data set is known.

        Args:
            context_folder: what `-C` named.
            dataset: what `-d` named.

        Returns:
            The project.

        Raises:
            UserError: no params.yaml, or no such data set.
        """
        params = read_params(find_project(context_folder))
        params.dataset(dataset)
        return cls(params, Layout(params.root, dataset))

    @property
    def imported(self) -> bool:
        """Whether the data set's features were imported: then it has no pictures, no texts and no networks."""
        return self.params.dataset(self.layout.dataset).get("source") == "features"

    def require_raw(self, purpose: str) -> None:
        """Stops what needs pictures or texts on a data set whose features were imported.

        Args:
            purpose: what needs them, as the message's subject.

        Raises:
            SettingError: the data set has `source: features`.
        """
        if self.imported:
            name = self.layout.dataset
            raise SettingError(
                f"data set {name!r} holds imported features (source: features), no pictures and texts, so {purpose}: "
                f"go on with `drsl fit -d {name}`, or import it again with `drsl data import -d {name}`"
            )

    @contextmanager
    def writing(self, stage: str | None, *outputs: Path) -> Iterator[None]:
        """Holds the lock of a stage's outputs; afterwards says what was written, and how to keep it under DVC.

        Args:
            stage: the stage's name in dvc.yaml; None for what no stage makes.
            outputs: the files that the block writes; the first names the lock.

        Yields:
            Nothing.

        Raises:
            UserError: another process is writing them.
        """
        with exclusive(self.params.root / "work" / "locks", self.layout.show(outputs[0])):
            yield
        for path in outputs:
            click.echo(f"wrote {self.layout.show(path)}")
        run = self.params.content.get("run")
        listed = not isinstance(run, dict) or self.layout.dataset in (run.get("datasets") or ())
        if stage and listed and "DVC_STAGE" not in os.environ and (self.params.root / "dvc.lock").is_file():
            click.echo(f"to keep this result: dvc commit -f {stage}   (`dvc repro` would put the recorded one back)")

    def device(self) -> str:
        """Settles the `device` setting.

        Returns:
            `cpu` or `cuda`.

        Raises:
            SettingError: `cuda` is set, but torch finds no GPU.
        """
        import torch

        there = torch.cuda.is_available()
        if self.params.device == "cuda" and not there:
            raise SettingError("device: cuda is set in params.yaml, but torch finds no GPU here; set auto or cpu")
        return "cuda" if there and self.params.device != "cpu" else "cpu"
