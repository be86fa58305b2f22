"""What the commands of stage two share: the two feature files of a data set, checked against the settings of now."""

from __future__ import annotations

from drsl.extract.image_config import ImageConfig
from drsl.extract.text_config import TextConfig
from drsl.features import Features, read_features, read_manifest
from drsl.features.errors import MissingFile
from drsl.features.freshness import encoder_of, require_fresh, require_pairable
from drsl.features.manifest import MODALITIES
from drsl.project import Project

__all__ = ["read_pair"]

_CONFIG = {"image": ImageConfig, "text": TextConfig}


def read_pair(project: Project) -> tuple[Features, Features]:
    """Reads the image and the text features, and refuses stale ones.

    Args:
        project: names the data set.

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
    return found["image"], found["text"]
