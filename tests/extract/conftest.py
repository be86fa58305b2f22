"""Networks small enough to train at once, their settings, and a tiny data set of coloured squares and their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from gensim.models import KeyedVectors
from PIL import Image
from torch import nn

from drsl.extract.backbones import ImageNetwork
from drsl.extract.config import FinetuneConfig
from drsl.extract.encoder import Encoder
from drsl.extract.image_config import ImageConfig
from drsl.extract.precision import Precision
from drsl.extract.text_config import TextConfig
from drsl.features.layout import Layout
from drsl.features.manifest import Item, Manifest, read_manifest, write_manifest

_COLORS = {"blue": (30, 60, 220), "green": (20, 190, 60), "red": (220, 40, 30)}
_WORDS = ("blue", "deep", "grass", "green", "leaf", "red", "rose", "sea", "wine")
_TEXTS = {"blue": "Deep blue sea", "green": "green grass, leaf", "red": "Red rose's wine"}


class TinyImageNetwork(ImageNetwork):
    """As VGG-19 outside, with the same names of layers; a thousandth of it inside."""

    dim = 8
    last_layer = "classifier.6."

    def __init__(self, architecture: str, classes: int, pool: int = 7, dropout: float = 0.5) -> None:
        super().__init__()
        norm = nn.BatchNorm2d(4) if architecture == "vgg19_bn" else nn.Identity()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 5, stride=3), norm, nn.ReLU())
        self.avgpool = nn.AdaptiveAvgPool2d((pool, pool))
        self.classifier = nn.Sequential(
            *(nn.Linear(4 * pool * pool, 8), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(8, 8), nn.ReLU(), nn.Dropout(dropout)),
            nn.Linear(8, classes),
        )

    def feature(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.classifier[:-1](torch.flatten(self.avgpool(self.grid(pixels)), 1))

    def grid(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.features(pixels)

    def classify(self, feature: torch.Tensor) -> torch.Tensor:
        return self.classifier[-1](feature)


class ToyEncoder(Encoder):
    """Takes rows of numbers, or texts of numbers such as "0.5 -1 2"; remembers which it was asked for."""

    modality = "text"

    def __init__(self, width: int = 4, classes: Sequence[str] = ("a", "b", "c"), seed: int = 0) -> None:
        self.classes, self.precision, self.device = tuple(classes), Precision("float32"), "cpu"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = nn.Sequential(
                *(nn.Linear(width, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3)), nn.Linear(8, len(classes))
            )
        self.contents: list[Any] = []
        self.trained: list[list[int]] = []
        self.tested: list[list[int]] = []

    @property
    def dim(self) -> int:
        return 8

    def open(self, contents, once=False):
        self.contents = list(contents)
        rows = [[float(cell) for cell in each.split()] if isinstance(each, str) else each for each in contents]
        table = torch.tensor(np.array(rows), dtype=torch.float32)

        def batches(order, size, generator=None) -> Iterator[tuple[list[int], torch.Tensor]]:
            for start in range(0, len(order), size):
                positions = list(order[start : start + size])
                (self.tested if generator is None else self.trained).append(positions)
                noise = 0 if generator is None else 0.01 * torch.randn(len(positions), 1, generator=generator)
                yield positions, table[positions] + noise

        return batches

    def feature(self, inputs):
        return self.network[:-1](inputs)

    def classify(self, feature):
        return self.network[-1](feature)

    def about(self):
        return {"architecture": "toy", "settings": {"width": self.network[0].in_features}}


def _finetune_config(**changes: Any) -> FinetuneConfig:
    settings = {
        "epochs": 3,
        "batch": 4,
        "optimizer": "adamw",
        "learning_rate": 0.02,
        "weight_decay": 0.001,
        "label_smoothing": 0.0,
        "seed": 0,
    }
    return FinetuneConfig(**settings | changes)


def _text_config(**changes: Any) -> TextConfig:
    finetune = _finetune_config(**{name: changes.pop(name) for name in ("epochs", "seed") if name in changes})
    settings = {
        "vectors": "vectors.txt",
        "windows": (2, 3),
        "maps": 5,
        "dropout": 0.5,
        "max_words": 8,
        "finetune": finetune,
    }
    return TextConfig(**settings | changes)


def _image_config(**changes: Any) -> ImageConfig:
    finetune = _finetune_config(**{name: changes.pop(name) for name in ("epochs", "seed", "batch") if name in changes})
    settings = {
        "architecture": "vgg19_bn",
        "weights": "none",
        "resize": 37,
        "crop": 32,
        "pool": 1,
        "dropout": 0.5,
        "flip": True,
        "precision": "float32",
        "finetune": finetune,
    }
    return ImageConfig(**settings | changes)


@pytest.fixture(scope="session")
def settings():
    """Builders of settings: `finetune`, `text` and `image`, each taking what shall differ."""
    return SimpleNamespace(finetune=_finetune_config, text=_text_config, image=_image_config)


@pytest.fixture
def toy_encoder():
    return ToyEncoder


@pytest.fixture
def tiny_network(monkeypatch):
    """Puts the tiny network in VGG-19's place."""
    monkeypatch.setattr("drsl.extract.image_encoder.image_network", TinyImageNetwork)
    return TinyImageNetwork


