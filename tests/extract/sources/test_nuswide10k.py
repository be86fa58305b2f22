"""NUS-WIDE-10K: lists of full size, a small tree, and each way its files can be wrong."""

import csv
import logging
from collections import Counter

import numpy as np
import pytest

from drsl.extract.sources.nuswide10k import LAYOUT, NusWideConfig, draw, read_items, write_nuswide10k
from drsl.features import read_manifest, write_manifest
from drsl.features.errors import DamagedFile, MissingFile, SettingError

PHOTOS = 269_648


def config_of(root, concepts=(), seed=0, rejects=0.01):
    return NusWideConfig(str(root), seed, rejects, concepts)


@pytest.fixture
def tree(public_trees, tmp_path):
    public_trees.nuswide10k(tmp_path / "raw")
    return tmp_path / "raw"


def label_file(root, name):
    return root / "Groundtruth" / "AllLabels" / f"Labels_{name}.txt"


def write_concepts(root, concepts):
    """All files of a folder of photos, by the photos that carry each concept; photos themselves are empty files."""
    total = 1 + max(place for places in concepts.values() for place in places)
    (root / "Groundtruth" / "AllLabels").mkdir(parents=True)
    for name, places in concepts.items():
        column = np.full((total, 2), ord("\n"), np.uint8)
        column[:, 0] = ord("0")
        column[list(places), 0] = ord("1")
        label_file(root, name).write_bytes(column.tobytes())
    (root / "ImageList").mkdir()
    (root / "ImageList" / "Imagelist.txt").write_text("".join(f"all\\{n:04}_{n + 7}.jpg\n" for n in range(total)))
    (root / "All_Tags.txt").write_text("".join(f"{n + 7}   tag{n} nikon\n" for n in range(total)))
    (root / "Flickr" / "all").mkdir(parents=True)
    return total


def touch(root, places):
    for n in places:
        (root / "Flickr" / "all" / f"{n:04}_{n + 7}.jpg").touch()


# Counts


def test_files_of_full_size_give_the_papers_counts(tmp_path, caplog):
    concepts = {f"c{k:02}": range(k * 2000, k * 2000 + 1100) for k in range(12)}
    concepts["c10"] = [*range(0, 300), PHOTOS - 1]  # carried beside c00, which is then left with 800
    concepts["c11"] = [5]
    concepts["c00"] = range(0, 1350)
    assert write_concepts(tmp_path, concepts) == PHOTOS
    touch(tmp_path, (n for k in range(10) for n in concepts[f"c{k:02}"]))
    items = [item for item, _ in read_items(config_of(tmp_path))]
    assert Counter(item.split for item in items) == {"train": 8000, "val": 1000, "test": 1000} == LAYOUT.counts
    count = Counter((item.label, item.split) for item in items)
    assert count == {(f"c{k:02}", s): n for k in range(10) for s, n in (("train", 800), ("val", 100), ("test", 100))}
    assert LAYOUT.differences(items) == []
    assert "left out: 0 that are not there, 0 without a tag" in caplog.text
    assert "fewer than" not in caplog.text
    numbers = [int(item.id) for item in items]
    assert numbers == sorted(numbers)  # the published order
    item = items[0]
    assert (item.image, item.text) == (
        f"images/all/{int(item.id) - 7:04}_{item.id}.jpg",
        f"tag{int(item.id) - 7} nikon",
    )


def test_what_is_drawn_is_a_matter_of_the_seed():
    concept = {str(n): f"c{n % 10}" for n in range(15_000)}
    one, same, other = (draw(concept, seed) for seed in (0, 0, 1))
    assert one == same
    assert set(one) != set(other)
    assert Counter(one.values()) == {"train": 8000, "val": 1000, "test": 1000}
    assert Counter((concept[n], split) for n, split in one.items())["c3", "val"] == 100
    back = draw(dict(reversed(concept.items())), 0)
    assert back == one


def test_concepts_with_fewer_photos_are_taken_whole():
    concept = {str(n): "few" if n % 10 == 0 else "many" for n in range(2000)}
    count = Counter((concept[n], split) for n, split in draw(concept, 0).items())
    assert count["few", "train"] + count["few", "val"] + count["few", "test"] == 200
    assert (count["few", "train"], count["few", "val"], count["few", "test"]) == (160, 20, 20)
    assert count["many", "train"] == 800


# Which concepts and photos


def test_the_ten_largest_are_taken_and_photos_that_carry_two_of_them_are_not(tmp_path):
    concepts = {f"c{k:02}": range(k * 30, k * 30 + 20) for k in range(11)}
    concepts["c10"] = range(300, 305)  # the smallest is not among the ten,
    concepts["c03"] = [*concepts["c03"], *range(60, 63), 301]  # so 301 counts for c03; 60 to 62 carry c02 as well
    write_concepts(tmp_path, concepts)
    touch(tmp_path, range(400))
    label = {int(item.id) - 7: item.label for item, _ in read_items(config_of(tmp_path))}
    assert set(label.values()) == {f"c{k:02}" for k in range(10)}
    assert label[301] == "c03"
    assert not {60, 61, 62, 300, 302} & set(label)
    assert label[63] == "c02"


def test_concepts_can_be_named(tmp_path):
    concepts = {f"c{k:02}": range(k * 30, k * 30 + 20 - k) for k in range(12)}
    write_concepts(tmp_path, concepts)
    touch(tmp_path, range(400))
    named = tuple(f"c{k:02}" for k in range(2, 12))
    assert {item.label for item, _ in read_items(config_of(tmp_path, named))} == set(named)
    with pytest.raises(SettingError, match=r"concepts: .* has no Labels_C02\.txt .did you mean 'c02'"):
        read_items(config_of(tmp_path, ("C02", *named[1:])))


