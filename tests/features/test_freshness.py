import dataclasses
from pathlib import Path

import numpy as np
import pytest

from drsl.features import open_parts
from drsl.features.errors import StaleFile
from drsl.features.freshness import encoder_of, require_fresh, require_pairable, require_parts_of, settings_of
from drsl.features.parts import open_parts_writer

IMAGE, TEXT = Path("features/toy/image.h5"), Path("features/toy/text.h5")


def stale(made, asked):
    with pytest.raises(StaleFile) as info:
        require_fresh("models/toy/image.safetensors", made, asked, "drsl finetune image -d toy")
    message = str(info.value)
    assert message.startswith("models/toy/image.safetensors is stale: ")
    assert message.endswith(". Run `drsl finetune image -d toy`")
    return message


def test_equal_recipes_are_fresh():
    require_fresh("a", {"settings": {"epochs": 3, "sizes": [1, 2]}}, {"settings": {"epochs": 3, "sizes": (1, 2)}}, "b")


def test_what_is_not_asked_for_is_not_compared():
    require_fresh("a", {"settings": {"epochs": 3}, "made_by": "x"}, {"settings": {"epochs": 3}}, "b")
    require_fresh("a", {"settings": {"epochs": 3}}, {}, "b")


def test_everything_that_differs_is_named_in_one_message():
    made = {"settings": {"epochs": 6, "weights": "a" * 64}, "manifest_digest": "c" * 64}
    asked = {"settings": {"epochs": 12, "weights": "b" * 64}, "manifest_digest": "d" * 64}
    message = stale(made, asked)
    for words in (
        "settings.epochs was 6, now 12",
        "settings.weights was aaaaaaaaaaaa, now bbbbbbbbbbbb",
        "manifest_digest was cccccccccccc, now dddddddddddd",
    ):
        assert words in message


def test_what_an_older_file_does_not_say_is_named():
    assert "schema was not set, now 2" in stale({}, {"schema": 2})


def test_a_setting_that_was_removed_is_named():
    assert "settings.dropout was 0.5, now not set" in stale({"settings": {"dropout": 0.5}}, {"settings": {}})


def test_the_encoder_of_a_file(make_features):
    assert encoder_of(make_features()) == {"architecture": "toy"}


@pytest.mark.parametrize("attrs", [{}, {"encoder": "VGG"}, {"encoder": "[1]"}, {"encoder": ""}, {"encoder": 3}])
def test_an_encoder_that_is_not_described(make_features, attrs):
    assert encoder_of(dataclasses.replace(make_features(), attrs=attrs)) == {}


def test_files_of_one_manifest_can_be_paired(make_features):
    require_pairable(IMAGE, make_features(), TEXT, make_features(dim=5, seed=1, modality="text"))


def test_numbers_of_images_and_texts_may_differ(make_features):
    require_pairable(IMAGE, make_features(n=12), TEXT, make_features(n=30))
    require_pairable(IMAGE, make_features(n=30), TEXT, make_features(n=12))
    require_pairable(IMAGE, make_features(n=0), TEXT, make_features(n=12))


def test_ids_that_are_only_in_one_file_are_fine(make_features):
    image = make_features()
    other = np.array([f"text-{row}" for row in range(12)], dtype=object)
    require_pairable(IMAGE, image, TEXT, dataclasses.replace(image, id=other, label=image.label[::-1]))


def not_pairable(image, text, *words):
    with pytest.raises(StaleFile) as info:
        require_pairable(IMAGE, image, TEXT, text)
    for word in (str(IMAGE), str(TEXT), "drsl encode image -d toy", "drsl encode text -d toy", *words):
        assert word in str(info.value)


def test_files_of_different_manifests(make_features):
    text = make_features(modality="text")
    other = {**text.attrs, "manifest_digest": "f" * 64}
    not_pairable(make_features(), dataclasses.replace(text, attrs=other), "different manifests")
    not_pairable(make_features(), dataclasses.replace(text, attrs={}), "different manifests")


def test_files_of_different_classes(make_features):
    text = make_features()
    not_pairable(make_features(), dataclasses.replace(text, classes=text.classes[::-1]), "different class names")


@pytest.mark.parametrize("name", ["label", "split"])
def test_one_id_with_two_labels_or_splits(make_features, name):
    text = make_features()
    changed = getattr(text, name).copy()
    changed[4] = (changed[4] + 1) % 3
    not_pairable(make_features(), dataclasses.replace(text, **{name: changed}), "'item-4' has another label or split")


@pytest.fixture
def make_parts(tmp_path):
    """Makes a grid of zeros for the items of some features."""

    def build(features, **attrs):
        path = tmp_path / "toy" / "image.grid.h5"
        columns = {"label": features.label, "split": features.split, "classes": features.classes}
        attrs = {**features.attrs, "settings": '{"rows": 1}', **attrs}
        with open_parts_writer(path, "grid", id=features.id.tolist(), **columns, shape=(1, 2), attrs=attrs) as writer:
            writer.append(np.zeros((len(features), 1, 2)))
        return path, open_parts(path)

    return build


def test_parts_and_features_of_one_network(make_features, make_parts):
    features = make_features()
    path, parts = make_parts(features)
    require_parts_of(IMAGE, features, path, parts)
    assert settings_of(parts) == {"rows": 1}
    assert settings_of(make_parts(features, settings="?")[1]) == {}


@pytest.mark.parametrize(
    ("attrs", "words"),
    [
        ({"manifest_digest": "9" * 64}, "manifest was 999999999999, now 000000000000"),
        ({"encoder": '{"architecture": "another"}'}, "architecture was another, now toy"),
        ({"encoder": '{"architecture": "toy", "fingerprint": "1"}'}, "fingerprint was 1, now "),
    ],
)
def test_parts_of_another_manifest_or_network_are_refused(make_features, make_parts, attrs, words):
    path, parts = make_parts(make_features(), **attrs)
    with pytest.raises(StaleFile) as info:
        require_parts_of(IMAGE, make_features(), path, parts)
    for word in (str(path), words, "drsl encode image --parts grid -d toy"):
        assert word in str(info.value)


@pytest.mark.parametrize("name", ["id", "label", "split"])
def test_parts_of_other_items_are_refused(make_features, make_parts, name):
    features = make_features()
    path, parts = make_parts(features)
    turned = dataclasses.replace(features, **{name: getattr(features, name)[::-1]})
    with pytest.raises(StaleFile, match=r"has other items than features/toy/image\.h5"):
        require_parts_of(IMAGE, turned, path, parts)
