"""Small features that share latent class means, for the commands of stage two."""

import numpy as np
import pytest

from drsl.features import Features


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
