"""Batches: nothing is left out, nothing stands alone, and the seed decides."""

from collections import Counter

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from drsl.train.batches import epoch_batches, steps_per_epoch

COUNT = st.integers(1, 60)
BATCH = st.integers(1, 25)


def epoch(images, texts, batch, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [(rows.tolist(), columns.tolist()) for rows, columns in epoch_batches(images, texts, batch, generator)]


@given(COUNT, COUNT, BATCH)
@example(1, 1, 1)
@example(1, 50, 7)
@example(50, 1, 2)
@example(7, 3, 2)
def test_an_epoch_sees_the_larger_side_once_and_the_smaller_evenly(images, texts, batch):
    steps = epoch(images, texts, batch)
    assert len(steps) == steps_per_epoch(images, texts, batch)
    for side, count in enumerate((images, texts)):
        seen = Counter(item for step in steps for item in step[side])
        assert seen.total() == max(images, texts)
        assert set(seen) == set(range(count))
        assert max(seen.values()) - min(seen.values()) <= 1
        if count == max(images, texts):
            assert set(seen.values()) == {1}


@given(COUNT, COUNT, BATCH)
@example(3, 3, 2)
@example(7, 3, 2)
@example(4, 4, 3)
def test_steps_are_about_equally_large_and_none_has_a_single_item(images, texts, batch):
    steps = epoch(images, texts, batch)
    sizes = [len(rows) for rows, _ in steps]
    assert sizes == [len(columns) for _, columns in steps]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= max(batch, 3 if batch == 2 else 1)
    if batch > 1 and max(images, texts) > 1:
        assert min(sizes) > 1


@given(COUNT, COUNT, BATCH, st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_order(images, texts, batch, seed):
    assert epoch(images, texts, batch, seed) == epoch(images, texts, batch, seed)


def test_another_seed_and_another_epoch_give_another_order():
    assert epoch(40, 40, 10, seed=0) != epoch(40, 40, 10, seed=1)
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.cat([rows for rows, _ in epoch_batches(40, 40, 10, generator)]) for _ in range(2))
    assert not torch.equal(one, other)


def test_the_sides_are_shuffled_apart():
    steps = epoch(40, 40, 10)
    assert [rows for rows, _ in steps] != [columns for _, columns in steps]


def test_the_smaller_side_gets_a_new_order_when_it_starts_again():
    texts = [item for _, columns in epoch(30, 10, 10) for item in columns]
    rounds = [texts[start : start + 10] for start in (0, 10, 20)]
    assert all(sorted(each) == list(range(10)) for each in rounds)
    assert rounds[0] != rounds[1] != rounds[2]


def test_the_global_random_state_is_neither_read_nor_changed():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = epoch(40, 20, 10)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert epoch(40, 20, 10) == one


def test_positions_are_int64():
    rows, columns = next(epoch_batches(5, 4, 2, torch.Generator()))
    assert rows.dtype == columns.dtype == torch.int64


@pytest.mark.parametrize(
    ("images", "texts", "batch", "steps"),
    [(2173, 2173, 100, 22), (800, 800, 200, 4), (1, 1, 200, 1), (10, 201, 100, 3), (201, 10, 100, 3), (5, 5, 1, 5)],
)
def test_steps_per_epoch(images, texts, batch, steps):
    assert steps_per_epoch(images, texts, batch) == steps
