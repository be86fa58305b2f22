from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from drsl.extract.sources import load_source
from drsl.extract.sources.manifest_file import read_manifest_file, write_manifest_file
from drsl.extract.sources.own_data import OwnDataConfig, settle_splits, survey
from drsl.extract.sources.placing import Reject, check_items
from drsl.features.errors import DamagedFile, MissingFile, UserError
from drsl.features.manifest import read_manifest, write_manifest

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8))


def settings(path, **changed):
    given = {"path": str(path), "train": 0.6, "val": 0.2, "test": 0.2, "seed": 0, "max_reject_fraction": 0.5}
    return OwnDataConfig(**{**given, **changed})


@pytest.fixture
def mine(tmp_path):
    """A folder with ten photos, where the CSV file goes."""
    root = tmp_path / "mine"
    (root / "photos").mkdir(parents=True)
    for number in range(10):
        PICTURE.save(root / "photos" / f"{number}.png")
    return root


@pytest.fixture
def put(mine):
    """Writes the CSV file."""

    def write(content):
        path = mine / "items.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return write


def rows(columns="image,text,label", delimiter=",", changed=None):
    """Ten rows of two classes, `changed` in some cells: {(row, column): cell}."""
    names = columns.split(",")
    lines = [names]
    for number in range(10):
        label = "cat" if number % 2 else "dog"
        cells = {
            "id": f"n{number}",
            "image": f"photos/{number}.png",
            "text": f"a {label} {number}",
            "label": label,
            "split": ("train", "train", "train", "train", "train", "train", "val", "val", "test", "test")[number],
        }
        cells.update({column: cell for (row, column), cell in (changed or {}).items() if row == number})
        lines.append([cells.get(name, "more") for name in names])
    return "\n".join(delimiter.join(line) for line in lines) + "\n"


FULL = "id,image,text,label,split"


def write(tmp_path, path, **changed):
    return tuple(write_manifest_file(tmp_path / "data", settings(path, **changed)))


def rejects(tmp_path):
    return (tmp_path / "data" / "rejects.csv").read_text("utf-8").splitlines()[1:]


def refused(tmp_path, path, *words, error=DamagedFile, **changed):
    with pytest.raises(error) as info:
        write(tmp_path, path, **changed)
    message = str(info.value)
    assert "\n" not in message
    for word in (str(path), *words):
        assert word in message, message


# What is accepted


def test_rows_become_items_in_their_order(tmp_path, put):
    items = write(tmp_path, put(rows(FULL)))
    assert [item.row() for item in items[:2]] == [
        ("n0", "images/photos/0.png", "a dog 0", "dog", "train"),
        ("n1", "images/photos/1.png", "a cat 1", "cat", "train"),
    ]
    assert Counter(item.split for item in items) == {"train": 6, "val": 2, "test": 2}
    assert all((tmp_path / "data" / item.image).is_file() for item in items)
    write_manifest(tmp_path / "data" / "manifest.csv", items)
    assert tuple(read_manifest(tmp_path / "data" / "manifest.csv").items) == items
    assert rejects(tmp_path) == []


def test_the_source_is_known_by_its_name():
    assert load_source("manifest") == (OwnDataConfig, write_manifest_file, "")


@pytest.mark.parametrize("columns", ["image,text,label", "image,text,label,split", "label,more,text,image,id"])
def test_splits_are_made_where_there_are_none(tmp_path, put, columns):
    path = put(rows(columns, changed={(number, "split"): "" for number in range(10)}))
    items = write(tmp_path, path)
    assert Counter((item.label, item.split) for item in items) == {
        (label, split): count for label in ("cat", "dog") for split, count in (("train", 3), ("val", 1), ("test", 1))
    }
    assert write(tmp_path, path) == items


def test_val_is_taken_from_train_where_there_is_none(tmp_path, put):
    path = put(rows(FULL, changed={(6, "split"): "train", (7, "split"): "train"}))
    items = write(tmp_path, path)
    assert Counter(item.split for item in items) == {"train": 6, "val": 2, "test": 2}
    assert [item.id for item in items if item.split == "test"] == ["n8", "n9"]
    assert Counter(item.split for item in write(tmp_path, path, val=0.0, train=0.8)) == {"train": 8, "test": 2}