@pytest.fixture(scope="session")
def project_folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    draw = np.random.default_rng(0)
    folder = root / "data" / "squares"
    (folder / "images").mkdir(parents=True)
    items = []
    for number in range(18):
        label = sorted(_COLORS)[number % 3]
        pixels = draw.integers(-25, 25, (40, 40, 3)) + _COLORS[label]
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "images" / f"{number}.png")
        split = ("train", "train", "val", "test", "train", "test")[number // 3]
        items.append(Item(f"item-{number}", f"images/{number}.png", f"{_TEXTS[label]} {number}", label, split))
    write_manifest(folder / "manifest.csv", items)
    vectors = KeyedVectors(6)
    vectors.add_vectors(list(_WORDS), draw.standard_normal((len(_WORDS), 6)).astype(np.float32))
    vectors.save_word2vec_format(str(root / "vectors.txt"))
    return root


@pytest.fixture
def squares(project_folder, tmp_path):
    """The layout of a project with 18 coloured squares in 3 classes, and its manifest; only `data` is shared."""
    (tmp_path / "data").symlink_to(project_folder / "data")
    (tmp_path / "vectors.txt").symlink_to(project_folder / "vectors.txt")
    layout = Layout(tmp_path, "squares")
    return SimpleNamespace(layout=layout, manifest=read_manifest(layout.manifest), root=tmp_path)


@pytest.fixture
def same_weights():
    """Whether two networks' numbers are equal, bit by bit."""

    def compare(one: nn.Module, other: nn.Module) -> bool:
        first, second = one.state_dict(), other.state_dict()
        return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)

    return compare


@pytest.fixture
def keeps_randomness():
    """A snapshot of all global random states, to be compared with a later one."""
    import random

    def snapshot() -> tuple[Any, ...]:
        return random.getstate(), repr(np.random.get_state(legacy=False)), torch.get_rng_state().tolist()

    return snapshot


@pytest.fixture
def manifest(tmp_path):
    """Twelve items in an order of their own; every fourth lacks its text, and one its image."""
    folder = tmp_path / "data" / "toy"
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    items = []
    for number in (5, 3, 11, 0, 8, 2, 7, 1, 10, 4, 9, 6):
        text = "" if number % 4 == 1 else " ".join(f"{each:.3f}" for each in draw.standard_normal(4))
        image = "" if number == 2 else f"images/{number}.png"
        items.append(Item(f"größe-{number}", image, text, "abc"[number % 3], ("train", "val", "test")[number // 4]))
    return Manifest(tuple(items), folder)
