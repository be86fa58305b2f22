"""What the commands of stage two share: the two feature files of a data set, checked against the settings of now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from drsl.extract.image_config import ImageConfig
from drsl.extract.parts_config import PartsConfig
from drsl.extract.text_config import TextConfig
from drsl.features import Features, open_parts, read_features, read_manifest
from drsl.features.errors import MissingFile
from drsl.features.freshness import encoder_of, require_fresh, require_pairable, require_parts_of, settings_of
from drsl.features.joined import join_parts
from drsl.features.manifest import MODALITIES
from drsl.params import build
from drsl.project import Project

__all__ = ["read_pair", "with_parts"]

_CONFIG = {"image": ImageConfig, "text": TextConfig}


def read_pair(project: Project, parts: Mapping[str, str] | None = None) -> tuple[Features, Features]:
    """Reads the image and the text features, and refuses stale ones.

    Args:
        project: names the data set.
        parts: modality to the kind of parts that a method looks at (`Method.parts`); None or empty for none.

    Returns:
        Image features and text features of one manifest.

    Raises:
        UserError: a file is missing, damaged, or made from other settings or another manifest than those of now.
    """
    layout = project.layout
    again = f"drsl data import -d {layout.dataset}"
    for path in (layout.manifest, *(layout.features(each) for each in MODALITIES)):
        if project.imported and not path.is_file():
            raise MissingFile(f"{layout.show(path)} is not there: run `{again}` with your files")
    digest = read_manifest(layout.manifest).digest
    found = {}
    for modality in MODALITIES:
        path = layout.features(modality)
        features = read_features(path)
        repair = again if project.imported else f"dvc repro encode-{modality}@{layout.dataset}"
        require_fresh(layout.show(path), features.attrs, {"manifest_digest": digest}, repair)
        asked = project.params.stored(layout.dataset, modality, _CONFIG[modality])
        require_fresh(layout.show(path), encoder_of(features), asked, repair)
        found[modality] = features
    require_pairable(layout.features("image"), found["image"], layout.features("text"), found["text"])
    return with_parts(project, found["image"], found["text"], parts or {})


def with_parts(
    project: Project, image: Features, text: Features, parts: Mapping[str, str]
) -> tuple[Features, Features]:
    """Joins features with the parts that a method looks at, and refuses stale ones. The parts stay in their files.

    Args:
        project: names the data set.
        image: its features.
        text: its features.
        parts: modality to kind.

    Returns:
        Both, joined where parts are asked for.

    Raises:
        UserError: a parts file is missing, damaged, or made from other items, another network or other settings.
    """
    layout, found = project.layout, {"image": image, "text": text}
    for modality, kind in parts.items():
        path = layout.parts(modality, kind)
        opened = open_parts(path)
        require_parts_of(layout.features(modality), found[modality], path, opened)
        asked = build(PartsConfig, project.params.dataset(layout.dataset).get("parts") or {}, "parts")
        settings = getattr(asked, kind, None)  # the others have none
        if settings is not None:
            repair = f"drsl encode {modality} --parts {kind} -d {layout.dataset}"
            require_fresh(layout.show(path), settings_of(opened), asdict(settings), repair)
        found[modality] = join_parts(found[modality], opened)
    return found["image"], found["text"]
