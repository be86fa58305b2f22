"""Settings of the image network."""

from __future__ import annotations

from dataclasses import dataclass

from drsl.extract.architectures import ARCHITECTURES
from drsl.extract.config import FinetuneConfig
from drsl.features.calibration import PRECISIONS
from drsl.features.errors import choose, require

__all__ = ["ImageConfig"]


@dataclass(frozen=True)
class ImageConfig:
    """The image network up to its feature, and how pictures enter it."""

    architecture: str
    """a name of `ARCHITECTURES` (paper: `vgg19`)"""
    weights: str
    """`IMAGENET1K_V1` or another name of torchvision's, `package:NAME`, a file of a state dict, or `none`"""
    resize: int
    """side of the square that pictures are resized to, pixels (paper: 256)"""
    crop: int
    """side of the square cut from it, pixels (paper: 224)"""
    pool: int
    """side of the grid that VGG-19's convolutions are pooled to before fc6 (paper: 7); 7 for other architectures"""
    dropout: float
    """dropout after fc6 and fc7 of VGG-19, before the last layer of others"""
    flip: bool
    """mirror training pictures at random"""
    precision: str
    """`float32`, `bfloat16`, or `auto`: the faster of the two by a short measurement"""
    finetune: FinetuneConfig
    """how it is trained"""

    def __post_init__(self) -> None:
        name = choose("architecture", self.architecture, ARCHITECTURES)
        about = ARCHITECTURES[name]
        choose("precision", self.precision, PRECISIONS)
        require(bool(self.weights), "weights: give IMAGENET1K_V1, package:NAME, a path, or none")
        if about.any_side:
            require(self.crop >= 32, f"crop: {self.crop} must be 32 or more, {name} halves it five times")
        else:
            require(self.crop == about.side, f"crop: {self.crop} must be {about.side}, {name} takes no other size")
        require(self.resize >= self.crop, f"resize: {self.resize} must be at least crop ({self.crop})")
        if about.family != "vgg":
            require(self.pool == 7, f"pool: {self.pool} is for VGG-19 alone; write 7, which {name} does not read")
        require(1 <= self.pool <= 7, f"pool: {self.pool} must be from 1 to 7")
        require(
            self.pool == 7 or self.weights == "none",
            f"pool: {self.pool} changes fc6, so pre-trained weights ({self.weights}) do not fit; use 7",
        )
        require(0 <= self.dropout < 1, f"dropout: {self.dropout} must be in [0, 1)")
