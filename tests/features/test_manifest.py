import csv
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from drsl.features import Item, Manifest, read_manifest, write_manifest
from drsl.features.errors import DamagedFile, MissingFile, UserError

HEAD = "id,image,text,label,split\n"
ROW = "1,a.png,hello,cat,train\n"

ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NASTY = st.sampled_from(
    ('"', '""', "a,b", "line\nbreak", "line\r\nbreak", "lone\rreturn", "\n", "\r", "\ufeffmark", " blank ", "'")
) | st.sampled_from(("😀👩‍👩‍👧", "שלום עולם", "\u202eoverride", "e\u0301", "\u2028", "\x85", "\x1f", "&amp;"))
CELL = ANY | NASTY
ONE_LINE = CELL.filter(lambda text: not any(letter in text for letter in "\r\n"))


@st.composite
def manifests(draw, cell=CELL):
    """Rows that are right: unique ids, known splits, every class trained, an image or a text or both."""
    labels = draw(st.lists(cell.filter(bool), min_size=1, max_size=3, unique=True))
    ids = draw(st.lists(cell.filter(bool), min_size=len(labels), max_size=8, unique=True))
    items = []
    for place, name in enumerate(ids):
        first = place < len(labels)
        label = labels[place] if first else draw(st.sampled_from(labels))
        split = "train" if first else draw(st.sampled_from(["train", "val", "test"]))
        image, text = draw(st.tuples(cell, cell).filter(any))
        items.append(Item(id=name, image=image, text=text, label=label, split=split))
    return tuple(items)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("manifest") / "manifest.csv"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "toy" / "manifest.csv"


@pytest.fixture
def write(path):
    """Writes the manifest's raw content."""

    def put(content: str | bytes):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return put


def refused(path, *words):
    """Reads a wrong manifest; the one-line message must name the file and hold the words."""
    with pytest.raises(DamagedFile) as info:
        read_manifest(path)
    message = str(info.value)
    assert "\n" not in message
    for word in (str(path), *words):
        assert word in message, message


# What is written comes back.


@given(manifests())
def test_a_manifest_comes_back_as_it_was_written(scratch, items):
    write_manifest(scratch, items)
    manifest = read_manifest(scratch)
    assert manifest.items == items
    assert manifest.folder == scratch.parent
    assert manifest.digest == Manifest(items, scratch.parent).digest


@given(manifests())
def test_the_same_items_give_the_same_bytes(scratch, items):
    write_manifest(scratch, items)
    first = scratch.read_bytes()
    write_manifest(scratch, read_manifest(scratch).items)
    assert scratch.read_bytes() == first


@given(manifests())
def test_other_programs_read_the_same_cells(scratch, items):
    write_manifest(scratch, items)
    rows = list(csv.reader(io.StringIO(scratch.read_bytes().decode(), newline="")))
    assert rows == [HEAD.strip().split(","), *(list(item.row()) for item in items)]


@given(manifests(ONE_LINE), st.booleans(), st.booleans(), st.booleans())
def test_line_ends_quotes_and_a_bom_do_not_change_the_digest(scratch, items, crlf, quoted, bom):
    buffer = io.StringIO(newline="")
    writer = csv.writer(
        buffer, lineterminator="\r\n" if crlf else "\n", quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    )
    writer.writerows([HEAD.strip().split(","), *(item.row() for item in items)])
    scratch.write_bytes(b"\xef\xbb\xbf" * bom + buffer.getvalue().encode())
    assert read_manifest(scratch).digest == Manifest(items, scratch.parent).digest


@given(manifests(), st.data())
def test_any_changed_cell_changes_the_digest(items, data):
    place = data.draw(st.integers(0, len(items) - 1))
    cells = list(items[place].row())
    cells[data.draw(st.integers(0, 4))] += "x"
    changed = (*items[:place], Item(*cells), *items[place + 1 :])
    assert Manifest(changed, None).digest != Manifest(items, None).digest


