"""What `drsl encode --parts` does.

The command imports this file by name: a change of it, or of what it imports, makes no feature file stale.
"""

from __future__ import annotations

import click

from drsl.extract.modalities import load_modality
from drsl.extract.parts import encode_parts, parts_encoder
from drsl.extract.parts_config import PartsConfig
from drsl.extract.stage import load_encoder
from drsl.features import open_parts, read_manifest
from drsl.features.threads import core_count
from drsl.params import build
from drsl.progress import bar
from drsl.project import Project

__all__ = ["write_parts"]


def write_parts(project: Project, modality: str, kind: str) -> None:
    """Writes the parts of all items of a modality, and says how large they are.

    Args:
        project: names the data set.
        modality: `image` or `text`.
        kind: `grid` or `patches` of images, `words` or `sentences` of texts.

    Raises:
        UserError: a setting is wrong, the network is missing or stale, or the file cannot be written.
    """
    layout, dataset = project.layout, project.layout.dataset
    apart, config = parts_encoder(modality, kind), load_modality(modality).config
    project.params.part(dataset, modality, config)  # names a wrong key before any work
    asked = project.params.stored(dataset, modality, config)
    settings = build(PartsConfig, project.params.dataset(dataset).get("parts") or {}, f"datasets.{dataset}.parts")
    manifest = read_manifest(layout.manifest)
    out = layout.parts(modality, kind)
    with project.writing(None, out), bar(f"encode {kind}", modality) as update:
        encoder, about = load_encoder(modality, layout, asked, manifest, project.device())
        encoder.decoders = core_count()
        rate = encode_parts(apart(encoder, settings), about, manifest, out, update)
    found = open_parts(out)
    shape = " x ".join(f"{each}" for each in found.part.shape)
    click.echo(f"{shape} {found.part.dtype}, {out.stat().st_size / 1e6:.3g} MB; {rate:.3g} {modality}s a second")
