import json
import math

import numpy as np
import pytest

from drsl.extract.encode import Accuracy, encode_items, features_fingerprint
from drsl.features.errors import UserError
from drsl.features.manifest import MODALITIES, Item, Manifest
from drsl.features.store import Features, read_features, write_features

ABOUT = {
    "schema": 1,
    "modality": "text",
    "architecture": "toy",
    "settings": {"width": 4},
    "vocabulary": ["a", "b"],
    "classes": ["a", "b", "c"],
    "fingerprint": "f" * 64,
}


def test_labels_are_numbers_of_sorted_classes(manifest):
    for modality in MODALITIES:
        found = manifest.labels(modality)
        assert found.dtype == np.int64
        assert [manifest.classes[each] for each in found] == [item.label for item in manifest.of(modality)]


def test_rows_are_those_of_the_manifest(manifest, tmp_path, toy_encoder):
    encoder = toy_encoder()
    told = []
    encode_items(encoder, ABOUT, manifest, tmp_path / "text.h5", tmp_path / "work", lambda *each: told.append(each))
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


def test_the_bytes_are_those_of_a_plain_loop(manifest, tmp_path, toy_encoder):
    """Every text is in the list, each once; one call of the network; the outcomes written in one piece."""
    items = [*manifest.items, *(Item(f"{item.id}-again", "", item.text, item.label, "test") for item in manifest.items)]
    manifest = Manifest(tuple(items), manifest.folder)
    encode_items(toy_encoder(), ABOUT, manifest, tmp_path / "text.h5", tmp_path / "work")
    items = [item for item in items if item.text]
    texts = list(dict.fromkeys(item.text for item in items))
    (outcome,) = toy_encoder().encode(texts)
    plain = Features(
        id=np.array([item.id for item in items], dtype=object),
        feature=np.stack([outcome[0][texts.index(item.text)] for item in items]),
        label=np.array(["abc".index(item.label) for item in items]),
        split=np.array([("train", "val", "test").index(item.split) for item in items]),
        classes=("a", "b", "c"),
        attrs=read_features(tmp_path / "text.h5").attrs,
    )
    write_features(tmp_path / "plain.h5", plain)
    assert (tmp_path / "plain.h5").read_bytes() == (tmp_path / "text.h5").read_bytes()


def test_the_file_says_what_made_it(manifest, tmp_path, toy_encoder):
    encode_items(toy_encoder(), ABOUT, manifest, tmp_path / "text.h5", tmp_path / "work")
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
    found = encode_items(encoder, ABOUT, manifest, tmp_path / "text.h5", tmp_path / "work")
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
    found = encode_items(
        toy_encoder(), ABOUT, Manifest(items, manifest.folder), tmp_path / "text.h5", tmp_path / "work"
    )
    assert math.isnan(found.val)
    assert not math.isnan(found.test)


def test_the_same_twice_gives_the_same_bytes(manifest, tmp_path, toy_encoder):
    for name in ("a", "b"):
        encode_items(toy_encoder(), ABOUT, manifest, tmp_path / name / "text.h5", tmp_path / "work")
    assert (tmp_path / "a/text.h5").read_bytes() == (tmp_path / "b/text.h5").read_bytes()


def test_many_blocks_make_one_file(manifest, tmp_path, toy_encoder, monkeypatch):
    encoder = toy_encoder()
    encode_items(encoder, ABOUT, manifest, tmp_path / "a.h5", tmp_path / "work")
    whole = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda contents: whole(contents, size=4))
    told = []
    encode_items(encoder, ABOUT, manifest, tmp_path / "b.h5", tmp_path / "work", lambda *each: told.append(each[:2]))
    one, other = read_features(tmp_path / "a.h5"), read_features(tmp_path / "b.h5")
    np.testing.assert_allclose(one.feature, other.feature, rtol=1e-5, atol=1e-6)
    assert told == [(4, 9), (8, 9), (9, 9)]


def test_a_feature_that_is_not_finite_is_named_and_leaves_the_old_file(manifest, tmp_path, toy_encoder):
    encode_items(toy_encoder(), ABOUT, manifest, tmp_path / "out" / "text.h5", tmp_path / "work")
    before = (tmp_path / "out" / "text.h5").read_bytes()
    broken = list(manifest.items)
    place = broken.index(manifest.of("text")[4])
    broken[place] = Item("broken", "", "1 nan 2 3", "a", "train")
    with pytest.raises(UserError, match="the feature of 'broken' is not finite: the network is broken, finetune again"):
        encode_items(
            toy_encoder(),
            ABOUT,
            Manifest(tuple(broken), manifest.folder),
            tmp_path / "out" / "text.h5",
            tmp_path / "work",
        )
    assert (tmp_path / "out" / "text.h5").read_bytes() == before
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["text.h5"]
