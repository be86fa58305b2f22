"""`drsl fit`."""

from __future__ import annotations

from pathlib import Path

import click

from drsl.project import Project, dataset_option, method_option, seed_option


@click.command()
@dataset_option
@method_option
@seed_option
@click.pass_obj
def fit(folder: Path | None, dataset: str, method: str, seed: int) -> None:
    """Train a method on the cached features, then score all test images against all test texts.

    \b
    Examples:
      drsl fit -d emoji -m drsl-c
      drsl fit -d emoji -m drsl-m -s 1
    """
    from drsl.progress import bar
    from drsl.stage_two import read_pair
    from drsl.train import get_method
    from drsl.train.stage import fit_stage, recipe

    project = Project.open(folder, dataset)
    run = project.layout.run(method, seed)
    chosen = get_method(method, **project.params.method(dataset, method))
    image, text = read_pair(project, chosen.parts)
    made_by = recipe(chosen, image, text, seed)  # before `tune` settles what depends on the machine
    outputs = (run.model, run.log, run.cost, run.scores)
    with project.writing(f"fit@{dataset}-{method}-{seed}", *outputs):
        for line in chosen.tune(image, text, device=project.device(), memory=project.layout.work / "precision.json"):
            click.echo(line)
        with bar(f"fit {method}", "step") as update:
            cost = fit_stage(
                chosen, image, text, run, seed=seed, device=project.device(), progress=update, made_by=made_by
            )
    for line in chosen.warnings:
        click.echo(f"warning: {line}", err=True)
    click.echo(
        f"{method}, seed {seed}: fitted in {cost['fit_seconds']:.1f} s, "
        f"test pairs scored in {cost['score_seconds']:.2f} s, peak memory {cost['peak_memory_mb']:.0f} MB"
    )
