"""`drsl encode image|text`."""

from __future__ import annotations

from pathlib import Path

import click

from drsl.project import Project, dataset_option


@click.command()
@click.argument("modality", metavar="image|text")
@dataset_option
@click.pass_obj
def encode(folder: Path | None, modality: str, dataset: str) -> None:
    """Write one feature an image or a text to features/NAME/image.h5 or text.h5.

    \b
    Examples:
      drsl encode image -d emoji
      drsl encode text -d emoji
    """
    from drsl.extract.modalities import load_modality
    from drsl.extract.stage import encode_stage, load_encoder
    from drsl.features import read_manifest
    from drsl.features.threads import core_count
    from drsl.progress import bar

    project = Project.open(folder, dataset)
    project.require_raw("there is nothing to encode")
    layout = project.layout
    project.params.part(dataset, modality, load_modality(modality).config)  # names a wrong key before any work
    asked = project.params.stored(dataset, modality)
    manifest = read_manifest(layout.manifest)
    with (
        project.writing(f"encode-{modality}@{dataset}", layout.features(modality), layout.encoder_result(modality)),
        bar(f"encode {modality}", modality) as update,
    ):
        encoder, about = load_encoder(modality, layout, asked, manifest, project.device())
        encoder.decoders = core_count()
        accuracy, rate = encode_stage(encoder, about, manifest, layout, update)
    click.echo(
        f"{rate:.3g} {modality}s a second in {encoder.precision.name}; the classifier is right on "
        f"{accuracy.train:.3f} of train, {accuracy.val:.3f} of val, {accuracy.test:.3f} of test"
    )
