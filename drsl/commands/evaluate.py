"""`drsl evaluate`."""

from __future__ import annotations

from pathlib import Path

import click

from drsl.project import Project, dataset_option, method_option, seed_option


@click.command()
@dataset_option
@method_option
@seed_option
@click.pass_obj
def evaluate(folder: Path | None, dataset: str, method: str, seed: int) -> None:
    """Work out mAP and the precision curves from a fitted method's test scores.

    \b
    Example:
      drsl evaluate -d emoji -m drsl-c -s 0
    """
    from drsl.commands.tables import table
    from drsl.evaluate.results import evaluate_scores, read_cost, write_result
    from drsl.evaluate.scores import read_scores
    from drsl.features.errors import choose
    from drsl.params import EvaluateConfig

    project = Project.open(folder, dataset)
    # Not `method_names`: that would load torch, and results may also be somebody's own scores.
    known = {*(project.params.content.get("methods") or {}), *(path.name for path in project.layout.results.glob("*/"))}
    choose("method", method, known)
    run = project.layout.run(method, seed)
    config = project.params.part(dataset, "evaluate", EvaluateConfig)
    scores = read_scores(run.scores)
    cost = read_cost(run)
    outputs = (run.result, run.queries, run.precision_recall, run.precision_scope)
    with project.writing(f"evaluate@{dataset}-{method}-{seed}", *outputs):
        result = evaluate_scores(scores, scope=config.scope, at=config.at, cost=cost)
        write_result(run, result)
    found = result.metrics
    rows = [
        (name, f"{found[f'{key}_map']:.3f}", found[f"{key}_queries"], found[f"{key}_gallery"])
        for name, key in (("image to text", "i2t"), ("text to image", "t2i"))
    ]
    click.echo(table(("direction", "mAP@ALL", "queries", "gallery"), rows))
    click.echo(f"mean mAP@ALL {found['mean_map']:.3f}")
    for warning in result.warnings:
        click.echo(f"warning: {warning}", err=True)
