"""One file a family of image networks, one interface. To add one: a subclass of `ImageNetwork`, and its line here."""

from __future__ import annotations

from drsl.extract.architectures import ARCHITECTURES
from drsl.extract.backbones.base import ImageNetwork
from drsl.extract.backbones.efficientnet_lite import EfficientNetLite0
from drsl.extract.backbones.torchvision_networks import TorchvisionNetwork
from drsl.extract.backbones.vgg import Vgg
from drsl.features.errors import choose

__all__ = ["ImageNetwork", "image_network"]


def image_network(architecture: str, classes: int, pool: int = 7, dropout: float = 0.5) -> ImageNetwork:
    """Makes an image network with random weights.

    Args:
        architecture: a name of `ARCHITECTURES`.
        classes: number of classes, the width of the last layer.
        pool: side of VGG's grid before fc6; others have none.
        dropout: VGG: after fc6 and fc7; others: before the last layer.

    Returns:
        The network.

    Raises:
        SettingError: the name is unknown.
    """
    family = ARCHITECTURES[choose("architecture", architecture, ARCHITECTURES)].family
    if family == "vgg":
        return Vgg(architecture, classes, pool, dropout)
    if family == "efficientnet_lite":
        return EfficientNetLite0(classes, dropout)
    return TorchvisionNetwork(architecture, classes, dropout)