def test_moving_a_letter_between_cells_changes_the_digest():
    one, other = Item("1", "ab", "c", "cat", "train"), Item("1", "a", "bc", "cat", "train")
    assert Manifest((one,), None).digest != Manifest((other,), None).digest


def test_the_order_of_rows_changes_the_digest():
    one, other = Item("1", "a", "", "cat", "train"), Item("2", "a", "", "cat", "train")
    assert Manifest((one, other), None).digest != Manifest((other, one), None).digest


def test_the_bytes_are_plain_csv(path):
    write_manifest(
        path, [Item("1", "a.png", 'say "hi", you\nthere', "cat", "train"), Item("2", "", "x", "cat", "test")]
    )
    assert path.read_bytes() == (HEAD + '1,a.png,"say ""hi"", you\nthere",cat,train\n2,,x,cat,test\n').encode()


def test_a_very_long_text_comes_back(path):
    items = (Item("1", "", "word " * 100_000, "cat", "train"),)
    write_manifest(path, items)
    assert read_manifest(path).items == items


# What is accepted.


def test_one_row(write):
    manifest = read_manifest(write(HEAD + ROW))
    assert manifest.items == (Item("1", "a.png", "hello", "cat", "train"),)
    assert manifest.classes == ("cat",)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r", ""])
def test_any_line_end(write, ending):
    text = (HEAD + ROW).strip().replace("\n", "\r\n" if ending == "\r\n" else "\r" if ending == "\r" else "\n") + ending
    assert read_manifest(write(text)).items == (Item("1", "a.png", "hello", "cat", "train"),)


def test_a_quoted_cell_keeps_its_own_line_ends(write):
    manifest = read_manifest(write(HEAD.replace("\n", "\r\n") + '1,a.png,"one\r\ntwo",cat,train\r\n'))
    assert manifest.items[0].text == "one\r\ntwo"


def test_columns_in_any_order_and_further_ones(write):
    manifest = read_manifest(write("note,split,label,text,image,id\nx,train,cat,hello,a.png,1\n"))
    assert manifest.items == (Item("1", "a.png", "hello", "cat", "train"),)


def test_blank_lines_are_skipped(write):
    assert len(read_manifest(write(HEAD + "\n" + ROW + "\n\n")).items) == 1


def test_classes_are_sorted(write):
    text = HEAD + "1,,x,zebra,train\n2,,x,Ape,train\n3,,x,cat,train\n4,,x,cat,test\n"
    assert read_manifest(write(text)).classes == ("Ape", "cat", "zebra")


def test_items_by_modality_and_split_in_order(write):
    text = HEAD + "3,c.png,x,cat,train\n1,,y,cat,train\n2,b.png,,cat,test\n0,a.png,z,cat,val\n"
    manifest = read_manifest(write(text))
    assert [item.id for item in manifest.of("image")] == ["3", "2", "0"]
    assert [item.id for item in manifest.of("text")] == ["3", "1", "0"]
    assert [item.id for item in manifest.of("text", None)] == ["3", "1", "0"]
    assert [item.id for item in manifest.of("text", "train")] == ["3", "1"]
    assert [item.id for item in manifest.of("text", "test")] == []


def test_image_paths_start_at_the_manifests_folder(write, path):
    manifest = read_manifest(write(HEAD + "1,images/a.png,x,cat,train\n"))
    assert manifest.image_path(manifest.items[0]) == path.parent / "images" / "a.png"


# What is refused.


def test_a_missing_file_names_the_command_that_makes_it(path):
    with pytest.raises(MissingFile, match="drsl data prepare -d toy") as info:
        read_manifest(path)
    assert str(path) in str(info.value)


def test_a_folder_of_that_name_is_named(path):
    path.mkdir(parents=True)
    with pytest.raises(MissingFile, match="cannot be read") as info:
        read_manifest(path)
    assert str(path) in str(info.value)


