"""Small features that share latent class means, for the commands of stage two."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from drsl.features import Features, Item, read_manifest, write_features, write_manifest
from drsl.features.layout import Layout
from drsl.features.manifest import SPLITS


@pytest.fixture(scope="session")
def make_pair():
    """Builds image (16-d) and text (9-d) features of 3 classes; `test` is added to the test rows."""

    def build(seed=0, test=0.0, counts=(60, 24, 24)):
        draw = np.random.default_rng(seed)
        means = draw.standard_normal((3, 6))
        label = np.concatenate([np.arange(count) % 3 for count in counts])
        latent = means[label] + 0.8 * draw.standard_normal((len(label), 6))
        split = np.repeat(np.arange(3), counts).astype(np.uint8)
        found = []
        for modality, dim in (("image", 16), ("text", 9)):
            feature = np.maximum(
                0, latent @ draw.standard_normal((6, dim)) + 0.3 * draw.standard_normal((len(label), dim))
            )
            feature[split == 2] += test
            found.append(
                Features(
                    id=np.array([f"item-{row}" for row in range(len(label))], dtype=object),
                    feature=feature.astype(np.float32),
                    label=label,
                    split=split,
                    classes=("ant", "bee", "cow"),
                    attrs={
                        "dataset": "toy",
                        "modality": modality,
                        "encoder": "{}",
                        "fingerprint": modality[0] * 64,
                        "digest": str(seed) * 64,
                    },
                )
            )
        return found

    return build


PARAMS = """
run: {datasets: [toy], methods: [drsl-c], seeds: [0, 1]}
device: cpu
datasets:
  toy:
    source: features
    drsl: {image_fnn: [12], text_fnn: [12], relation: [12], batch: 20, epochs: 2, learning_rate: 0.005}
    evaluate: {at: [5], scope: [2, 4]}
methods:
  drsl-c: {}
  deep-sm:
    datasets:
      toy: {hidden: 8, epochs: 2, batch: 20, inputs: standard}
grids:
  deep-sm: {learning_rate: [0.00001, 0.01]}
"""


@pytest.fixture
def toy_project(tmp_path, make_pair):
    """A project whose features are there, as after an import."""
    (tmp_path / "params.yaml").write_text(PARAMS, "utf-8")
    layout = Layout(tmp_path, "toy")
    pair = make_pair()
    first = pair[0]
    items = [
        Item(id, "", "", first.classes[label], SPLITS[split])
        for id, label, split in zip(first.id.tolist(), first.label.tolist(), first.split.tolist(), strict=True)
    ]
    write_manifest(layout.manifest, items)
    digest = read_manifest(layout.manifest).digest
    for modality, features in zip(("image", "text"), pair, strict=True):
        attrs = {**features.attrs, "manifest_digest": digest}
        del attrs["digest"]
        write_features(layout.features(modality), replace(features, attrs=attrs))
    return tmp_path


@pytest.fixture
def command(toy_project, command_in):
    """Runs the command line in that project."""
    return partial(command_in, toy_project)
