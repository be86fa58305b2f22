import os

import numpy as np
import pytest

from drsl.extract.contents import contents_of
from drsl.features.errors import UserError
from drsl.features.manifest import Item, Manifest, read_manifest, write_manifest


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


def test_contents_are_a_sequence(manifest):
    texts = [item.text for item in manifest.of("text")]
    contents = contents_of(manifest, manifest.of("text"), "text")
    assert len(contents) == len(texts)
    assert [contents[place] for place in (0, 3, -1)] == [texts[0], texts[3], texts[-1]]
    assert list(contents[2:7][::2]) == texts[2:7][::2]
    assert list(contents.take(np.array([4, 1]))) == [texts[4], texts[1]]
    with pytest.raises(IndexError):
        contents[len(texts)]


def test_texts_are_read_from_the_manifests_file(manifest):
    path = manifest.folder / "manifest.csv"
    write_manifest(path, [*manifest.items, *(Item(c, "", c, c, "train") for c in "abc")])
    there = read_manifest(path)
    contents = contents_of(there, there.of("text"), "text")
    assert list(contents) == [item.text for item in manifest.of("text")] + ["a", "b", "c"]
    assert list(contents.take(np.array([4, 1]))) == [contents[4], contents[1]]


def test_the_stamp_tells_whether_a_picture_was_changed(manifest):
    (manifest.folder / "a.png").write_bytes(b"abc")
    contents = contents_of(manifest, [Item("x", "a.png", "", "a", "train")], "image")
    stamp = contents.stamp()
    assert contents.stamp() == stamp
    os.utime(manifest.folder / "a.png", ns=(0, 0))
    assert contents.stamp() != stamp
