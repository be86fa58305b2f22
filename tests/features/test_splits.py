from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.features.errors import SettingError
from drsl.features.manifest import SPLITS
from drsl.features.splits import stratified_split

USUAL = {"train": 0.7, "val": 0.1, "test": 0.2}


@st.composite
def shares(draw):
    """Shares of some splits that sum to 1; zero is allowed."""
    parts = draw(st.lists(st.integers(0, 10), min_size=1, max_size=3).filter(any))
    return {split: part / sum(parts) for split, part in zip(SPLITS, parts, strict=False)}


SINGLES = st.lists(st.sampled_from("abc"), max_size=60)
FAMILIES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("123456789")), max_size=60)
SEEDS = st.integers(0, 2**31)


@given(FAMILIES, shares(), SEEDS)
def test_every_item_gets_a_split_and_families_stay_together(items, fractions, seed):
    result = stratified_split([label for label, _ in items], [family for _, family in items], fractions, seed)
    assert len(result) == len(items)
    assert set(result) <= set(fractions)
    together = defaultdict(set)
    for (_, family), split in zip(items, result, strict=True):
        together[family].add(split)
    assert all(len(splits) == 1 for splits in together.values())


@given(FAMILIES, shares(), SEEDS)
def test_a_split_without_a_share_gets_nothing(items, fractions, seed):
    result = stratified_split([label for label, _ in items], [family for _, family in items], fractions, seed)
    assert all(fractions[split] > 0 for split in result)


@given(SINGLES, shares(), SEEDS)
def test_single_items_are_off_their_share_by_less_than_one_in_each_class(labels, fractions, seed):
    result = stratified_split(labels, [str(place) for place in range(len(labels))], fractions, seed)
    count, total = Counter(zip(labels, result, strict=True)), Counter(labels)
    for name in total:
        every_split_has_an_item = all(share * total[name] >= 1 for share in fractions.values() if share)
        for split, share in fractions.items():
            assert abs(count[name, split] - share * total[name]) < (1 if every_split_has_an_item else len(fractions))


@given(SINGLES, shares(), SEEDS)
def test_a_class_is_in_every_split_if_it_has_so_many_items_and_always_in_train(labels, fractions, seed):
    result = stratified_split(labels, [str(place) for place in range(len(labels))], fractions, seed)
    wanted = [split for split, share in fractions.items() if share]
    for name, number in Counter(labels).items():
        found = {split for label, split in zip(labels, result, strict=True) if label == name}
        assert found == set(wanted) or number < len(wanted)
        assert "train" in found or "train" not in wanted


@given(FAMILIES, SEEDS)
def test_families_of_several_classes_fill_the_splits_as_far_as_they_go(items, seed):
    labels, families = [label for label, _ in items], [family for _, family in items]
    result = stratified_split(labels, families, USUAL, seed)
    for label in set(labels):
        assert "train" in {split for one, split in zip(labels, result, strict=True) if one == label}


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 5)), max_size=20), shares(), SEEDS)
def test_families_of_one_class_are_off_by_less_than_the_largest_family(families, fractions, seed):
    labels = [label for label, size in families for _ in range(size)]
    names = [str(place) for place, (_, size) in enumerate(families) for _ in range(size)]
    result = stratified_split(labels, names, fractions, seed)
    count, total = Counter(zip(labels, result, strict=True)), Counter(labels)
    for name in total:
        largest = max(size for label, size in families if label == name)
        every_split_has_a_family = all(share * total[name] >= largest for share in fractions.values() if share)
        for split, share in fractions.items():
            if every_split_has_a_family:
                assert abs(count[name, split] - share * total[name]) < largest
            elif share and sum(label == name for label, _ in families) >= len(
                [one for one in fractions.values() if one]
            ):
                assert count[name, split] > 0


@given(FAMILIES, SEEDS)
def test_equal_seeds_give_equal_splits(items, seed):
    labels, families = [label for label, _ in items], [family for _, family in items]
    assert stratified_split(labels, families, USUAL, seed) == stratified_split(labels, families, dict(USUAL), seed)


def test_other_seeds_give_other_splits():
    labels, families = ["a"] * 50, [str(place) for place in range(50)]
    assert len({tuple(stratified_split(labels, families, USUAL, seed)) for seed in range(5)}) == 5


def test_the_order_of_items_does_not_decide():
    labels, families = ["a", "b"] * 25, [str(place) for place in range(50)]
    forward = stratified_split(labels, families, USUAL, 3)
    backward = stratified_split(labels[::-1], families[::-1], USUAL, 3)
    assert backward[::-1] == forward


def test_a_seed_gives_the_same_split_on_every_machine():
    assert stratified_split(list("aaaaabbbbb"), list("0123456789"), USUAL, 0) == (
        ["test", "val", "train", "train", "train", "train", "train", "train", "val", "test"]
    )


def test_three_items_of_a_rare_class_go_to_three_splits():
    labels, families = ["often"] * 40 + ["rare"] * 3, [str(place) for place in range(43)]
    for seed in range(20):
        assert set(stratified_split(labels, families, USUAL, seed)[40:]) == {"train", "val", "test"}


def test_shares_are_met_exactly_where_they_can_be():
    labels = ["a"] * 10 + ["b"] * 20
    result = stratified_split(labels, [str(place) for place in range(30)], USUAL, 1)
    assert Counter(zip(labels, result, strict=True)) == {
        ("a", "train"): 7,
        ("a", "val"): 1,
        ("a", "test"): 2,
        ("b", "train"): 14,
        ("b", "val"): 2,
        ("b", "test"): 4,
    }


def test_nothing_to_split():
    assert stratified_split([], [], USUAL, 0) == []


@pytest.mark.parametrize(
    "fractions",
    [
        {"train": 0.7, "val": 0.1},
        {"train": 0.7, "val": 0.1, "test": 0.3},
        {"train": 1.2, "val": -0.4, "test": 0.2},
        {"train": 0.7, "validation": 0.1, "test": 0.2},
        {"train": float("nan"), "val": 0.1, "test": 0.2},
        {"train": float("inf"), "val": 0.1, "test": 0.2},
        {},
    ],
)
def test_wrong_shares_are_refused_with_their_values(fractions):
    with pytest.raises(SettingError, match="must be positive and sum to 1") as info:
        stratified_split(["a"], ["a"], fractions, 0)
    assert "train, val, test" in str(info.value)
    assert str(fractions) in str(info.value)
