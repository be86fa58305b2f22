import pytest

from drsl.features import Item, read_manifest, write_manifest
from drsl.features.check import check_dataset
from drsl.features.errors import DamagedFile, MissingFile


@pytest.fixture
def path(tmp_path):
    """A data set of two classes, with one image file."""
    path = tmp_path / "toy" / "manifest.csv"
    (path.parent / "images").mkdir(parents=True)
    (path.parent / "images" / "a.png").write_bytes(b"")
    items = [
        Item("1", "images/a.png", "one", "cat", "train"),
        Item("2", "", "two", "dog", "train"),
        Item("3", "images/a.png", "", "cat", "val"),
        Item("4", "images/a.png", "four", "dog", "test"),
    ]
    write_manifest(path, items)
    return path


def add(path, *items):
    write_manifest(path, [*read_manifest(path).items, *items])


def test_counts(path):
    found = check_dataset(path)
    assert found.rows == (("cat", 1, 1, 0), ("dog", 1, 0, 1), ("all", 2, 1, 1))
    assert (found.images, found.texts) == (3, 3)
    assert found.digest == read_manifest(path).digest
    assert found.problems == ()


def test_a_missing_image_is_a_problem_with_its_path(path):
    add(path, Item("5", "images/b.png", "", "cat", "train"))
    (problem,) = check_dataset(path).problems
    assert "image of '5' is missing" in problem
    assert str(path.parent / "images" / "b.png") in problem


@pytest.mark.parametrize("image", ["../secret.png", "images/../../secret.png", "/etc/passwd"])
def test_an_image_outside_the_folder_is_a_problem(path, image):
    (path.parent.parent / "secret.png").write_bytes(b"")
    add(path, Item("5", image, "", "cat", "train"))
    assert check_dataset(path).problems == (f"image of '5' lies outside the data set's folder: {image}",)


def test_empty_splits_are_problems(path):
    write_manifest(path, [Item("1", "", "one", "cat", "train")])
    assert check_dataset(path).problems == ("there is no item in the val split", "there is no item in the test split")


def test_a_missing_or_wrong_manifest_is_named(path):
    with pytest.raises(MissingFile):
        check_dataset(path.with_name("other.csv"))
    path.write_bytes(b"")
    with pytest.raises(DamagedFile):
        check_dataset(path)
