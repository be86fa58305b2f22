"""The command `drsl`. Groups and commands are imported when they are called, so that `--help` is quick."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from drsl import __version__
from drsl.commands.lazy import LazyGroup
from drsl.features.errors import UserError
from drsl.features.stopping import Stopped

__all__ = ["main"]

# Command, where it lives, and its line in `drsl --help`, in the order of the stages.
_COMMANDS = {
    "data": ("drsl.commands.data:data", "A data set: add your own, prepare, check, or import features."),
    "finetune": ("drsl.commands.finetune:finetune", "Stage one: train the image or the text network."),
    "encode": ("drsl.commands.encode:encode", "Stage one: write one feature an image or a text."),
    "fit": ("drsl.commands.fit:fit", "Stage two: train a method on the features, score the test split."),
    "evaluate": ("drsl.commands.evaluate:evaluate", "Metrics and curves from the test scores."),
    "report": ("drsl.commands.report:report", "Table and page of all methods, published numbers beside ours."),
    "compare": ("drsl.commands.compare:compare", "All methods and seeds in one go: fit, evaluate, report."),
    "tune": ("drsl.commands.tune:tune", "Try a method's settings on the val split, keep the best in params.yaml."),
    "methods": ("drsl.commands.methods:methods", "What the methods are, and what can be set."),
    "features": ("drsl.commands.features:features", "Look into a feature file, prove it whole, compare two."),
    "search": ("drsl.commands.search:search", "Find images for words, or texts for a picture."),
    "serve": ("drsl.commands.serve:serve", "A search page for words and pictures, in your browser."),
    "doctor": ("drsl.commands.doctor:doctor", "What is installed, found and missing here."),
}


@click.group(
    cls=LazyGroup,
    commands_at=_COMMANDS,
    heading="Commands, in the order of the stages",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="drsl")
@click.option(
    "-C",
    "--project",
    type=click.Path(file_okay=False, path_type=Path),
    help="The project's folder, the one with params.yaml. Default: this folder, or the nearest above that has it.",
)
@click.option(
    "--color/--no-color",
    default=None,
    help="Default: colours in a terminal, unless the environment variable NO_COLOR is set.",
)
@click.pass_context
def _cli(context: click.Context, project: Path | None, color: bool | None) -> None:
    """Retrieve images with words and words with images.

    \b
    The whole pipeline, from raw data to the report:  dvc repro
    One stage by hand, here on the default data set:
      drsl data prepare -d emoji
      drsl finetune image -d emoji
      drsl encode image -d emoji
      drsl fit -d emoji -m drsl-c -s 0
      drsl evaluate -d emoji -m drsl-c -s 0
      drsl search -d emoji "red fruit"
      drsl serve -d emoji --open
    All settings are in params.yaml. `drsl COMMAND --help` has examples.
    """
    context.obj = project
    # None leaves it to click, which colours in a terminal; NO_COLOR it does not know (https://no-color.org).
    context.color = False if color is None and os.environ.get("NO_COLOR") else color


def main() -> None:
    """Runs the command line; an error meant for people is one line on stderr and exit code 1."""
    try:
        status = _cli.main(prog_name="drsl", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.exceptions.Abort:
        click.echo("stopped; run the same command again to go on", err=True)
        sys.exit(130)
    except Stopped as stop:
        click.echo(f"stopped: {stop}", err=True)
        sys.exit(128 + stop.signal)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except UserError as error:
        click.echo(f"drsl: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
