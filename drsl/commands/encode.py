"""`drsl encode image|text`."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from drsl.project import Project, dataset_option


@click.command()
@click.argument("modality", metavar="image|text")
@dataset_option
@click.option(
    "--parts",
    metavar="KIND",
    help="Write what each item is made of instead: grid or patches of an image, words or sentences of a text.",
)
@click.pass_obj
def encode(folder: Path | None, modality: str, dataset: str, parts: str | None) -> None:
    """Write one feature an image or a text to features/NAME/image.h5 or text.h5.

    A run that was stopped goes on where it was.

    With --parts, write the parts of items for methods that look inside them, to features/NAME/image.KIND.h5 or
    text.KIND.h5: large files, which no other command needs.

    \b
    Examples:
      drsl encode image -d emoji
      drsl encode text -d emoji
      drsl encode image --parts grid -d emoji        the cells of the last map of the image network
      drsl encode image --parts patches -d emoji     a feature of each of 9 pieces and of the whole
      drsl encode text --parts words -d emoji        word ids, and the table of word vectors
      drsl encode text --parts sentences -d emoji    a feature of each sentence
    """
    from drsl.extract.modalities import load_modality
    from drsl.extract.stage import encode_stage, load_encoder
    from drsl.features import read_manifest
    from drsl.features.threads import core_count
    from drsl.progress import bar

    project = Project.open(folder, dataset)
    project.require_raw("there is nothing to encode")
    if parts:
        # By name: a change of what it imports makes no feature file stale.
        importlib.import_module("drsl.encode_parts").write_parts(project, modality, parts)
        return
    layout = project.layout
    config = load_modality(modality).config
    project.params.part(dataset, modality, config)  # names a wrong key before any work
    asked = project.params.stored(dataset, modality, config)
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
