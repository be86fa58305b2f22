"""A whole project of coloured squares, small enough to be trained in a second."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gensim.models import KeyedVectors
from PIL import Image
from torch import nn

from drsl.extract.config import FinetuneConfig
from drsl.extract.image_config import ImageConfig
from drsl.extract.stage import encode_stage, finetune_stage, load_encoder
from drsl.extract.text_build import build_text_encoder
from drsl.extract.text_config import TextConfig
from drsl.features.layout import Layout
from drsl.features.manifest import Item, read_manifest, write_manifest
from drsl.features.store import read_features
from drsl.train.methods import get_method
from drsl.train.stage import fit_stage

_COLORS = {"blue": (30, 60, 220), "green": (20, 190, 60), "red": (220, 40, 30)}
_TEXTS = {
    "blue": ("deep blue sea", "blue", "sea", "sea, deep blue"),
    "green": ("green grass", "green", "grass", "grass green"),
    "red": ("red rose", "red", "rose", "rose red"),
}
_MARKUP = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"
"""Ends one caption; a page that shows it must not run it."""
_FURTHER = {"ocean": "sea", "lawn": "grass", "crimson": "red"}
_FINETUNE = {
    "epochs": 25,
    "batch": 8,
    "optimizer": "adamw",
    "learning_rate": 0.02,
    "weight_decay": 0.0,
    "label_smoothing": 0.0,
    "seed": 0,
}


class _MeanColor(nn.Module):
    """Stands in VGG-19's place: a linear classifier of the mean colour."""

    dim = 3

    def __init__(self, architecture: str, classes: int, pool: int, dropout: float) -> None:
        super().__init__()
        self.classifier = nn.Linear(3, classes)

    def feature(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.relu(pixels.mean(dim=(2, 3)))

    def classify(self, feature: torch.Tensor) -> torch.Tensor:
        return self.classifier(feature)


def _text_config(**changes) -> TextConfig:
    finetune = FinetuneConfig(**_FINETUNE | {name: changes.pop(name) for name in _FINETUNE.keys() & changes.keys()})
    given = {"vectors": "vectors.txt", "windows": (1, 2), "maps": 6, "dropout": 0.1, "max_words": 8}
    return TextConfig(**given | changes, finetune=finetune)


def _make_manifest(folder):
    (folder / "images").mkdir(parents=True)
    draw = np.random.default_rng(0)
    items = []
    for number in range(36):
        label = sorted(_COLORS)[number % 3]
        pixels = (draw.integers(-20, 20, (40, 40, 3)) + _COLORS[label]).clip(0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "images" / f"{number}.png")
        split = ("train", "train", "val", "test")[number // 3 % 4]
        text = _TEXTS[label][number // 9]
        caption = f"{text} {number}" + (f" {_MARKUP}" if number == 35 else "")
        items.append(Item(f"item-{number}", f"images/{number}.png", caption, label, split))
    write_manifest(folder / "manifest.csv", items)


def _make_vectors(path):
    draw = np.random.default_rng(1)
    words = sorted({word for texts in _TEXTS.values() for word in texts[0].split()})
    known = dict(zip(words, draw.standard_normal((len(words), 8)).astype(np.float32), strict=True))
    known |= {word: known[near] + 0.01 for word, near in _FURTHER.items()}
    vectors = KeyedVectors(8)
    vectors.add_vectors(list(known), np.stack(list(known.values())))
    vectors.save_word2vec_format(str(path))


def _train(layout, modality, encoder, manifest):
    finetune_stage(encoder, manifest, encoder.config.finetune, layout)
    encode_stage(*load_encoder(modality, layout), manifest, layout)


def _fit(layout):
    image, text = (read_features(layout.features(modality)) for modality in ("image", "text"))
    method = get_method(
        "drsl-c", image_fnn=[32, 16], text_fnn=[32, 16], relation=[32], batch=6, epochs=40, learning_rate=0.003
    )
    fit_stage(method, image, text, layout.run("drsl-c", 0), seed=0)


@pytest.fixture(scope="session")
def fitted_project(tmp_path_factory):
    root = tmp_path_factory.mktemp("fitted")
    layout = Layout(root, "squares")
    _make_manifest(root / "data" / "squares")
    _make_vectors(root / "vectors.txt")
    manifest = read_manifest(layout.manifest)
    _train(layout, "text", build_text_encoder(_text_config(), manifest, root, layout.work, lambda line: None), manifest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("drsl.extract.image_encoder.image_network", _MeanColor)
        from drsl.extract.image_build import build_image_encoder

        config = ImageConfig(
            architecture="vgg19",
            weights="none",
            resize=37,
            crop=32,
            pool=1,
            dropout=0.0,
            flip=True,
            precision="float32",
            finetune=FinetuneConfig(**_FINETUNE | {"learning_rate": 0.2}),
        )
        _train(layout, "image", build_image_encoder(config, manifest, root, layout.work, lambda line: None), manifest)
    _fit(layout)
    return root


@pytest.fixture(scope="session")
def mean_color():
    """What stands in the image network's place, for a fixture that lives longer than a test."""
    return _MeanColor


@pytest.fixture
def project(fitted_project, tmp_path, monkeypatch):
    """A copy of the fitted project: its layout, and functions that make parts of it again."""
    monkeypatch.setattr("drsl.extract.image_encoder.image_network", _MeanColor)
    root = tmp_path / "project"
    shutil.copytree(fitted_project, root)
    layout = Layout(root, "squares")

    def retrain_text(encode=False, **changes):
        manifest = read_manifest(layout.manifest)
        encoder = build_text_encoder(_text_config(**changes), manifest, root, layout.work, lambda line: None)
        finetune_stage(encoder, manifest, encoder.config.finetune, layout)
        if encode:
            encode_stage(*load_encoder("text", layout), manifest, layout)

    return SimpleNamespace(root=root, layout=layout, retrain_text=retrain_text, fit=lambda: _fit(layout))
