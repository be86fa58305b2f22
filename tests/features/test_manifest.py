import csv
import io

import pytest
from hypothesis import example, given
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


# Anything else is an error for people as well.


def read_or_refuse(scratch, content):
    scratch.write_bytes(content)
    try:
        manifest = read_manifest(scratch)
    except UserError as error:
        message = str(error)
    else:
        message = f"{scratch} has {len(manifest.items)} items"
    assert str(scratch) in message


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
