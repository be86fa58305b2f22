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
    from drsl.extract.build import build_image_encoder, build_text_encoder
    from drsl.extract.stage import finetune_stage
    from drsl.features import read_manifest
    from drsl.progress import bar
    from drsl.stage_one import encoder_config

    project = Project.open(folder, dataset)
    layout, root = project.layout, project.params.root
    config = encoder_config(project, modality)
    manifest = read_manifest(layout.manifest)
    with (
        project.writing(f"finetune@{dataset}-{modality}", layout.network(modality), layout.encoder_log(modality)),
        bar(f"finetune {modality}", modality) as update,
    ):
        device = project.device()
        encoder = (
            build_image_encoder(config, manifest, root, layout.work, click.echo, device)
            if modality == "image"
            else build_text_encoder(config, manifest, root, click.echo, device)
        )
        log = finetune_stage(encoder, manifest, config.finetune, layout, update)
    if log:
        best = max(log, key=lambda entry: (entry.val_accuracy, entry.epoch))
        click.echo(f"best epoch {best.epoch} of {len(log)}: val accuracy {best.val_accuracy:.3f}")