def test_the_rows_of_one_image_get_one_split(tmp_path, put):
    photos = (0, 0, 1, 1, 2, 2, 3, 4, 5, 5)
    changed = {(number, "image"): f"photos/{photo}.png" for number, photo in enumerate(photos)}
    changed |= {(number, "label"): "cat" if number < 6 else "dog" for number in range(10)}
    path = put(rows(changed=changed))
    for seed in range(5):
        config = settings(path, train=0.4, val=0.3, test=0.3, seed=seed)
        found = survey(read_manifest_file, config)
        items = settle_splits(found.items, found.family, config)
        assert all(len({item.split for item in items if item.image == each.image}) == 1 for each in items)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_delimiters_line_ends_and_a_bom_do_not_matter(tmp_path, put, delimiter, bom, ending):
    plain = write(tmp_path, put(rows(FULL)))
    content = rows(FULL, delimiter).encode().replace(b"\n", ending)
    assert write(tmp_path, put(bom + content)) == plain


def test_quotes_and_line_breaks_in_a_text(tmp_path, put):
    path = put(rows(FULL, changed={(0, "text"): '"say ""hi"", you\r\nand, a\nthird"', (1, "text"): '" plain "'}))
    items = write(tmp_path, path)
    assert items[0].text == 'say "hi", you\nand, a\nthird'
    assert items[1].text == "plain"
    each = write(tmp_path, path, captions="each")
    assert [(item.id, item.image, item.text) for item in each[:3]] == [
        ("n0#1", "images/photos/0.png", 'say "hi", you'),
        ("n0#2", "", "and, a"),
        ("n0#3", "", "third"),
    ]


def test_column_names_may_have_capitals_and_blanks(tmp_path, put):
    content = rows(FULL).replace("id,image,text,label,split", "ID, Image ,Text,LABEL,Split", 1)
    assert write(tmp_path, put(content)) == write(tmp_path, put(rows(FULL)))


def test_ids_are_made_of_stems_or_rows_and_unique(tmp_path, put):
    changed = {(1, "image"): "", (3, "image"): "photos/2.png", (4, "image"): "", (5, "image"): "../mine/photos/2.png"}
    items = write(tmp_path, put(rows(changed=changed)))
    assert [item.id for item in items] == ["0", "row-2", "2", "2-4", "row-5", "2-6", "6", "7", "8", "9"]


def test_images_may_lie_anywhere(tmp_path, put, mine):
    PICTURE.save(tmp_path / "outside.png")
    changed = {
        (0, "image"): str(tmp_path / "outside.png"),
        (1, "image"): "../outside.png",
        (2, "image"): "./photos/2.png",
    }
    items = write(tmp_path, put(rows(FULL, changed=changed)))
    assert [item.image.startswith("images/outside/") for item in items[:3]] == [True, True, False]
    assert items[2].image == "images/photos/2.png"
    assert len({item.image for item in items}) == 10
    for item in items[:2]:
        assert (tmp_path / "data" / item.image).read_bytes() == (tmp_path / "outside.png").read_bytes()


def test_trailing_empty_cells_are_let_pass_and_blank_rows_too(tmp_path, put):
    content = rows(FULL).replace("\n", ",,\n").replace("split,,\n", "split\n\n,,,,\n", 1)
    assert len(write(tmp_path, put(content))) == 10


def test_a_very_long_text(tmp_path, put):
    items = write(tmp_path, put(rows(FULL, changed={(0, "text"): "word " * 100_000})))
    assert len(items[0].text) == 5 * 100_000 - 1


# Rows that cannot be used


def test_bad_rows_are_rejected_with_a_reason(tmp_path, put, mine):
    (mine / "photos" / "2.png").write_bytes(b"not a picture")
    changed = {
        (0, "label"): " ",
        (1, "text"): "\0zero",
        (2, "text"): "its picture is none",
        (3, "image"): "photos/gone.png",
        (7, "text"): " ",
        (7, "image"): "",
    }
    content = rows(FULL, changed=changed).encode() + b"n10,photos/1.png,caf\xe9,cat,train\n"
    items = write(tmp_path, put(content), max_reject_fraction=0.6)
    assert [item.id for item in items] == ["n4", "n5", "n6", "n8", "n9"]
    assert rejects(tmp_path) == [
        "n0,photos/0.png,line 2: the label is empty",
        f"n1,{mine}/photos/1.png,text holds a NUL byte",
        f"n2,{mine}/photos/2.png,is not an image that Pillow can read",
        f"n3,{mine}/photos/gone.png,is not there",
        "n7,,line 9: there is neither image nor text",
        f"n10,{mine}/photos/1.png,text is not UTF-8",
    ]