@pytest.mark.parametrize("content", ["", "\ufeff", "\n", "\n\n"])
def test_an_empty_file_names_the_columns(write, content):
    refused(write(content), "column 'id' is missing", "id,image,text,label,split")


@pytest.mark.parametrize("content", [HEAD, HEAD.strip(), HEAD + "\n\n"])
def test_no_rows(write, content):
    refused(write(content), "no row")


@pytest.mark.parametrize(
    ("head", "missing", "near"),
    [
        ("id,image,text,label,spilt", "split", "did you mean 'spilt'"),
        ("id,image,text,labels,split", "label", "did you mean 'labels'"),
        ("id;image;text;label;split", "id", "id,image,text,label,split"),
        ("id,image,text,label", "split", "id,image,text,label,split"),
    ],
)
def test_a_missing_column_with_the_nearest_one(write, head, missing, near):
    refused(write(head + "\n" + ROW), f"column '{missing}' is missing", near)


def test_a_duplicate_id_with_both_lines(write):
    refused(write(HEAD + ROW + "2,b.png,x,cat,test\n" + ROW), "line 4", "id '1'", "already used on line 2", "unique")


def test_lines_are_counted_as_an_editor_counts_them(write):
    refused(write(HEAD + '1,,"a\nb\nc",cat,train\n2,,x,cat,tset\n'), "line 5")


@pytest.mark.parametrize(
    ("split", "words"), [("trian", "did you mean 'train'"), ("Test", "did you mean 'test'"), ("", "test, train, val")]
)
def test_an_unknown_split_with_the_nearest_one(write, split, words):
    refused(write(HEAD + ROW + f"2,b.png,x,cat,{split}\n"), "line 3", repr(split), words)


def test_a_label_that_is_only_tested_with_the_nearest_one(write):
    text = HEAD + "1,a.png,x,aeroplane,train\n2,b.png,y,aeroplan,test\n"
    refused(write(text), "label 'aeroplan'", "did you mean 'aeroplane'")


def test_nothing_to_train_on(write):
    refused(write(HEAD + "1,a.png,x,cat,test\n"), "no row has split 'train'")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (",a.png,x,cat,train", "the id is empty"),
        ("2,a.png,x,,train", "the label of '2' is empty"),
        ("2,,,cat,train", "'2' has neither image nor text"),
        ("2,a.png,x,cat", "4 cells"),
        ("2,a.png,x,y,cat,train", "6 cells, but the head line has 5"),
        ("   ", "1 cells"),
    ],
)
def test_a_wrong_row_with_its_line(write, row, words):
    refused(write(HEAD + ROW + row + "\n"), "line 3", words)


def test_a_quote_that_is_never_closed_does_not_swallow_the_rest(write):
    refused(write(HEAD + '1,a.png,"hello,cat,train\n2,b.png,x,cat,test\n'), "line 3", "not readable as CSV")


def test_two_stray_quotes_do_not_make_one_row_of_two(write):
    refused(write(HEAD + '1,a.png,"hello,cat,train\n2,b.png,"bye,cat,train\n'), "line 3", "not readable as CSV")


def test_a_nul_byte_with_its_line(write):
    refused(write(HEAD + ROW + "2,b.png,a\0b,cat,train\n"), "line 3", "NUL", "save the file")


def test_invalid_utf8_with_its_place(write):
    refused(write(HEAD.encode() + b"1,a.png,caf\xe9,cat,train\n"), f"byte {len(HEAD) + 11}", "save the file as UTF-8")


def test_utf16_is_refused(write):
    refused(write((HEAD + ROW).encode("utf-16")), "UTF-8")


@pytest.mark.parametrize("kept", [*range(0, len(HEAD + ROW) - 1, 5), len(HEAD + ROW) - 2])
def test_a_file_cut_inside_its_only_row(write, kept):
    refused(write((HEAD + ROW)[:kept]))


def test_a_folder_where_the_manifest_must_be_written(tmp_path):
    with pytest.raises(UserError, match="is a folder"):
        write_manifest(tmp_path, [Item("1", "a", "b", "c", "train")])


