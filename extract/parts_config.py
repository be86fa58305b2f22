"""Settings of the parts of items: the block `parts` of a data set in params.yaml, which may be left out."""

from __future__ import annotations

from dataclasses import dataclass, field

from drsl.features.errors import require

__all__ = ["PartsConfig", "PatchConfig", "SentenceConfig"]


@dataclass(frozen=True)
class PatchConfig:
    """Which pieces of a picture are looked at beside the whole."""

    side: int = 3
    """pieces a side: 3 for 3 x 3 and the whole, 10 patches"""
    share: float = 0.5
    """side of a piece over the side of the resized picture; above 1 / side, pieces overlap"""

    def __post_init__(self) -> None:
        require(1 <= self.side <= 16, f"side: {self.side} must be from 1 to 16")
        require(0 < self.share <= 1, f"share: {self.share} must be above 0 and at most 1")


@dataclass(frozen=True)
class SentenceConfig:
    """How many sentences of a text are told apart."""

    max_sentences: int = 10
    """a longer text's last sentences count as one"""

    def __post_init__(self) -> None:
        require(self.max_sentences >= 1, f"max_sentences: {self.max_sentences} must be positive")


@dataclass(frozen=True)
class PartsConfig:
    """Settings of those kinds of parts that have any."""

    patches: PatchConfig = field(default=PatchConfig())
    """pieces of pictures"""
    sentences: SentenceConfig = field(default=SentenceConfig())
    """sentences of texts"""
