"""A paired toy problem with a known latent, on which methods can be told apart (20 classes, 4096-d and 300-d views)."""

from __future__ import annotations

import numpy as np

from drsl.features import Features

CLASSES = 20


def make_paired_toy(train=800, val=100, test=100, seed=0, dims=(4096, 300), classes=CLASSES, spread=2.0):
    """Draws class means and a latent near them, seen by each modality through a random layer with noise and ReLU.

    `spread` is how far the latent lies from its class's mean. Returns image features and text features of all splits;
    item p of both is one couple.
    """
    draw = np.random.default_rng(seed)
    means = draw.standard_normal((classes, 64))
    image_layer = draw.standard_normal((64, dims[0])) / 8
    text_layer = draw.standard_normal((64, dims[1])) / 8
    found = []
    for count in (train, test, val):  # val last, so that train and test are those of the reference values
        label = np.arange(count) % classes
        latent = means[label] + spread * draw.standard_normal((count, 64))
        image = np.maximum(0, latent @ image_layer + 1.5 * draw.standard_normal((count, dims[0])) - 0.3) / 2
        text = np.maximum(0, latent @ text_layer + 1.05 * draw.standard_normal((count, dims[1])) + 0.5)
        found.append((label, image.astype(np.float32), text.astype(np.float32)))
    found = [found[0], found[2], found[1]]
    label, image, text = (np.concatenate(each) for each in zip(*found, strict=True))
    common = {
        "id": np.array([f"item-{row}" for row in range(len(label))], dtype=object),
        "label": label.astype(np.int64),
        "split": np.repeat(np.arange(3), (train, val, test)).astype(np.uint8),
        "classes": tuple(f"class {each}" for each in range(classes)),
    }
    return Features(feature=image, **common), Features(feature=text, **common)
