"""Settings of the image network."""

from __future__ import annotations

from dataclasses import dataclass

from drsl.extract.config import FinetuneConfig
from drsl.features.calibration import PRECISIONS
from drsl.features.errors import choose, require

__all__ = ["ARCHITECTURES", "ImageConfig"]

ARCHITECTURES = ("vgg19", "vgg19_bn")


@dataclass(frozen=True)
class ImageConfig:
    """The image network: VGG-19 to fc7, and how pictures enter it."""

    architecture: str
    """`vgg19` or `vgg19_bn`"""
    weights: str
    """`IMAGENET1K_V1`, a file of a torchvision state dict, or `none`"""
    resize: int
    """side of the square that pictures are resized to, pixels (paper: 256)"""
    crop: int
    """side of the square cut from it, pixels (paper: 224)"""
    pool: int
    """side of the grid that convolutions are pooled to before fc6 (VGG-19: 7)"""
    dropout: float
    """dropout after fc6 and fc7"""
    flip: bool
    """mirror training pictures at random"""
    precision: str
    """`float32`, `bfloat16`, or `auto`: the faster of the two by a short measurement"""
    finetune: FinetuneConfig
    """how it is trained"""

    def __post_init__(self) -> None:
        choose("architecture", self.architecture, ARCHITECTURES)
        choose("precision", self.precision, PRECISIONS)
        require(bool(self.weights), "weights: give IMAGENET1K_V1, a path, or none")
        require(self.crop >= 32, f"crop: {self.crop} must be 32 or more, VGG-19 halves it five times")
        require(self.resize >= self.crop, f"resize: {self.resize} must be at least crop ({self.crop})")
        require(1 <= self.pool <= 7, f"pool: {self.pool} must be from 1 to 7")
        require(
            self.pool == 7 or self.weights == "none",
            f"pool: {self.pool} changes fc6, so pre-trained weights ({self.weights}) do not fit; use 7",
        )
        require(0 <= self.dropout < 1, f"dropout: {self.dropout} must be in [0, 1)")