def test_too_many_bad_rows_stop_with_a_summary(tmp_path, put):
    path = put(rows(FULL, changed={(number, "image"): f"gone{number}.png" for number in range(4)}))
    with pytest.raises(UserError) as info:
        write(tmp_path, path, max_reject_fraction=0.25)
    message = str(info.value)
    assert "4 of 10 items cannot be used, max_reject_fraction allows 0.25" in message
    assert "gone2.png: is not there" in message
    assert "gone3.png" not in message
    assert f"all are listed in {tmp_path / 'data' / 'rejects.csv'}" in message
    assert len(rejects(tmp_path)) == 4
    assert not (tmp_path / "data" / "images").exists()


# Files that are refused


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["column 'image' is missing; the columns are id,image,text,label,split"]),
        ("image,text,label\n", ["no row under the head line"]),
        (rows("image,text,lable"), ["column 'label' is missing (did you mean 'lable'?)"]),
        (rows("img,text,label"), ["column 'image' is missing"]),
        (rows("image,caption,label"), ["column 'text' is missing"]),
        (rows("image,text,label,splits"), ["column 'split' is missing (did you mean 'splits'?)"]),
        (rows("image,text,label,text"), ["column 'text' is there twice"]),
        (rows("image|text|label"), ["column 'image' is missing"]),
        (rows(FULL, changed={(4, "id"): "n1"}), ["line 6: id 'n1' is already used on line 3"]),
        (rows(FULL, changed={(4, "id"): " "}), ["line 6: the id is empty"]),
        (rows(FULL, changed={(4, "split"): "tset"}), ["line 6: split 'tset' is not known (did you mean 'test'?)"]),
        (rows(FULL, changed={(4, "split"): ""}), ["line 2 has a split, line 6 has none"]),
        (rows(FULL, changed={(8, "label"): "fox"}), ["class 'fox' has no item in the train split"]),
        (rows(FULL, changed={(8, "label"): "dgo"}), ["class 'dgo'", "did you mean 'dog'?"]),
        (rows(FULL, changed={(n, "label"): "dog" for n in range(10)}), ["one class, 'dog'"]),
        (rows(FULL, changed={(n, "split"): "train" for n in (8, 9)}), ["no image is in the test split"]),
        (rows(FULL, changed={(n, "split"): "test" for n in range(10)}), ["no image is in the train split"]),
        (rows(FULL, changed={(n, "text"): "" for n in range(10)}), ["no text is in the train split"]),
        ("image,text,label\nphotos/0.png,one row,cat\n", ["one class, 'cat'"]),
        (rows(FULL) + "n10,photos/1.png,a, comma,cat,train\n", ["line 12: 6 cells, but the head line has 5"]),
        (rows(FULL) + "n10,photos/1.png\n", ["line 12: 2 cells, but the head line has 5"]),
        (rows(FULL) + 'n10,photos/1.png,"no end,cat,train\n', ["not readable as CSV"]),
        (rows(FULL) + 'n10,photos/1.png,"a" b,cat,train\n', ["line 12: not readable as CSV"]),
        (rows(FULL).encode("utf-16"), ["not UTF-8", "UTF-16"]),
        (rows(FULL).encode("utf-16-le"), ["not UTF-8", "UTF-16"]),
        (rows(FULL) + "n10#1,photos/1.png,,cat,train\n" + 'n10,photos/1.png,"b\nc",cat,train\n', ["called 'n10#1'"]),
    ],
)
def test_a_file_that_cannot_do_is_refused_in_one_line(tmp_path, put, content, words):
    refused(tmp_path, put(content), *words, captions="each")


def test_a_file_that_is_not_there_or_a_folder(tmp_path, mine):
    refused(tmp_path, mine / "gone.csv", "cannot be read", error=MissingFile)
    refused(tmp_path, mine, "cannot be read", error=MissingFile)


@example(b'"\x01\n",')  # a head line over two lines
@given(st.binary(max_size=300) | st.text(alphabet='image,text,label\n";\t\0', max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "a.csv"
    path.write_bytes(b"image,text,label,id,split\n" * (len(content) % 2) + content)
    try:
        seen = list(check_items(read_manifest_file(settings(path), {})))
    except UserError as error:
        assert "\n" not in str(error)  # noqa: PT017 (either outcome is right)
    else:
        assert all(isinstance(each, Reject) or each.label for each in seen)
