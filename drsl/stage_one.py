"""What `finetune`, `encode` and the checks before later stages share: stage one's settings of a data set."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from drsl.features.errors import choose
from drsl.features.manifest import MODALITIES
from drsl.project import Project

if TYPE_CHECKING:
    from drsl.extract.config import ImageConfig, TextConfig

__all__ = ["encoder_config", "stored_settings"]


def encoder_config(project: Project, modality: str) -> ImageConfig | TextConfig:
    """The settings of one modality's network.

    Args:
        project: names the data set.
        modality: `image` or `text`.

    Returns:
        The block of params.yaml as an object.

    Raises:
        SettingError: the modality is unknown or the block is wrong.
    """
    from drsl.extract.config import ImageConfig, TextConfig

    config = ImageConfig if choose("modality", modality, MODALITIES) == "image" else TextConfig
    return project.params.part(project.layout.dataset, modality, config)  # type: ignore[arg-type]


def stored_settings(project: Project, modality: str) -> dict[str, Any]:
    """The same settings as a network file and a feature file store them, for comparison.

    Args:
        project: names the data set.
        modality: `image` or `text`.

    Returns:
        Plain JSON values.

    Raises:
        SettingError: as `encoder_config`.
    """
    settings: dict[str, Any] = json.loads(json.dumps(asdict(encoder_config(project, modality))))
    return settings