@pytest.mark.parametrize("concepts", [("sky",), ("sky",) * 10])
def test_named_concepts_are_ten_different_ones(concepts):
    with pytest.raises(SettingError, match="must be 10 different concepts"):
        config_of("raw", concepts)


def test_photos_not_there_and_photos_without_tags_are_left_out_and_counted(tree, caplog):
    names = (tree / "ImageList" / "Imagelist.txt").read_text().split()
    (tree / "Flickr" / names[0].replace("\\", "/")).unlink()
    tags = (tree / "All_Tags.txt").read_text().splitlines()
    number = tags[1].split()[0]
    (tree / "All_Tags.txt").write_text(
        "\n".join([tags[0], f"{number}    ", *tags[3:]]) + "\n"
    )  # one empty, one no line
    items = [item for item, _ in read_items(config_of(tree))]
    assert len(items) == 27
    assert "30 of 30 photos carry just one of aeroplane, bird, cow, dog, sofa" in caplog.text
    assert "left out: 1 that are not there, 2 without a tag" in caplog.text
    assert "fewer than 1000 photos remain for: aeroplane 3, bird 6" in caplog.text
    assert "5 concepts only" in caplog.text
    assert all(record.levelno == logging.WARNING for record in caplog.records)


# A small tree


def test_a_tree_becomes_a_manifest(tree, tmp_path):
    items = write_nuswide10k(tmp_path / "data", config_of(tree))
    assert Counter(item.split for item in items) == {"train": 20, "val": 5, "test": 5}
    assert items[0].text == "aeroplane wing nikon d50"
    write_manifest(tmp_path / "data" / "manifest.csv", items)
    manifest = read_manifest(tmp_path / "data" / "manifest.csv")
    for item in manifest.items:
        original = tree / item.image.replace("images/", "Flickr/")
        assert manifest.image_path(item).read_bytes() == original.read_bytes()


def test_a_photo_that_cannot_be_decoded_is_a_reject(tree, tmp_path):
    path = next((tree / "Flickr").rglob("*.jpg"))
    path.write_bytes(b"GIF89a")
    assert len(write_nuswide10k(tmp_path / "data", config_of(tree, rejects=0.1))) == 29
    with (tmp_path / "data" / "rejects.csv").open(newline="") as file:
        (reject,) = csv.DictReader(file)
    assert reject["path"] == str(path)


def test_tags_that_are_not_utf8_are_read(tree):
    path = tree / "All_Tags.txt"
    path.write_bytes(path.read_bytes().replace(b"wing", b"caf\xe9\0 \xe5", 1).replace(b"bone", "猫\t狗".encode()))
    texts = [item.text for item, _ in read_items(config_of(tree))]
    assert "aeroplane café å nikon d50" in texts
    assert "dog 猫 狗 nikon d50" in texts


def test_slashes_blank_lines_and_a_photo_listed_twice(tree):
    path = tree / "ImageList" / "Imagelist.txt"
    before = [item.id for item, _ in read_items(config_of(tree))]
    path.write_text(path.read_text().replace("\\", "/") + "\n\n")
    assert [item.id for item, _ in read_items(config_of(tree))] == before
    lines = path.read_text().split()
    lines[1] = lines[0]
    path.write_text("\n".join(lines))
    assert [item.id for item, _ in read_items(config_of(tree))] == [before[0], *before[2:]]


# What can be wrong


@pytest.mark.parametrize("part", [part.name for part in LAYOUT.parts])
def test_a_missing_part_is_named(tree, part):
    path = tree / part
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(MissingFile, match="drsl data check") as info:
        read_items(config_of(tree))
    assert str(tree / part.rstrip("/")) in str(info.value)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("content", [b"", b"0\n2\n", b"yes\n", b"-1\n", b"0 0.5\n"])
def test_a_label_file_of_something_else_is_refused(tree, content):
    label_file(tree, "cow").write_bytes(content)
    with pytest.raises(DamagedFile, match=r"Labels_cow\.txt must hold a 0 or a 1 in each line"):
        read_items(config_of(tree))


def test_files_of_different_lengths_are_refused(tree):
    path = label_file(tree, "cow")
    path.write_bytes(path.read_bytes() + b"0\n")
    with pytest.raises(DamagedFile, match=r"Labels_cow\.txt has 31 lines, but .* has 30"):
        read_items(config_of(tree))


@pytest.mark.parametrize(("lines", "count"), [(slice(0, 29), "29"), (slice(0, 60), "more than 30")])
def test_a_list_of_another_length_is_refused(tree, lines, count):
    path = tree / "ImageList" / "Imagelist.txt"
    path.write_text("\n".join((path.read_text().split() * 2)[lines]) + "\n")
    with pytest.raises(DamagedFile, match=rf"Imagelist\.txt has {count} lines, but the files of labels have 30"):
        read_items(config_of(tree))


@pytest.mark.parametrize("name", ["..\\0001_5.jpg", "/etc/passwd_5.jpg", "0001_5.jpg", "a\\b\\0001_5.jpg", "a\\x.jpg"])
def test_a_wrong_name_is_refused(tree, name):
    path = tree / "ImageList" / "Imagelist.txt"
    path.write_text("\n".join([*path.read_text().split()[:29], name]) + "\n")
    with pytest.raises(DamagedFile, match=r"Imagelist\.txt line 30: .* must be like actor"):
        read_items(config_of(tree))


def test_a_folder_without_labels_is_refused(tree):
    for path in (tree / "Groundtruth" / "AllLabels").iterdir():
        path.unlink()
    with pytest.raises(MissingFile, match="holds no file Labels_<concept>"):
        read_items(config_of(tree))
