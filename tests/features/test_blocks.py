"""What is sealed in a block survives; nothing else is taken for it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.features.blocks import Blocks
from drsl.features.errors import MissingFile, UserError

ROW = np.dtype([("feature", "<f4", (3,)), ("predicted", "<i8")])


def rows(start, end):
    found = np.empty(end - start, ROW)
    found["feature"] = np.arange(start, end)[:, np.newaxis] + np.array([0.0, 0.25, 0.5])
    found["predicted"] = np.arange(start, end) * 7
    return found


def open_at(folder, fingerprint="f", total=20, step=4):
    return Blocks(folder, fingerprint, ROW, total, step)


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "encode-text"


def test_blocks_are_found_again(folder):
    blocks = open_at(folder)
    assert list(blocks.missing()) == [(0, 20)]
    blocks.add(8, rows(8, 12))
    blocks.add(0, rows(0, 4))
    blocks.add(16, rows(16, 20))
    for found in (blocks, open_at(folder)):
        assert len(found) == 12
        assert list(found.missing()) == [(4, 8), (12, 16)]
        chosen = np.array([17, 0, 9, 0, 11, 16])
        assert found.take(chosen).tobytes() == rows(0, 20)[chosen].tobytes()


@given(st.permutations(range(5)), st.lists(st.integers(0, 17), max_size=30))
def test_rows_come_back_whatever_the_order(tmp_path_factory, order, chosen):
    blocks = open_at(tmp_path_factory.mktemp("blocks") / "x", total=18)
    for number in order:
        blocks.add(4 * number, rows(4 * number, min(18, 4 * number + 4)))
    assert list(blocks.missing()) == []
    assert blocks.take(np.array(chosen, dtype=np.int64)).tobytes() == rows(0, 18)[chosen].tobytes()


def test_another_fingerprint_takes_nothing_and_removes_what_was_there(folder):
    open_at(folder).add(0, rows(0, 8))
    other = open_at(folder, "g")
    assert list(other.missing()) == [(0, 20)]
    assert files(folder) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: bytes([content[0] ^ 1]) + content[1:],
        lambda content: b"",
    ],
)
def test_a_damaged_block_is_removed(folder, damage):
    blocks = open_at(folder)
    blocks.add(0, rows(0, 4))
    blocks.add(4, rows(4, 8))
    path = files(folder)[0]
    path.write_bytes(damage(path.read_bytes()))
    again = open_at(folder)
    assert list(again.missing()) == [(0, 4), (8, 20)]
    assert not path.exists()
    assert again.take(np.array([5])).tobytes() == rows(5, 6).tobytes()


def test_blocks_off_the_steps_beyond_the_end_or_across_others_are_removed(folder):
    whole = open_at(folder)
    whole.add(0, rows(0, 8))
    for start, end in ((4, 12), (14, 16), (12, 15), (16, 24)):
        whole.add(start, rows(start, end))
    (folder / "f" / "note.txt").write_text("foreign")
    assert list(open_at(folder).missing()) == [(8, 20)]
    assert len(files(folder)) == 1
    assert list(open_at(folder, total=18).missing()) == [(8, 18)]


def test_a_file_that_was_half_written_is_removed(folder):
    open_at(folder).add(0, rows(0, 4))
    (path,) = files(folder)
    path.rename(path.with_name(f".{path.name}.999999.tmp"))
    assert list(open_at(folder).missing()) == [(0, 20)]
    assert files(folder) == []


def test_a_block_that_vanished_is_named(folder):
    blocks = open_at(folder)
    blocks.add(0, rows(0, 4))
    (path,) = files(folder)
    path.unlink()
    with pytest.raises(MissingFile, match="was removed: run the command again") as info:
        blocks.take(np.array([1]))
    assert str(path) in str(info.value)


def test_all_are_removed_in_the_end(folder):
    blocks = open_at(folder)
    blocks.add(0, rows(0, 4))
    blocks.remove()
    assert not folder.exists()
    assert folder.parent.is_dir()


def test_a_block_that_cannot_be_written_is_one_error(folder):
    folder.parent.mkdir(exist_ok=True)
    blocks = open_at(folder)
    folder.write_text("a file")
    with pytest.raises(UserError, match="cannot write"):
        blocks.add(0, rows(0, 4))
