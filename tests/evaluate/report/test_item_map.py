"""Test items in the plane."""

import numpy as np
import pytest

from drsl.evaluate.report.item_map import map_items, represent_by_scores
from drsl.evaluate.scores import Scores


@pytest.fixture
def clustered():
    """Three classes whose pairs score high within a class."""
    draw = np.random.default_rng(0)
    image, text = np.arange(36) % 3, np.arange(30) % 3
    score = draw.standard_normal((36, 30)) * 0.3 + 2 * (image[:, None] == text)
    ids = [np.array([f"{side}{row}" for row in range(size)], object) for side, size in (("i", 36), ("t", 30))]
    return Scores(score.astype(np.float32), *ids, image, text, ("a", "b", "c"))


def test_inner_products_are_the_centred_scores(clustered):
    image, text = represent_by_scores(clustered.score)
    score = clustered.score.astype(np.float64)
    centred = score - score.mean(0) - score.mean(1, keepdims=True) + score.mean()
    np.testing.assert_allclose(image @ text.T, centred, atol=1e-12)
    narrow = represent_by_scores(clustered.score, width=2)
    best = np.linalg.svd(centred)  # no product of width 2 is nearer
    error = np.linalg.norm(narrow[0] @ narrow[1].T - centred)
    assert error == pytest.approx(np.sqrt((best[1][2:] ** 2).sum()))


def test_classes_lie_together_in_both_modalities(clustered):
    found = map_items(clustered)
    assert found.place.shape == (66, 2)
    assert found.modality == ("image",) * 36 + ("text",) * 30
    distance = np.linalg.norm(found.place[:, None] - found.place, axis=2)
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, axis=1)[:, :5]
    assert (found.label[nearest] == found.label[:, None]).mean() > 0.95
    across = distance[:36, 36:]
    assert (clustered.text_label[across.argmin(axis=1)] == clustered.image_label).mean() > 0.9


def test_it_is_the_same_twice(clustered):
    np.testing.assert_array_equal(map_items(clustered).place, map_items(clustered).place)


def test_of_many_items_some_are_drawn(clustered):
    found = map_items(clustered, most=10)
    assert len(found.place) == len(found.label) == len(found.modality) == 20
    assert found.drawn_from == 66


@pytest.mark.parametrize("shape", [(4, 30), (30, 4), (0, 0)])
def test_too_few_items(shape):
    ids = [np.array([*map(str, range(size))], object) for size in shape]
    labels = [np.zeros(size, np.int64) for size in shape]
    assert map_items(Scores(np.ones(shape, np.float32), *ids, *labels, ("a",))) is None


def test_scores_that_tell_nothing(clustered):
    flat = Scores(
        np.ones_like(clustered.score),
        *(getattr(clustered, each) for each in ("image_id", "text_id", "image_label", "text_label", "classes")),
    )
    assert map_items(flat) is None
