"""`drsl finetune image|text`."""

from __future__ import annotations

from pathlib import Path

import click

from drsl.project import Project, dataset_option


@click.command()
@click.argument("modality", metavar="image|text")
@dataset_option
@click.pass_obj
def finetune(folder: Path | None, modality: str, dataset: str) -> None:
    """Train the image or the text network on the training items; keep the epoch that is best on val.

    A run that was stopped goes on from its last checkpoint.

    \b
    Examples:
      drsl finetune image -d emoji
      drsl finetune text -d emoji
    """
    from drsl.extract.modalities import load_modality
    from drsl.extract.stage import finetune_stage
    from drsl.features import read_manifest
    from drsl.features.threads import core_count
    from drsl.progress import bar

    project = Project.open(folder, dataset)
    project.require_raw("there is nothing to fine-tune a network on")
    layout, root = project.layout, project.params.root
    parts = load_modality(modality)
    config = project.params.part(dataset, modality, parts.config)
    manifest = read_manifest(layout.manifest)
    with (
        project.writing(f"finetune-{modality}@{dataset}", layout.network(modality), layout.encoder_log(modality)),
        bar("download", "B") as fetched,
        bar(f"finetune {modality}", modality) as update,
    ):
        encoder = parts.build(config, manifest, root, layout.work, click.echo, project.device(), fetched)
        encoder.decoders = core_count()
        log = finetune_stage(encoder, manifest, config.finetune, layout, update)
    if log:
        best = max(log, key=lambda entry: (entry.val_accuracy, entry.epoch))
        click.echo(f"best epoch {best.epoch} of {len(log)}: val accuracy {best.val_accuracy:.3f}")
