import os
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from drsl.extract.sources import load_source
from drsl.extract.sources.folder import read_folder, write_folder
from drsl.extract.sources.own_data import OwnDataConfig, settle_splits, survey
from drsl.features.errors import DamagedFile, MissingFile, SettingError, UserError
from drsl.features.manifest import read_manifest, write_manifest

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8))


def settings(root, **changed):
    given = {"path": str(root), "train": 0.6, "val": 0.2, "test": 0.2, "seed": 0, "max_reject_fraction": 0.5}
    return OwnDataConfig(**{**given, **changed})


def put(root, *names, text="a word"):
    """Makes files: texts where the name ends in .txt, else pictures."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".txt"):
            path.write_text(f"{text} {path.stem}\n", "utf-8")
        else:
            PICTURE.save(path)


@pytest.fixture
def tree(tmp_path):
    """Two classes of five couples each."""
    root = tmp_path / "photos"
    for label in ("cat", "dog"):
        put(root, *(f"{label}/{number}{ending}" for number in range(5) for ending in (".png", ".txt")))
    return root


def rejects(folder):
    lines = (folder / "rejects.csv").read_text("utf-8").splitlines()
    assert lines[0] == "id,path,reason"
    return lines[1:]


def test_folders_are_classes_and_a_stem_is_an_item(tree, tmp_path):
    items = write_folder(tmp_path / "data", settings(tree))
    assert [item.id for item in items] == [f"{label}/{number}" for label in ("cat", "dog") for number in range(5)]
    assert {(item.id.split("/")[0], item.label) for item in items} == {("cat", "cat"), ("dog", "dog")}
    assert items[3].image == "images/cat/3.png"
    assert items[3].text == "a word 3"
    assert (tmp_path / "data" / items[3].image).read_bytes() == (tree / "cat" / "3.png").read_bytes()
    assert Counter((item.label, item.split) for item in items) == {
        (label, split): count for label in ("cat", "dog") for split, count in (("train", 3), ("val", 1), ("test", 1))
    }
    assert rejects(tmp_path / "data") == []
    write_manifest(tmp_path / "data" / "manifest.csv", items)
    assert read_manifest(tmp_path / "data" / "manifest.csv").digest


def test_the_source_is_known_by_its_name(tree, tmp_path):
    config, write, notice = load_source("folder")
    assert (config, write, notice) == (OwnDataConfig, write_folder, "")


def test_order_does_not_depend_on_the_file_system(tree, tmp_path, monkeypatch):
    first = write_folder(tmp_path / "a", settings(tree))
    scandir = os.scandir

    class Backwards:
        def __init__(self, path):
            self.entries = list(scandir(path))[::-1]

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *_):
            pass

    monkeypatch.setattr("drsl.extract.sources.folder.os.scandir", Backwards)
    assert tuple(write_folder(tmp_path / "b", settings(tree))) == tuple(first)


def test_the_seed_makes_the_split(tree, tmp_path):
    found = survey(read_folder, settings(tree))
    made = [settle_splits(found.items, found.family, settings(tree, seed=seed)) for seed in range(6)]
    splits = {tuple(item.split for item in items) for items in made}
    assert len(splits) > 1


def test_images_without_text_and_texts_without_image_are_items_of_one_side(tree, tmp_path):
    put(tree, "cat/alone.jpg", "dog/alone.txt")
    items = {item.id: item for item in write_folder(tmp_path / "data", settings(tree))}
    assert (items["cat/alone"].image, items["cat/alone"].text) == ("images/cat/alone.jpg", "")
    assert (items["dog/alone"].image, items["dog/alone"].text) == ("", "a word alone")


def test_the_class_is_the_first_folder_however_deep_a_file_lies(tree, tmp_path):
    put(tree, "cat/2020/may/deep.jpg", "cat/2020/may/deep.txt")
    found = next(item for item in write_folder(tmp_path / "data", settings(tree)) if item.id == "cat/2020/may/deep")
    assert (found.label, found.image) == ("cat", "images/cat/2020/may/deep.jpg")


def test_hidden_files_are_passed_over_and_other_kinds_are_named(tree, tmp_path):
    put(tree, ".hidden/a.jpg", "cat/.b.jpg")
    for name in ("cat/notes.md", "cat/0.json", "read.me", "dog/Makefile"):
        (tree / name).write_text("x")
    (tree / "empty").mkdir()
    items = write_folder(tmp_path / "data", settings(tree, max_reject_fraction=0.0))
    assert len(items) == 10
    assert rejects(tmp_path / "data") == [
        f",{tree}/cat/0.json,is of another kind (.json)",
        f",{tree}/cat/notes.md,is of another kind (.md)",
        f",{tree}/dog/Makefile,is of another kind (no ending)",
        f",{tree}/empty,holds no image and no text",
        f",{tree}/read.me,lies outside the class folders",
    ]


def test_captions_together_are_lines_of_one_text(tree, tmp_path):
    (tree / "cat" / "0.txt").write_bytes("\ufeffa cat\r\n\r\n  two cats \r\n".encode())
    items = write_folder(tmp_path / "data", settings(tree))
    assert items[0].text == "a cat\ntwo cats"


def test_each_caption_is_an_item_in_the_split_of_the_others(tree, tmp_path):
    for label in ("cat", "dog"):
        for number in range(5):
            (tree / label / f"{number}.txt").write_text("one\ntwo\nthree\n")
    items = write_folder(tmp_path / "data", settings(tree, captions="each"))
    assert [item.id for item in items[:4]] == ["cat/0#1", "cat/0#2", "cat/0#3", "cat/1#1"]
    assert [item.image for item in items[:3]] == ["images/cat/0.png", "", ""]
    assert [item.text for item in items[:3]] == ["one", "two", "three"]
    splits = {}
    for item in items:
        splits.setdefault(item.id.partition("#")[0], set()).add(item.split)
    assert all(len(each) == 1 for each in splits.values())
    assert {split for each in splits.values() for split in each} == {"train", "val", "test"}


# Texts of every kind: kept, or rejected with a reason


@pytest.mark.parametrize(
    "text",
    [
        "the of and",
        "zzyzx qwrt",
        "!!! ... ???",
        "word " * 100_000,
        "שלום עולם",
        "\u202eright to left",
        "😀👩‍👩‍👧",
        "红狐狸在雪地里",
        "Tom &amp; Jerry &lt;b&gt; &#233;",
        "<script>alert(1)</script>",
    ],
)
def test_a_text_is_kept_as_it_is(tree, tmp_path, text):
    (tree / "cat" / "0.txt").write_text(text, "utf-8")
    items = write_folder(tmp_path / "data", settings(tree))
    assert items[0].text == text.strip()
    write_manifest(tmp_path / "data" / "manifest.csv", items)
    assert read_manifest(tmp_path / "data" / "manifest.csv").items[0].text == text.strip()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"caf\xe9 au lait", "text is not UTF-8 (byte 3); save it as UTF-8"),
        (b"\xff\xfea\0b\0", "text is UTF-16; save it as UTF-8"),
        (b"a\0b", "text holds a NUL byte"),
    ],
)
def test_a_text_that_cannot_be_read_is_rejected_with_its_item(tree, tmp_path, content, reason):
    (tree / "cat" / "0.txt").write_bytes(content)
    items = write_folder(tmp_path / "data", settings(tree))
    assert [item.id for item in items if item.label == "cat"] == ["cat/1", "cat/2", "cat/3", "cat/4"]
    assert rejects(tmp_path / "data") == [f"cat/0,{tree}/cat/0.txt,{reason}"]


def test_an_empty_text_leaves_the_image_alone_and_is_nothing_by_itself(tree, tmp_path):
    (tree / "cat" / "0.txt").write_text(" \n\n")
    (tree / "cat" / "more.txt").write_text("")
    items = write_folder(tmp_path / "data", settings(tree))
    assert (items[0].id, items[0].text) == ("cat/0", "")
    assert rejects(tmp_path / "data") == [f"cat/more,{tree}/cat/more.txt,text is empty"]


def test_a_second_picture_of_a_name_is_rejected_not_guessed(tree, tmp_path):
    put(tree, "cat/0.jpg")
    items = write_folder(tmp_path / "data", settings(tree))
    assert items[0].image == "images/cat/0.jpg"
    assert rejects(tmp_path / "data") == [f'cat/0.png,{tree}/cat/0.png,"has the same name as 0.jpg, which was taken"']


def test_accents_of_either_form_make_one_name(tree, tmp_path):
    put(tree, "cat/e\u0301te\u0301.jpg")
    (tree / "cat" / "\u00e9t\u00e9.txt").write_text("summer")
    found = [item for item in write_folder(tmp_path / "data", settings(tree)) if item.text == "summer"]
    assert found[0].image == "images/cat/e\u0301te\u0301.jpg"


# Trees that are odd


def test_links_in_a_circle_are_named_and_end(tree, tmp_path):
    (tree / "cat" / "again").symlink_to(tree)
    (tree / "cat" / "self.jpg").symlink_to("self.jpg")
    items = write_folder(tmp_path / "data", settings(tree))
    assert len(items) == 10
    assert rejects(tmp_path / "data") == [
        f"cat/self,{tree}/cat/self.jpg,Too many levels of symbolic links",
        f",{tree}/cat/again,leads back to a folder above it",
    ]


def test_a_class_may_be_a_link_to_a_folder(tree, tmp_path):
    put(tmp_path / "elsewhere", "a.jpg", "a.txt", "b.jpg", "c.jpg")
    (tree / "linked").symlink_to(tmp_path / "elsewhere")
    items = write_folder(tmp_path / "data", settings(tree))
    assert [item.image for item in items if item.label == "linked"] == [f"images/linked/{name}.jpg" for name in "abc"]
    assert not (tmp_path / "data" / "images" / "linked" / "a.jpg").is_symlink()


def test_a_pipe_is_not_waited_for(tree, tmp_path):
    os.mkfifo(tree / "cat" / "pipe.txt")
    os.mkfifo(tree / "cat" / "pipe.jpg")
    write_folder(tmp_path / "data", settings(tree))
    assert rejects(tmp_path / "data") == [f"cat/pipe,{tree}/cat/pipe.txt,is not a regular file"]


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda root: None, MissingFile, "cannot be read as a folder"),
        (lambda root: root.write_text("x"), MissingFile, "Not a directory"),
        (lambda root: root.mkdir(), DamagedFile, "make one folder a class"),
        (lambda root: put(root, "a.jpg", "a.txt"), DamagedFile, "make one folder a class"),
        (lambda root: (root / "cat").mkdir(parents=True), DamagedFile, "hold no image and no text"),
        (lambda root: put(root, *(f"cat/{n}.jpg" for n in range(9))), DamagedFile, "one class, 'cat'"),
        (lambda root: put(root, "cat/a.jpg", "cat/a.txt", "dog/a.jpg"), DamagedFile, "in the test split"),
        (
            lambda root: put(root, *(f"{label}/{n}.jpg" for n in range(9) for label in ("cat", "dog"))),
            DamagedFile,
            "no text is in the train split",
        ),
    ],
)
def test_a_tree_that_cannot_do_is_refused_in_one_line(tmp_path, make, error, words):
    root = tmp_path / "photos"
    make(root)
    with pytest.raises(error) as info:
        write_folder(tmp_path / "data", settings(root))
    assert words in str(info.value)
    assert str(root) in str(info.value)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("place", ["data/photos", "data/photos/tree", "data"])
def test_own_files_where_the_data_set_is_written_are_refused(tmp_path, place):
    root = tmp_path / place
    put(root, "images/a.jpg", "images/a.txt")
    with pytest.raises(SettingError, match="keep your files elsewhere"):
        write_folder(tmp_path / "data" / "photos", settings(root))
    assert (root / "images" / "a.jpg").is_file()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"train": 0.9}, "sum to 1"),
        ({"train": 0.0, "val": 0.5, "test": 0.5}, "train not 0"),
        ({"train": 1.2, "val": -0.2, "test": 0.0}, "not be negative"),
        ({"captions": "all"}, "captions: 'all'"),
        ({"seed": -1}, "seed: -1"),
        ({"max_reject_fraction": 2.0}, "max_reject_fraction"),
        ({"path": ""}, "path: "),
    ],
)
def test_wrong_settings_are_refused(changed, words):
    with pytest.raises(UserError) as info:
        settings("photos", **changed)
    assert words in str(info.value)
