"""XMediaNet: lists of full size, a small tree with and without lists of val, and each way its files can be wrong."""

import csv
from collections import Counter

import pytest

from drsl.extract.sources.public_layout import PublicConfig
from drsl.extract.sources.xmedianet import LAYOUT, read_items, write_xmedianet
from drsl.features import read_manifest, write_manifest
from drsl.features.errors import DamagedFile, MissingFile


def config_of(root, seed=0, rejects=0.01):
    return PublicConfig(str(root), seed, rejects)


@pytest.fixture
def tree(public_trees, tmp_path):
    public_trees.xmedianet(tmp_path / "raw")
    return tmp_path / "raw"


def write_lists(root, classes, with_val):
    """Lists of 200 pairs a class; all texts of a class are one file, images are not opened by the reader."""
    (root / "image").mkdir(parents=True)
    places = {"train": range(160), "val": range(160, 180), "test": range(180, 200)}
    places = places if with_val else {"train": range(160), "test": range(160, 200)}
    for number in range(classes):
        (root / "text" / f"class{number}").mkdir(parents=True)
        (root / "text" / f"class{number}" / "one.txt").write_text("A paragraph.")
    for split, numbers in places.items():
        pairs = [(f"class{label}", n, label + 1) for n in numbers for label in range(classes)]
        (root / f"img_{split}_list.txt").write_text("".join(f"{c}/{n}.jpg {k}\n" for c, n, k in pairs))
        (root / f"txt_{split}_list.txt").write_text("".join(f"{c}/one.txt {k}\n" for c, n, k in pairs))
    return root


@pytest.mark.parametrize("with_val", [False, True])
def test_lists_of_full_size_give_the_papers_counts(tmp_path, with_val):
    items = [item for item, _ in read_items(config_of(write_lists(tmp_path / "full", 200, with_val)))]
    assert Counter(item.split for item in items) == {"train": 32000, "val": 4000, "test": 4000} == LAYOUT.counts
    assert LAYOUT.differences(items) == []
    count = Counter((item.label, item.split) for item in items)
    assert all(n == {"train": 160, "val": 20, "test": 20}[split] for (_, split), n in count.items())
    assert len(count) == 600


@pytest.mark.parametrize("with_val", [False, True])
def test_the_seed_matters_only_without_lists_of_val(tmp_path, with_val):
    root = write_lists(tmp_path / "ten", 10, with_val)
    one, other = ([item.split for item, _ in read_items(config_of(root, seed))] for seed in (0, 1))
    assert (one == other) == with_val


@pytest.mark.parametrize("val", [0, 1])
def test_a_tree_becomes_a_manifest(public_trees, tmp_path, val):
    public_trees.xmedianet(tmp_path / "raw", val=val, test=2 - val)
    items = write_xmedianet(tmp_path / "data", config_of(tmp_path / "raw"))
    assert Counter(item.split for item in items) == {"train": 20, "val": 5, "test": 5}
    assert items[0].id == "aeroplane/aeroplane_0"
    assert items[0].text == "A paragraph of the aeroplane. It has a wing."
    write_manifest(tmp_path / "data" / "manifest.csv", items)
    manifest = read_manifest(tmp_path / "data" / "manifest.csv")
    for item in manifest.items:
        original = tmp_path / "raw" / item.image.replace("images/", "image/")
        assert manifest.image_path(item).read_bytes() == original.read_bytes()


def test_paths_with_the_folder_backslashes_and_tabs_are_the_same(tree):
    before = read_items(config_of(tree))
    for path in tree.glob("*_list.txt"):
        folder = "image" if path.name.startswith("img") else "text"
        lines = (line.replace("/", "\\").replace(" ", "\t") for line in path.read_text().splitlines())
        path.write_text("\r\n".join(f"{folder}\\{line}" for line in lines) + "\r\n\r\n")
    assert read_items(config_of(tree)) == before


@pytest.mark.parametrize(("content", "reason"), [(None, "is not there"), (b"", "is empty"), (b"\0\r\n ", "is empty")])
def test_a_pair_without_text_is_a_reject(tree, tmp_path, content, reason):
    path = tree / "text" / "dog" / "dog_1.txt"
    path.unlink() if content is None else path.write_bytes(content)
    assert len(write_xmedianet(tmp_path / "data", config_of(tree, rejects=0.1))) == 29
    with (tmp_path / "data" / "rejects.csv").open(newline="") as file:
        (reject,) = csv.DictReader(file)
    assert reject == {"id": "dog/dog_1", "path": str(path), "reason": reason}


def test_texts_that_are_not_utf8_are_read(tree):
    (tree / "text" / "dog" / "dog_1.txt").write_bytes(b"The caf\xe9's dog")
    assert next(item.text for item, _ in read_items(config_of(tree)) if item.id == "dog/dog_1") == "The café's dog"


@pytest.mark.parametrize("part", [part.name for part in LAYOUT.parts if part.needed])
def test_a_missing_part_is_named(tree, part):
    path = tree / part
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(MissingFile, match="drsl data check") as info:
        read_items(config_of(tree))
    assert str(tree / part.rstrip("/")) in str(info.value)


def test_one_list_of_val_alone_is_refused(tree):
    (tree / "img_val_list.txt").write_text("dog/dog_9.jpg 4\n")
    with pytest.raises(MissingFile, match=r"txt_val_list\.txt"):
        read_items(config_of(tree))


@pytest.mark.parametrize(
    ("image", "text", "message"),
    [
        ("dog/dog_9.jpg 4", "cow/cow_9.txt 3", "belongs with line k of the other"),
        ("dog/dog_9.jpg 3", "dog/dog_9.txt 3", "class 'dog' has number 3, but 4 before"),
        ("fox/fox_9.jpg 4", "fox/fox_9.txt 4", "have the same number 4"),
        ("dog_9.jpg 4", "dog/dog_9.txt 4", "must be a class folder, a file in it, and the class number"),
        ("../dog_9.jpg 4", "dog/dog_9.txt 4", "must be a class folder"),
        ("/etc/passwd 4", "dog/dog_9.txt 4", "must be a class folder"),
        ("dog/dog_9.jpg dog", "dog/dog_9.txt 4", "must be a class folder"),
        ("dog/dog_9.jpg", "dog/dog_9.txt 4", "must be a class folder"),
        ("dog/dog_9.jpg 4", "", "they go together"),
        ("dog/dog_5.jpg 4", "dog/dog_9.txt 4", "name image 'dog/dog_5' twice"),
    ],
)
def test_wrong_lines_are_named(tree, image, text, message):
    for kind, line in (("img", image), ("txt", text)):
        path = tree / f"{kind}_test_list.txt"
        path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DamagedFile) as info:
        read_items(config_of(tree))
    assert message in str(info.value)
    assert "\n" not in str(info.value)
