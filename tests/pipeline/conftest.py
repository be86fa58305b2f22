"""A small project of its own: thirty pictures of three colours, their names, word vectors, and a params.yaml."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from drsl.features import Item, write_manifest

PARAMS = """
run: {datasets: [colors], methods: [drsl-c], seeds: [0]}
device: cpu
datasets:
  colors:
    source: emoji
    image:
      architecture: vgg19_bn
      weights: none
      resize: 37
      crop: 32
      pool: 1
      dropout: 0.0
      flip: true
      precision: float32
      finetune: {epochs: 1, batch: 9, optimizer: sgd, learning_rate: 0.01, weight_decay: 0.0, label_smoothing: 0.0,
        seed: 0}
    text:
      vectors: words.txt
      windows: [3, 4, 5]
      maps: 100
      dropout: 0.5
      max_words: 8
      finetune: {epochs: 20, batch: 9, optimizer: adamw, learning_rate: 0.01, weight_decay: 0.0, label_smoothing: 0.0,
        seed: 0}
    drsl: {preset: paper, image_fnn: [32], text_fnn: [32], relation: [32], batch: 9, epochs: 3}
    evaluate: {at: [5], scope: [2, 4]}
methods:
  drsl-c: {learning_rate: 0.001}
"""
COLORS = {"red": "fruit", "green": "leaf", "blue": "sea"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "params.yaml").write_text(PARAMS, encoding="utf-8")
    images = root / "data" / "colors" / "images"
    images.mkdir(parents=True)
    rng = np.random.default_rng(0)
    items = []
    for place, (color, noun) in enumerate(COLORS.items()):
        for number in range(10):
            pixels = rng.integers(0, 80, (40, 40, 3))
            pixels[:, :, place] += 150
            name = f"{color}-{number}"
            Image.fromarray(pixels.astype(np.uint8)).save(images / f"{name}.png")
            split = "train" if number < 6 else "val" if number < 8 else "test"
            items.append(Item(name, f"images/{name}.png", f"{color} {noun} {number}", color, split))
    write_manifest(root / "data" / "colors" / "manifest.csv", items)
    words = [*COLORS, *COLORS.values()]
    vectors = rng.standard_normal((len(words), 20))
    lines = [f"{word} {' '.join(f'{each:.4f}' for each in row)}" for word, row in zip(words, vectors, strict=True)]
    (root / "words.txt").write_text(f"{len(words)} 20\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def small_network(project: Path) -> None:
    """A network of a tenth of the weights, for tests that are not about the network."""
    path = project / "params.yaml"
    text = path.read_text("utf-8").replace("vgg19_bn", "resnet18", 1).replace("pool: 1", "pool: 7", 1)
    path.write_text(text, "utf-8")


@pytest.fixture
def drsl(project: Path, command_in: Callable[..., Any]) -> Callable[..., Any]:
    """Runs the command line in the project."""
    return partial(command_in, project)