def test_a_data_set_of_imported_features_has_neither_images_nor_texts(write):
    manifest = read_manifest(write(HEAD + "1,,,cat,train\n2,,,cat,test\n"))
    assert [item.id for item in manifest.items] == ["1", "2"]
    assert (len(manifest.of("image")), len(manifest.of("text"))) == (0, 0)
    assert manifest.digest == Manifest(tuple(manifest.items), Path()).digest


@pytest.mark.parametrize("rows", ["1,,,cat,train\n2,,x,cat,test\n", "0,,x,cat,train\n1,,,cat,test\n3,,,cat,val\n"])
def test_a_row_without_image_and_text_among_others_is_named(write, rows):
    line = 2 + rows.splitlines().index(next(row for row in rows.splitlines() if row.startswith("1,")))
    refused(write(HEAD + rows), f"line {line}", "'1' has neither image nor text")


def test_the_first_of_two_faults_is_named(write):
    refused(write(HEAD + ROW + "2,,x,cat,train\n2,,y,cat,train\n3,,z,cat,tset\n"), "line 4", "already used on line 3")
    refused(write(HEAD + ROW + "2,,x,cat,train\n2,,y,cat,train\n3\n"), "line 4", "already used on line 3")
    refused(write(HEAD + ROW + '2,,x,cat,train\n2,,y,cat,train\n"3'), "line 4", "already used on line 3")
    refused(write(HEAD + ROW + "3,,z,cat,tset\n2,,x,cat,train\n2,,y,cat,train\n"), "line 3", "'tset'")


