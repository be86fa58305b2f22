"""`drsl compare`."""

from __future__ import annotations

from pathlib import Path

import click

from drsl.project import Project, dataset_option


@click.command()
@dataset_option
@click.option(
    "-m", "--method", "methods", multiple=True, help="A method, once or more.  [default: all that can run here]"
)
@click.option("-s", "--seed", "chosen", type=click.IntRange(min=0), multiple=True, help="A seed, once or more.")
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="So many seeds, from 0.")
@click.option("--force", is_flag=True, help="Fit again what is up to date too.")
@click.pass_context
def compare(
    context: click.Context, dataset: str, methods: tuple[str, ...], chosen: tuple[int, ...], seeds: int, force: bool
) -> None:
    """Fit, evaluate and report all methods with several seeds, in one go.

    What has been made with the same settings, features and code is not made again, so a run that was stopped goes on.
    Methods without a random part run once. One that fails does not stop the others.

    \b
    Examples:
      drsl compare -d emoji
      drsl compare -d emoji -m drsl-c -m deep-sm -m cca --seeds 3
    """
    from contextlib import ExitStack

    from drsl import comparison
    from drsl.evaluate.report.build import write_report
    from drsl.evaluate.tables import as_markdown
    from drsl.features.errors import SettingError
    from drsl.progress import bar
    from drsl.stage_two import read_pair
    from drsl.train.memory import restart_peak

    folder: Path | None = context.obj
    if chosen and context.get_parameter_source("seeds") is click.core.ParameterSource.COMMANDLINE:
        raise SettingError("give either seeds (-s 0 -s 1) or how many (--seeds 5)")
    project = Project.open(folder, dataset)
    planned = comparison.plan(project, methods, chosen or range(seeds))
    image, text = read_pair(project)
    for method, why in planned.left_out:
        click.echo(f"left out: {method} ({why})")
    if not restart_peak():
        click.echo(
            "this system cannot measure the memory of a run apart: the numbers are the whole process's", err=True
        )
    width = max((len(method) for method, _ in planned.runs), default=0)
    done = 0
    with ExitStack() as bars:

        def progress(method: str, seed: int) -> comparison.Progress:
            bars.close()  # the bar of the run before
            return bars.enter_context(bar(f"fit {method}, seed {seed}", "step"))

        def say(run: comparison.Outcome) -> None:
            nonlocal done
            bars.close()
            done += 1
            head = f"[{done:{len(str(len(planned.runs)))}}/{len(planned.runs)}] {run.method:{width}} seed {run.seed}"
            if run.error:
                click.echo(f"{head}  failed: {run.error}", err=True)
                return
            i2t, t2i, mean = (run.metrics[f"{key}_map"] for key in ("i2t", "t2i", "mean"))
            took = f"{run.seconds:.1f} s" if run.fitted else "up to date"
            click.echo(f"{head}  mAP {mean:.3f} (i2t {i2t:.3f}, t2i {t2i:.3f})  {took}")

        outcomes = comparison.compare(project, image, text, planned.runs, force=force, progress=progress, said=say)
    failed = [run for run in outcomes if run.error]
    if len(failed) < len(outcomes):
        with project.writing(None, project.layout.report / "index.html", *_tables(project)):
            found = write_report(project.layout)
        click.echo(f"\n{as_markdown(found.table)}")
        for sentence in found.findings:
            click.echo(sentence)
        click.echo(f"\n{as_markdown(found.costs)}")
    _say_how_to_keep(project, [run for run in outcomes if run.fitted and not run.error])
    if failed:
        click.echo(f"{len(failed)} of {len(outcomes)} runs failed:", err=True)
        for run in failed:
            older = (
                "; the table shows its older result"
                if project.layout.run(run.method, run.seed).result.is_file()
                else ""
            )
            click.echo(f"  {run.method}, seed {run.seed}: {run.error}{older}", err=True)
        context.exit(1)


def _tables(project: Project) -> list[Path]:
    return [project.layout.report / name for name in ("table.csv", "table.md")]


def _say_how_to_keep(project: Project, fitted: list) -> None:  # type: ignore[type-arg]
    """Runs that `dvc repro` makes too would be put back to the recorded ones."""
    listed = project.params.content.get("run")
    if not isinstance(listed, dict) or not (project.params.root / "dvc.lock").is_file():
        return
    if project.layout.dataset not in (listed.get("datasets") or ()):
        return
    ours = [
        f"{project.layout.dataset}-{run.method}-{run.seed}"
        for run in fitted
        if run.method in (listed.get("methods") or ()) and run.seed in (listed.get("seeds") or ())
    ]
    if ours:
        stages = " ".join(f"fit@{each} evaluate@{each}" for each in ours)
        click.echo(f"to keep what `dvc repro` makes too: dvc commit -f {stages} report@{project.layout.dataset}")
