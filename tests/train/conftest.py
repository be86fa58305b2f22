"""Slow and obvious twins of the networks, a toy problem that can be learned, and methods small enough to fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from drsl.features import Features
from drsl.train import get_method, method_names
from drsl.train.config import drsl_config
from drsl.train.kernels import blocks
from drsl.train.methods import method_class

CLASSES = 3
# What makes the other methods small.
PLUS = {"representation": 24, "hidden": 8, "epochs": 6, "batch": 20, "learning_rate": 5e-3}
SMALL = {
    "dcca": {"hidden": [16], "components": 4, "epochs": 5, "batch": 45, "learning_rate": 5e-3},
    "dccae": {"hidden": [16], "components": 4, "epochs": 5, "batch": 45, "learning_rate": 5e-3},
    "acmr": {"image_hidden": [16], "text_hidden": [16], "components": 8, "epochs": 5, "batch": 20},
    "cm-gans": {"hidden": 16, "discriminator": 8, "epochs": 4, "batch": 30, "generator_steps": 2},
    "drsl-plus": PLUS,
    "drsl-plus-no-relation": PLUS,
    "drsl-plus-cross-entropy": PLUS,
    "cmdn": {
        **{"alone": [16, 8], "image_layers": [16, 8], "text_layers": [8, 8], "joint": 12, "fused": 8, "hidden": 8},
        **{"common": [8, 6], "stage_epochs": 3, "epochs": 5, "batch": 20, "learning_rate": 5e-3},
    },
    "ccl": {
        **{"image_layers": [16, 8], "text_layers": [8, 8], "code": 8, "hidden": 8},
        **{"stage_epochs": 3, "epochs": 5, "batch": 20, "learning_rate": 5e-3},
    },
    "mcsm": {"dim": 8, "references": 10, "epochs": 5, "batch": 20, "learning_rate": 5e-3},
    "deep-sm": {"hidden": 16, "epochs": 5, "batch": 20, "learning_rate": 5e-3},
    "dscmr": {"hidden": 16, "space": 12, "epochs": 5, "batch": 20, "learning_rate": 5e-3},
    "sdml": {"hidden": [16], "epochs": 5, "batch": 20, "learning_rate": 5e-3, "space": 12, "text_learning_rate": 5e-3},
    "man": {"hidden": [16], "epochs": 5, "batch": 20, "learning_rate": 5e-3, "discriminator": 8},
    "mrl": {"hidden": [16], "epochs": 5, "batch": 20, "learning_rate": 5e-3, "space": 12},
    "fume": {"hidden": [16], "epochs": 5, "batch": 20, "learning_rate": 5e-3},
    "fgcrossnet": {"hidden": 16, "trunk": 12, "quadruplets": 64, "epochs": 5, "batch": 20, "learning_rate": 5e-3},
}
TINY = {
    "image_fnn": [24, 12],
    "text_fnn": [16, 12],
    "relation": [20],
    "learning_rate": 5e-3,
    "batch": 20,
    "epochs": 3,
}


def tiny_settings(name):
    """The settings that make a method small."""
    return SMALL.get(name, TINY if name in ("drsl-c", "drsl-m", "drsl-a", "drsl-s") else {})


class PlainRelation(nn.Module):
    """Equations 4, 5 and 8 as printed: every pair is expanded, fused, and sent through Linear layers."""

    def __init__(self, dim, widths, fusion, batch_norm):
        super().__init__()
        self.fusion = fusion
        self.first = nn.Linear(2 * dim if fusion == "concat" else dim, widths[0])
        self.middle = nn.ModuleList([nn.Linear(widths[k], widths[k + 1]) for k in range(len(widths) - 1)])
        self.norms = nn.ModuleList([nn.BatchNorm1d(width) for width in widths] if batch_norm else [])
        self.last = nn.Linear(widths[-1], 1)

    def forward(self, z_image, z_text):
        n_i, n_t = len(z_image), len(z_text)
        image = z_image.repeat_interleave(n_t, dim=0)
        text = z_text.repeat(n_i, 1)
        if self.fusion == "concat":
            hidden = torch.cat([image, text], dim=1)
        elif self.fusion == "mul":
            hidden = image * text
        elif self.fusion == "add":
            hidden = image + text
        else:
            hidden = image - text
        for place, linear in enumerate([self.first, *self.middle]):
            hidden = linear(hidden)
            if len(self.norms):
                hidden = self.norms[place](hidden)
            hidden = torch.relu(hidden)
        return self.last(hidden).reshape(n_i, n_t)


@pytest.fixture(scope="session")
def plain_relation():
    """Builds the plain twin of a relation network, with the same state."""

    def build(network):
        widths = [network.first.out_features, *(each.out_features for each in network.middle)]
        plain = PlainRelation(network.dim, widths, network.fusion, len(network.norms) > 0)
        plain.to(network.first.weight.dtype).load_state_dict(network.state_dict())
        return plain.train(network.training)

    return build


@pytest.fixture(scope="session")
def near():
    """Asserts equality up to a fraction of the largest expected number: 1e-5 in float32, 1e-10 in float64.

    `least` stands for that number where all are 0 but for rounding.
    """

    def check(actual, expected, least=0.0):
        assert actual.shape == expected.shape
        assert actual.dtype == expected.dtype
        if expected.numel():
            largest = max(float(expected.detach().abs().max()), least)
            fraction = 1e-10 if expected.dtype == torch.float64 else 1e-5
            torch.testing.assert_close(actual, expected, rtol=0, atol=fraction * largest)

    return check


@pytest.fixture
def small_blocks(monkeypatch):
    """Makes blocks and tiles so small that a few items need several, the last one uneven."""
    from drsl.train.kernels import deep, pairs

    monkeypatch.setattr(blocks, "_ELEMENTS", 100)
    monkeypatch.setattr(pairs, "_TILE", 100)
    monkeypatch.setattr(deep, "_TILE", 100)


@pytest.fixture(scope="session")
def make_toy():
    """Builds image and text features that share latent class means and are seen through a random layer with ReLU.

    `splits` has the numbers of train, val and test items; `texts` the same when there are not as many texts.
    """

    def build(splits=(90, 30, 30), texts=None, seed=0, dims=(32, 20)):
        draw = np.random.default_rng(seed)
        means = 2 * draw.standard_normal((CLASSES, 10))

        def view(counts, dim, modality):
            label = np.concatenate([np.arange(count) % CLASSES for count in counts])
            latent = means[label] + 0.5 * draw.standard_normal((len(label), 10))
            feature = np.maximum(0, latent @ draw.standard_normal((10, dim)) / 3)
            return Features(
                id=np.array([f"item-{row}" for row in range(len(label))], dtype=object),
                feature=feature.astype(np.float32),
                label=label,
                split=np.repeat(np.arange(3), counts).astype(np.uint8),
                classes=("ant", "bee", "cow"),
                attrs={"dataset": "toy", "modality": modality, "fingerprint": modality[0] * 64, "digest": "d" * 64},
            )

        return view(splits, dims[0], "image"), view(texts or splits, dims[1], "text")

    return build


@pytest.fixture(scope="session")
def toy(make_toy):
    return make_toy()


@pytest.fixture(scope="session")
def as_features():
    """Makes features of given numbers: training items of class 0, row p item p, unless said otherwise."""

    def build(feature, label=None, split=None, ids=None):
        count = len(feature)
        label = np.zeros(count, np.int64) if label is None else np.asarray(label, np.int64)
        return Features(
            id=np.array([f"item-{row}" for row in range(count)] if ids is None else ids, dtype=object),
            feature=np.asarray(feature, np.float32),
            label=label,
            split=np.zeros(count, np.uint8) if split is None else np.asarray(split, np.uint8),
            classes=tuple(f"class {each}" for each in range(int(label.max(initial=0)) + 1)),
        )

    return build


@pytest.fixture(scope="session")
def tiny_config():
    """Builds the settings of a small DRSL."""

    def build(fusion="concat", **changed):
        return drsl_config(TINY | changed, fusion)

    return build


@pytest.fixture(scope="session")
def make_method():
    """Makes any method, small where its settings allow it."""

    def build(name, **changed):
        return get_method(name, **tiny_settings(name) | changed)

    return build


@pytest.fixture(params=[name for name in method_names() if not method_class(name).parts])
def name(request):
    """Each method's name; those that need parts of items have a file of their own, test_joined_methods.py."""
    return request.param