@pytest.mark.parametrize("letter", [b"a", "ö".encode(), "😀".encode()])
def test_letters_may_lie_across_the_pieces_that_are_read(write, letter):
    from drsl.features import manifest_file

    text = letter * (2 * manifest_file._PIECE // len(letter))
    for shift in range(len(letter)):
        manifest = read_manifest(write(HEAD.encode() + b"1,," + b"x" * shift + text + b",cat,train\n"))
        assert manifest.items[0].text == "x" * shift + text.decode()
    refused(write(HEAD.encode() + b"1,," + text[:-1] + b"\xff"), f"byte {len(HEAD) + 3 + len(text) - len(letter)} is")


# Items are read from the file when they are asked for.


def oracle(content: bytes) -> tuple[Item, ...] | None:
    """The items by the csv module alone, everything in memory; None when the file is not a right manifest."""
    try:
        text = content.decode("utf-8-sig")
        head, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        columns = [head.index(name) for name in HEAD.strip().split(",")]
    except (UnicodeDecodeError, ValueError, csv.Error):
        return None
    rows = [row for row in rows if row]
    if "\0" in text or not rows or any(len(row) != len(head) for row in rows):
        return None
    items = tuple(Item(*(row[place] for place in columns)) for row in rows)
    named = len({item.id for item in items}) == len(items) and all(item.id and item.label for item in items)
    split = {item.split for item in items} <= {"train", "val", "test"}
    trained = {item.label for item in items if item.split == "train"} == {item.label for item in items}
    full = {bool(item.image or item.text) for item in items}
    return items if named and split and trained and len(full) == 1 else None


@given(manifests(), st.booleans(), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.data())
def test_items_are_those_that_the_csv_module_reads(scratch, items, quoted, ending, bom, data):
    head = data.draw(st.permutations(["note", *HEAD.strip().split(",")]))
    buffer = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    writer = csv.DictWriter(buffer, head, lineterminator="\n", quoting=quoting)
    writer.writeheader()
    for item in items:
        row = dict(zip(HEAD.strip().split(","), item.row(), strict=True))
        # A lone carriage return is left bare by Python 3.11's writer.
        writer.writerow({name: cell.replace("\r", "\n") for name, cell in row.items()} | {"note": "x"})
        if data.draw(st.booleans()):
            buffer.write("\n")
    content = b"\xef\xbb\xbf" * bom + buffer.getvalue().replace("\n", ending).encode()
    expected = oracle(content)
    assume(expected is not None)  # else two ids became one
    scratch.write_bytes(content)
    manifest = read_manifest(scratch)
    assert tuple(manifest.items) == expected
    assert [manifest.items[place] for place in range(len(expected))] == list(expected)
    assert manifest.digest == Manifest(expected, scratch.parent).digest
    assert manifest.classes == tuple(sorted({item.label for item in expected}))
    for modality in ("image", "text"):
        for splits in ((), ("train",), ("val", "test")):
            chosen = [each for each in expected if getattr(each, modality) and (not splits or each.split in splits)]
            assert list(manifest.of(modality, *splits)) == chosen
            assert list(Manifest(expected, scratch.parent).of(modality, *splits)) == chosen
    assert {item.id: manifest.by_id[item.id] for item in expected} == {item.id: item for item in expected}
    start, stop, step = (data.draw(st.integers(-9, 9)) for _ in range(3))
    part = manifest.items[start : stop : step or 1]
    assert list(part) == list(expected[start : stop : step or 1])
    assert part == expected[start : stop : step or 1]
    assert list(part[::-1]) == list(part)[::-1]
    assert manifest.items != (*expected, expected[0])


def test_a_place_that_is_not_there_is_an_index_error(write):
    items = read_manifest(write(HEAD + ROW)).items
    assert items[-1].id == "1"
    for place in (1, -2):
        with pytest.raises(IndexError):
            items[place]
    with pytest.raises(TypeError):
        items["1"]


def test_an_unknown_id_is_a_key_error(write):
    by_id = read_manifest(write(HEAD + ROW + "2,,x,cat,val\n")).by_id
    assert (list(by_id), len(by_id), "3" in by_id, by_id["2"].text) == (["1", "2"], 2, False, "x")
    with pytest.raises(KeyError):
        by_id["3"]


def test_ids_with_equal_hashes_are_told_apart(write, monkeypatch):
    from drsl.features import items

    monkeypatch.setattr(items, "hash", lambda id: 7, raising=False)
    manifest = read_manifest(write(HEAD + ROW + "2,,x,cat,val\n3,,y,cat,val\n"))
    assert [manifest.by_id[id].text for id in "123"] == ["hello", "x", "y"]
    refused(
        write(HEAD + ROW + "2,,x,cat,val\n3,,y,cat,val\n2,,z,cat,val\n"), "line 5", "id '2' is already used on line 3"
    )


@pytest.mark.parametrize("way", ["longer", "same size", "shorter", "other file"])
def test_a_file_that_was_changed_while_in_use_is_refused(write, path, way):
    manifest = read_manifest(write(HEAD + ROW + "2,b.png,x,cat,test\n"))
    texts = manifest.of("text")
    content = path.read_bytes()
    if way == "longer":
        path.write_bytes(content + b"3,,y,cat,test\n")
    elif way == "same size":
        path.write_bytes(content.replace(b"hello", b"HELLO"))
        os.utime(path, ns=(0, 0))
    elif way == "shorter":
        path.write_bytes(content[:-20])
    else:
        write_manifest(path, [*manifest.items, Item("3", "", "y", "cat", "test")])
    for use in (lambda: texts[0], lambda: list(manifest.items), lambda: manifest.by_id["1"], lambda: texts == texts):
        with pytest.raises(DamagedFile, match="was changed while it was in use: run the command again") as info:
            use()
        assert str(path) in str(info.value)


def test_a_file_that_vanished_while_in_use_is_named(write, path):
    manifest = read_manifest(write(HEAD + ROW))
    path.unlink()
    with pytest.raises(MissingFile, match=str(path)):
        manifest.items[0]


def test_a_file_that_changes_while_it_is_checked_is_refused(write, path, monkeypatch):
    from drsl.features import manifest_file

    write(HEAD + ROW)
    check = manifest_file._check_bytes

    def check_and_change(*each):
        check(*each)
        path.write_bytes((HEAD + ROW + "2,,\xff").encode("latin-1"))

    monkeypatch.setattr(manifest_file, "_check_bytes", check_and_change)
    refused(path, "was changed while it was in use")


# Size: what is held does not grow with the texts.

MEASURE = """
import json, resource, sys, time
from pathlib import Path
from drsl.features import read_features, read_manifest, write_manifest, Item

path, rows = Path(sys.argv[1]), int(sys.argv[2])
text = "some words of a text, " * 9
items = (Item(f"item-{n:08d}", f"images/{n:08d}.jpg", f"{n} {text}", f"class-{n % 20}", "train") for n in range(rows))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
import hashlib, numpy  # what every command has loaded
before = peak()
written = write_manifest(path, items)
start = time.perf_counter()
manifest = read_manifest(path)
seconds = time.perf_counter() - start
letters = sum(len(item.text) for item in manifest.of("text", "train"))
last = manifest.by_id[f"item-{rows - 1:08d}"].id
told = {"megabytes": peak() - before, "seconds": seconds, "rows": len(manifest.items), "last": last, "letters": letters}
print(json.dumps({**told, "written": written, "size": path.stat().st_size / 2**20}))
"""


def measure(start_python, path, rows):
    out, errors = start_python(MEASURE, path, rows).communicate()
    assert out, errors
    found = json.loads(out)
    assert (found["rows"], found["written"], found["last"]) == (rows, rows, f"item-{rows - 1:08d}")
    assert found["letters"] > rows * 198
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux")
def test_fifty_thousand_rows_are_not_held(start_python, tmp_path):
    found = measure(start_python, tmp_path / "manifest.csv", 50_000)
    assert found["size"] > 11
    assert found["megabytes"] < 12  # held as items they take 100


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux")
def test_a_million_rows_are_not_held(start_python, tmp_path):
    found = measure(start_python, tmp_path / "manifest.csv", 1_000_000)
    assert found["size"] > 230
    assert found["megabytes"] < 150  # held as items they take 2,000


def test_what_is_held_of_a_row_is_small():
    from drsl.features.items import columns_of

    columns = columns_of(Item(str(n), "", "text " * 50, "cat", "train") for n in range(1000))
    held = [each.nbytes for each in vars(columns).values() if isinstance(each, np.ndarray)]
    assert sum(held) <= 23 * 1000


def test_items_that_end_with_an_error_leave_the_old_file(path):
    write_manifest(path, [Item("1", "a", "b", "c", "train")])
    before = path.read_bytes()

    def items():
        yield Item("2", "a", "b", "c", "train")
        raise UserError("no more")

    with pytest.raises(UserError, match="no more"):
        write_manifest(path, items())
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["manifest.csv"]


# Anything else is an error for people as well.


def read_or_refuse(scratch, content):
    scratch.write_bytes(content)
    try:
        manifest = read_manifest(scratch)
    except UserError as error:
        message = str(error)
    else:
        assert manifest.items == oracle(content)
        return
    assert str(scratch) in message
    assert oracle(content) is None


@given(st.binary(max_size=200))
@example(b"\xff\xfe")
@example(b'"')
def test_any_bytes_are_read_or_refused(scratch, content):
    read_or_refuse(scratch, content)


@given(st.lists(st.sampled_from([*'",\r\n\0\ufeff ab1', "train", "test", "1,a,b,c,train\n"]), max_size=40))
def test_any_cells_are_read_or_refused(scratch, pieces):
    read_or_refuse(scratch, (HEAD + "".join(pieces)).encode())


@given(manifests(), st.data())
def test_any_damage_is_read_or_refused(scratch, items, data):
    write_manifest(scratch, items)
    content = bytearray(scratch.read_bytes())
    start = data.draw(st.integers(0, len(content) - 1))
    content[start : start + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=5))
    read_or_refuse(scratch, bytes(content))
