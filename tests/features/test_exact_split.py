"""Splits of a fixed size: exact at full size, proportional below it, a matter of ids and seed alone."""

import csv
import hashlib
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from drsl.features import Item
from drsl.features.exact_split import exact_split, seeded_order, split_digest, write_split

THREE = {"train": 80, "val": 10, "test": 10}
LABELS = st.lists(st.sampled_from("abcd"), max_size=150)
SEEDS = st.integers(0, 2**40)


def ids_of(labels):
    return [f"item {place}" for place in range(len(labels))]


def count(labels, split):
    return Counter(zip(labels, split, strict=True))


@given(LABELS, st.sampled_from([THREE, {"test": 462, "val": 231}, {"train": 1, "val": 1, "test": 1}]), SEEDS)
def test_every_class_keeps_the_proportions(labels, sizes, seed):
    split = exact_split(ids_of(labels), labels, sizes, seed)
    assert len(split) == len(labels)
    assert set(split) <= set(sizes)
    found, first = count(labels, split), next(iter(sizes))
    for name, total in Counter(labels).items():
        assert found[name, first] >= 1  # a class is never without a training item
        for part, size in sizes.items():
            if total >= len(sizes):
                assert found[name, part] >= 1
            assert abs(found[name, part] - total * size / sum(sizes.values())) <= len(sizes)


@given(st.lists(st.integers(20, 80), min_size=2, max_size=8), SEEDS)
def test_sizes_are_exact_where_the_items_are_as_many(members, seed):
    labels = [str(place) for place, n in enumerate(members) for _ in range(n)]
    sizes = {"train": 0, "val": len(labels) // 10, "test": len(labels) // 5}
    sizes["train"] = len(labels) - sum(sizes.values())
    assert Counter(exact_split(ids_of(labels), labels, sizes, seed)) == sizes


@given(LABELS, SEEDS)
def test_the_order_of_items_makes_no_difference(labels, seed):
    ids = ids_of(labels)
    split = dict(zip(ids, exact_split(ids, labels, THREE, seed), strict=True))
    back = exact_split(ids[::-1], labels[::-1], THREE, seed)
    assert dict(zip(ids[::-1], back, strict=True)) == split


def test_a_missing_item_moves_few_others():
    ids, labels = [f"i{n}" for n in range(1000)], [str(n % 10) for n in range(1000)]
    full = dict(zip(ids, exact_split(ids, labels, THREE, 3), strict=True))
    less = dict(zip(ids[1:], exact_split(ids[1:], labels[1:], THREE, 3), strict=True))
    assert sum(full[name] != less[name] for name in less) <= 4


def test_seeds_differ_and_stay_what_they_are():
    names = [f"i{n}" for n in range(50)]
    assert seeded_order(names, 0) != seeded_order(names, 1) != names
    assert seeded_order(["c", "a", "b"], 7) == sorted(
        "abc", key=lambda each: hashlib.sha256(f"7 {each}".encode()).digest()
    )


def test_the_file_of_the_split_has_the_digest_as_its_sha256(tmp_path):
    items = [
        Item('a "quoted", name', "", "t", "x", "train"),
        Item("ü", "", "t", "x", "val"),
        Item("b", "", "t", "y", "test"),
    ]
    digest = write_split(tmp_path / "split.csv", items)
    content = (tmp_path / "split.csv").read_bytes()
    assert digest == hashlib.sha256(content).hexdigest() == split_digest(reversed(items))
    rows = list(csv.reader(content.decode("utf-8").splitlines()))
    assert rows[0] == ["id", "split"]
    assert dict(rows[1:]) == {item.id: item.split for item in items}
    assert rows[1:] == sorted(rows[1:])


def test_texts_and_pictures_do_not_change_the_digest():
    one, other = Item("a", "images/a.png", "cat", "x", "train"), Item("a", "", "dog", "y", "train")
    assert split_digest([one]) == split_digest([other]) != split_digest([Item("a", "", "dog", "y", "val")])
