"""What is the same is encoded once, and every item gets its outcome."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drsl.extract.duplicates import first_alike


def test_files_are_compared_by_their_bytes(tmp_path):
    paths = []
    for number, content in enumerate([b"abc", b"abd", b"abc", b"", b"x", b"", b"abc"]):
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(content)
    assert first_alike(paths).tolist() == [0, 1, 0, 3, 4, 3, 0]
    assert first_alike([paths[1], paths[1]]).tolist() == [0, 0]


def test_a_file_that_shares_its_size_with_none_is_not_read(tmp_path, monkeypatch):
    from drsl.extract import duplicates

    for name, content in (("a", b"1"), ("b", b"22"), ("c", b"333")):
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(duplicates, "digest_file", None)
    assert first_alike([tmp_path / name for name in "abc"]).tolist() == [0, 1, 2]


@given(st.lists(st.sampled_from(["", "a", "b", "a\0", "\0", "größe"]), max_size=30))
def test_alike_are_those_that_are_equal(contents):
    assert first_alike(contents).tolist() == [contents.index(each) for each in contents]


def test_a_network_sees_the_same_content_once(tmp_path, toy_encoder):
    from drsl.extract.encode import encode_items
    from drsl.features.manifest import Item, Manifest
    from drsl.features.store import read_features

    texts = ["1 2 3 4", "5 6 7 8", "1 2 3 4", "1 2 3 4", "9 9 9 9"]
    items = [Item(str(place), "", text, "abc"[place % 3], "train") for place, text in enumerate(texts)]
    encoder = toy_encoder()
    manifest = Manifest(tuple(items), tmp_path / "data")
    encode_items(encoder, {"fingerprint": "f"}, manifest, tmp_path / "text.h5", tmp_path / "work")
    assert encoder.contents == ["1 2 3 4", "5 6 7 8", "9 9 9 9"]
    feature = read_features(tmp_path / "text.h5").feature
    assert feature[0].tobytes() == feature[2].tobytes() == feature[3].tobytes()
    assert not np.array_equal(feature[0], feature[1])
