import json
import math

import numpy as np
import pytest

from drsl.extract.contents import contents_of
from drsl.extract.encode import Accuracy, encode_items, features_fingerprint, labels_of
from drsl.features.errors import UserError
from drsl.features.manifest import Item, Manifest
from drsl.features.store import read_features

ABOUT = {
    "schema": 1,
    "modality": "text",
    "architecture": "toy",
    "settings": {"width": 4},
    "vocabulary": ["a", "b"],
    "classes": ["a", "b", "c"],
    "fingerprint": "f" * 64,
}


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


def test_texts_are_given_in_order(manifest):
    items = manifest.of("text")
    assert list(contents_of(manifest, items, "text")) == [item.text for item in items]
    assert list(contents_of(manifest, [], "text")) == []


def test_image_files_are_given_in_order(manifest):
    items = manifest.of("image")
    (manifest.folder / "images").mkdir()
    for item in items:
        manifest.image_path(item).touch()
    assert list(contents_of(manifest, items, "image")) == [manifest.folder / item.image for item in items]


def test_missing_images_are_counted_and_the_first_is_named(manifest):
    items = manifest.of("image")
    (manifest.folder / "images").mkdir()
    for item in items[:8]:
        manifest.image_path(item).touch()
    with pytest.raises(UserError) as info:
        contents_of(manifest, items, "image")
    assert str(info.value) == (
        f"3 of 11 images are missing, the first is {manifest.image_path(items[8])}: `drsl data check -d toy` lists them"
    )


@pytest.mark.parametrize("image", ["../other/a.png", "/etc/passwd", "images/../../x.png", "link.png", "folder/a.png"])
def test_an_image_outside_the_folder_is_refused(manifest, tmp_path, image):
    (tmp_path / "data" / "other").mkdir()
    (tmp_path / "data" / "other" / "a.png").touch()
    (manifest.folder / "link.png").symlink_to(tmp_path / "data" / "other" / "a.png")
    (manifest.folder / "folder").symlink_to(tmp_path / "data" / "other")
    item = Item("x", image, "", "a", "train")
    with pytest.raises(UserError, match=f"image of 'x' lies outside {manifest.folder}: {image}"):
        contents_of(manifest, [item], "image")


def test_links_in_a_circle_count_as_missing(manifest):
    (manifest.folder / "a.png").symlink_to("b.png")
    (manifest.folder / "b.png").symlink_to("a.png")
    with pytest.raises(UserError, match="1 of 1 images are missing"):
        contents_of(manifest, [Item("x", "a.png", "", "a", "train")], "image")


def test_a_folder_reached_by_a_link_is_inside(manifest, tmp_path):
    (manifest.folder / "a.png").touch()
    (tmp_path / "short").symlink_to(manifest.folder)
    item = Item("x", "a.png", "", "a", "train")
    assert list(contents_of(Manifest((item,), tmp_path / "short"), [item], "image")) == [tmp_path / "short" / "a.png"]


def test_labels_are_numbers_of_sorted_classes(manifest):
    found = labels_of(manifest, manifest.items)
    assert found.dtype == np.int64
    assert [manifest.classes[each] for each in found] == [item.label for item in manifest.items]


def test_rows_are_those_of_the_manifest(manifest, tmp_path, toy_encoder):
    encoder = toy_encoder()
    told = []
    encode_items(encoder, ABOUT, manifest, tmp_path / "text.h5", lambda *each: told.append(each))
    features = read_features(tmp_path / "text.h5")
    items = manifest.of("text")
    assert len(items) == 9  # without a text there is no row
    assert features.id.tolist() == [item.id for item in items]
    assert [features.classes[each] for each in features.label] == [item.label for item in items]
    assert [("train", "val", "test")[each] for each in features.split] == [item.split for item in items]
    assert features.classes == ("a", "b", "c")
    (feature, _), *_ = encoder.encode([item.text for item in items])
    assert np.array_equal(features.feature, feature)
    assert told == [(9, 9, "")]


def test_the_file_says_what_made_it(manifest, tmp_path, toy_encoder):
    encode_items(toy_encoder(), ABOUT, manifest, tmp_path / "text.h5")
    attrs = read_features(tmp_path / "text.h5").attrs
    assert (attrs["dataset"], attrs["modality"]) == ("toy", "text")
    assert attrs["manifest_digest"] == manifest.digest
    assert attrs["fingerprint"] == features_fingerprint(ABOUT["fingerprint"], manifest.digest)
    made = json.loads(attrs["encoder"])
    assert made == {key: value for key, value in ABOUT.items() if key not in ("vocabulary", "classes")}


def test_network_and_manifest_both_make_the_fingerprint():
    assert len({features_fingerprint(*pair) for pair in [("a", "b"), ("b", "a"), ("a", "a"), ("ab", "")]}) == 4


def test_accuracy_is_the_share_of_right_guesses_by_split(manifest, tmp_path, toy_encoder):
    encoder = toy_encoder()
    found = encode_items(encoder, ABOUT, manifest, tmp_path / "text.h5")
    expected = {}
    for split in ("train", "val", "test"):
        items = manifest.of("text", split)
        right = []
        for item in items:
            ((_, guess),) = encoder.encode([item.text])
            right.append(encoder.classes[guess[0]] == item.label)
        expected[split] = sum(right) / len(right)
    assert found == Accuracy(**expected)


def test_an_empty_split_has_no_accuracy(manifest, tmp_path, toy_encoder):
    items = tuple(item for item in manifest.items if item.split != "val")
    found = encode_items(toy_encoder(), ABOUT, Manifest(items, manifest.folder), tmp_path / "text.h5")
    assert math.isnan(found.val)
    assert not math.isnan(found.test)


def test_the_same_twice_gives_the_same_bytes(manifest, tmp_path, toy_encoder):
    for name in ("a", "b"):
        encode_items(toy_encoder(), ABOUT, manifest, tmp_path / name / "text.h5")
    assert (tmp_path / "a/text.h5").read_bytes() == (tmp_path / "b/text.h5").read_bytes()


def test_many_blocks_make_one_file(manifest, tmp_path, toy_encoder, monkeypatch):
    encoder = toy_encoder()
    encode_items(encoder, ABOUT, manifest, tmp_path / "a.h5")
    whole = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda contents: whole(contents, size=4))
    told = []
    encode_items(encoder, ABOUT, manifest, tmp_path / "b.h5", lambda *each: told.append(each[:2]))
    one, other = read_features(tmp_path / "a.h5"), read_features(tmp_path / "b.h5")
    np.testing.assert_allclose(one.feature, other.feature, rtol=1e-5, atol=1e-6)
    assert told == [(4, 9), (8, 9), (9, 9)]


def test_a_feature_that_is_not_finite_is_named_and_leaves_the_old_file(manifest, tmp_path, toy_encoder):
    encode_items(toy_encoder(), ABOUT, manifest, tmp_path / "out" / "text.h5")
    before = (tmp_path / "out" / "text.h5").read_bytes()
    broken = list(manifest.items)
    place = broken.index(manifest.of("text")[4])
    broken[place] = Item("broken", "", "1 nan 2 3", "a", "train")
    with pytest.raises(UserError, match="the feature of 'broken' is not finite: the network is broken, finetune again"):
        encode_items(toy_encoder(), ABOUT, Manifest(tuple(broken), manifest.folder), tmp_path / "out" / "text.h5")
    assert (tmp_path / "out" / "text.h5").read_bytes() == before
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["text.h5"]
