"""Items kept in a file come back as they were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.extract.sources.item_spool import ItemSpool, ItemsWithSplits
from drsl.features.errors import UserError
from drsl.features.manifest import Item

CELLS = st.tuples(*[st.text(max_size=20)] * 5)


@given(st.lists(CELLS, max_size=8))
def test_any_items_come_back_in_any_order(rows):
    items = [Item(*row) for row in rows]
    spool = ItemSpool()
    for place, item in enumerate(items):
        spool.append(item)
        assert spool[place] == spool[-1] == item  # reading between writing
    assert len(spool) == len(items)
    assert list(spool) == items
    assert [spool[place] for place in reversed(range(len(items)))] == items[::-1]
    assert spool[1:3] == tuple(items[1:3])
    with pytest.raises(IndexError):
        spool[len(items)]


def test_two_may_read_at_once():
    spool = ItemSpool()
    for number in range(5):
        spool.append(Item(str(number), "", "text", "a", "train"))
    assert [(one.id, other.id) for one, other in zip(spool, spool, strict=True)] == [(str(n), str(n)) for n in range(5)]


def test_the_file_has_no_name_and_lies_in_the_folder(tmp_path):
    spool = ItemSpool(tmp_path / "new")
    spool.append(Item("1", "", "x" * 100_000, "a", ""))
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write in"):
        ItemSpool(tmp_path / "file")


def test_splits_are_laid_over_items():
    items = [Item(str(number), "", "text", "a", "") for number in range(3)]
    found = ItemsWithSplits(items, ["train", "val", "test"])
    assert [(item.id, item.split) for item in found] == [("0", "train"), ("1", "val"), ("2", "test")]
    assert found[-1].split == "test"
    assert [item.split for item in found[:2]] == ["train", "val"]
    assert len(found) == 3
    with pytest.raises(ValueError, match="2 splits for 3 items"):
        ItemsWithSplits(items, ["train", "val"])
