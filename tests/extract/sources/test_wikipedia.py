"""Wikipedia's articles: the real lists, a small tree, and each way its files can be wrong."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.extract.sources.placing import Reject
from drsl.extract.sources.public_layout import PublicConfig
from drsl.extract.sources.wikipedia import LAYOUT, read_items, section_text, write_wikipedia
from drsl.features import read_manifest, write_manifest
from drsl.features.errors import DamagedFile, MissingFile, SettingError, UserError

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "wikipedia"


@pytest.fixture
def tree(public_trees, tmp_path):
    public_trees.wikipedia(tmp_path / "raw")
    return tmp_path / "raw"


def config_of(root, seed=0, rejects=0.01):
    return PublicConfig(str(root), seed, rejects)


def rejects_of(folder):
    with (folder / "rejects.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# Counts


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The real lists with a text of one word each; photos are not opened by the reader."""
    if not REAL.is_dir():
        pytest.skip("../shared/data/wikipedia is not there")
    root = tmp_path_factory.mktemp("real")
    (root / "images").mkdir()
    (root / "texts").mkdir()
    for name in ("trainset_txt_img_cat.list", "testset_txt_img_cat.list", "categories.list"):
        (root / name).write_bytes((REAL / name).read_bytes())
        for line in (REAL / name).read_text().splitlines() if "set" in name else ():
            (root / "texts" / f"{line.split()[0]}.xml").write_text("<text>word</text>")
    return root


def test_the_real_lists_give_the_papers_counts(real):
    found = read_items(config_of(real))
    items = [item for item, _ in found]
    assert Counter(item.split for item in items) == {"train": 2173, "val": 231, "test": 462} == LAYOUT.counts
    assert len({item.id for item in items}) == len({item.image for item in items}) == 2866
    assert LAYOUT.differences(items) == []
    first = (REAL / "trainset_txt_img_cat.list").read_text().split()
    assert (items[0].id, items[0].label, items[0].split) == (first[0], "media", "train")
    assert items[0].image == f"images/media/{first[1]}.jpg"
    assert found[0][1] == real / "images" / "media" / f"{first[1]}.jpg"


def test_val_is_a_third_of_the_public_test_list_in_every_class(real):
    public = {line.split()[0] for line in (REAL / "testset_txt_img_cat.list").read_text().splitlines()}
    items = [item for item, _ in read_items(config_of(real))]
    assert {item.id for item in items if item.split != "train"} == public
    for name in {item.label for item in items}:
        count = Counter(item.split for item in items if item.label == name)
        assert abs(count["val"] - (count["val"] + count["test"]) / 3) < 1


def test_the_seed_makes_the_split(real):
    split = {seed: [item.split for item, _ in read_items(config_of(real, seed))] for seed in (0, 0, 1)}
    assert split[0] != split[1]
    assert split[0] == [item.split for item, _ in read_items(config_of(real, 0))]


# A small tree


def test_a_tree_becomes_a_manifest(tree, tmp_path):
    told = []
    folder = tmp_path / "data"
    items = write_wikipedia(folder, config_of(tree), lambda *each: told.append(each))
    assert told[-1] == (30, 30)
    assert Counter(item.split for item in items) == {"train": 15, "val": 5, "test": 10}
    assert {item.text for item in items if item.label == "dog"} == {'The dog and its bone. café R&D in "1 900"'}
    write_manifest(folder / "manifest.csv", items)
    manifest = read_manifest(folder / "manifest.csv")
    for item in manifest.items:
        original = tree / "images" / item.label / Path(item.image).name
        assert manifest.image_path(item).read_bytes() == original.read_bytes()
    assert rejects_of(folder) == []


def test_crlf_a_byte_order_mark_and_blank_lines_are_read(tree):
    before = read_items(config_of(tree))
    for path in tree.glob("*.list"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    assert read_items(config_of(tree)) == before


# Texts


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"<text>A &amp; B &lt;C&gt; &#233;&#xe9; &eacute;</text>", "A & B <C> éé é"),
        (b"<TEXT lang='en'>one</TEXT><text>two</text>", "one two"),
        (b"<text>a < b, R&D, AT&T</text>", "a < b, R&D, AT&T"),
        (b"<text><![CDATA[x <b>y</b>]]><!-- hidden --></text>", "x y"),
        (b"<text>caf\xe9 \x93quoted\x94</text>", "café “quoted”"),
        (b"\xef\xbb\xbf<text>nul\0 and\r\n\tlines</text>", "nul and lines"),
        ("<text>日本 \u202bעברית\u202c 😀</text>".encode(), "日本 \u202bעברית\u202c 😀"),
        (b"<text>  </text>", ""),
    ],
)
def test_the_text_of_a_file(content, text):
    assert section_text(content) == text


