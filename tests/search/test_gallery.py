from types import SimpleNamespace

import numpy as np
import pytest

from drsl.features.manifest import Item
from drsl.search.gallery import Gallery


@pytest.fixture
def gallery(make_features):
    """A gallery whose scores are given; the method remembers what it was asked."""

    def build(modality, scores):
        features = make_features(n=len(scores), dim=5, modality=modality)
        asked = []

        def relate(image, text):
            asked.append((image, text))
            return np.array(scores, np.float32).reshape(len(image), len(text))

        items = {
            each: Item(each, f"images/{each}.png", f"text of {each}", features.classes[label], "test")
            for each, label in zip(features.id, features.label, strict=True)
        }
        return Gallery(SimpleNamespace(represent=lambda modality, rows: rows, relate=relate), features, items), asked

    return build


QUERY = np.ones((1, 3), np.float32)


def test_images_are_ranked_for_a_text(gallery):
    images, asked = gallery("image", [0.1, 0.9, -3.0, 0.5])
    hits = images.rank(QUERY, 10)
    assert [(hit.rank, hit.item.id, hit.score) for hit in hits] == [
        (1, "item-1", pytest.approx(0.9)),
        (2, "item-3", pytest.approx(0.5)),
        (3, "item-0", pytest.approx(0.1)),
        (4, "item-2", pytest.approx(-3.0)),
    ]
    ((image, text),) = asked
    assert image is images.features.feature
    assert text is QUERY


def test_texts_are_ranked_for_an_image(gallery):
    texts, asked = gallery("text", [0.1, 0.9, -3.0, 0.5])
    assert [hit.item.id for hit in texts.rank(QUERY, 10)] == ["item-1", "item-3", "item-0", "item-2"]
    ((image, text),) = asked
    assert image is QUERY
    assert text is texts.features.feature


@pytest.mark.parametrize("modality", ["image", "text"])
def test_ties_keep_the_gallerys_order(gallery, modality):
    hits = gallery(modality, [0.5, 0.7, 0.5, 0.7, 0.5, 0.7])[0].rank(QUERY, 10)
    assert [hit.item.id for hit in hits] == ["item-1", "item-3", "item-5", "item-0", "item-2", "item-4"]


def test_all_equal_scores_leave_the_order(gallery):
    hits = gallery("image", [2.0] * 300)[0].rank(QUERY, 300)
    assert [hit.item.id for hit in hits] == [f"item-{number}" for number in range(300)]


@pytest.mark.parametrize(("count", "found"), [(1, 1), (3, 3), (4, 4), (99, 4)])
def test_no_more_are_given_than_asked_for_and_there(gallery, count, found):
    hits = gallery("image", [4.0, 3.0, 2.0, 1.0])[0].rank(QUERY, count)
    assert [hit.rank for hit in hits] == list(range(1, found + 1))


def test_right_is_what_has_the_expected_class(gallery):
    images, _ = gallery("image", [4.0, 3.0, 2.0, 1.0])  # classes 0, 1, 2, 0
    assert [hit.right for hit in images.rank(QUERY, 4, "class-0")] == [True, False, False, True]
    assert [hit.right for hit in images.rank(QUERY, 4, "class-9")] == [False] * 4
    assert [hit.right for hit in images.rank(QUERY, 4)] == [None] * 4


def test_a_hit_brings_the_whole_item(gallery):
    (hit,) = gallery("text", [1.0])[0].rank(QUERY, 1)
    assert hit.item == Item("item-0", "images/item-0.png", "text of item-0", "class-0", "test")
    assert isinstance(hit.score, float)


def test_an_empty_gallery_has_no_hits(gallery):
    assert gallery("image", [])[0].rank(QUERY, 5) == []