def test_entities_that_a_file_defines_are_not_resolved():
    bomb = (
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">'
        b'<!ENTITY file SYSTEM "file:///etc/passwd">]><text>&b; &file;</text>'
    )
    assert section_text(bomb) == "&b; &file;"


@pytest.mark.parametrize("content", [b"", b"no markup at all", b"<html>404</html>", b"\x89PNG\r\n\x1a\n\0\0"])
def test_what_is_no_article_is_said_so(content):
    with pytest.raises(DamagedFile, match="it holds no <text>"):
        section_text(content)


def test_a_text_that_was_cut_short_is_said_so():
    with pytest.raises(DamagedFile, match="was cut short"):
        section_text(b"<page><text>The first half of")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_text_or_a_reason(content):
    try:
        text = section_text(b"<text>" + content + b"</text>")
    except DamagedFile:
        return
    assert "\0" not in text
    text.encode("utf-8")


# What can be wrong


def faulty(tree, name, fault):
    """Damages one article of the class dog in some way."""
    path = (
        next((tree / "texts").glob(f"3{0:031x}-1.xml"))
        if name == "text"
        else tree / "images" / "dog" / f"3{0:031x}.jpg"
    )
    path.unlink() if fault is None else path.write_bytes(fault)
    return path


@pytest.mark.parametrize(
    ("name", "fault", "reason"),
    [
        ("text", b"this is not XML", "it holds no <text>"),
        ("text", b"<text> \n </text>", "its text is empty"),
        ("text", None, "is not there"),
        ("image", None, "is not there"),
        ("image", b"", "is not an image"),
    ],
)
def test_a_pair_with_a_bad_file_is_a_reject_with_its_reason(tree, tmp_path, name, fault, reason):
    path = faulty(tree, name, fault)
    items = write_wikipedia(tmp_path / "data", config_of(tree, rejects=0.1))
    assert len(items) == 29
    (reject,) = rejects_of(tmp_path / "data")
    assert (reject["id"], reject["path"]) == (f"3{0:031x}-1", str(path))
    assert reason in reject["reason"]


def test_more_rejects_than_allowed_stop_the_run_and_leave_what_was_there(tree, tmp_path):
    faulty(tree, "text", None)
    with pytest.raises(UserError, match=r"1 of 30 items cannot be used, max_reject_fraction allows 0\.01") as info:
        write_wikipedia(tmp_path / "data", config_of(tree))
    assert "\n" not in str(info.value)
    assert not (tmp_path / "data" / "images").exists()


@pytest.mark.parametrize("part", [part.name for part in LAYOUT.parts])
def test_a_missing_part_is_named(tree, part):
    path = tree / part
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(MissingFile, match="drsl data check") as info:
        read_items(config_of(tree))
    assert str(tree / part.rstrip("/")) in str(info.value)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a-1\ta\t6", "class '6' is not one of the 5 of categories.list"),
        ("a-1\ta\t0", "class '0' is not one of the 5"),
        ("a-1\ta\tdog", "class 'dog' is not one of the 5"),
        ("a-1\ta", "must be text's name, image's name and class number"),
        ("a-1\ta\t1\tb", "must be text's name, image's name and class number"),
        ("../../etc/passwd\ta\t1", "names a path"),
        ("a\t..\\b\t1", "names a path"),
    ],
)
def test_a_wrong_line_is_named(tree, line, message):
    path = tree / "testset_txt_img_cat.list"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DamagedFile) as info:
        read_items(config_of(tree))
    assert f"{path} line 16" in str(info.value)
    assert message in str(info.value)


def test_a_text_named_twice_is_refused(tree):
    path = tree / "testset_txt_img_cat.list"
    path.write_text(path.read_text() + path.read_text().splitlines()[0] + "\n")
    with pytest.raises(DamagedFile, match="twice"):
        read_items(config_of(tree))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"a\0b"])
def test_a_list_that_is_no_list_is_refused(tree, content):
    (tree / "trainset_txt_img_cat.list").write_bytes(content)
    with pytest.raises(DamagedFile, match="get the original again"):
        read_items(config_of(tree))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": ""}, "path: name the folder"),
        ({"seed": -1}, "seed: -1 must be 0 or more"),
        ({"max_reject_fraction": 1.5}, r"max_reject_fraction: 1.5 must be from 0 to 1"),
    ],
)
def test_settings_out_of_range_are_refused(change, message):
    with pytest.raises(SettingError, match=message):
        PublicConfig(**{"path": "raw", "seed": 0, "max_reject_fraction": 0.01, **change})


def test_reader_lists_rejects_in_their_place(tree):
    faulty(tree, "text", None)
    assert sum(isinstance(each, Reject) for each in read_items(config_of(tree))) == 1
