"""The training loop: it learns, selects on val, looks at nothing else, and stops with a word when it diverges."""

import math
import re
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import torch
from torch import nn

from drsl.evaluate import mean_average_precision
from drsl.features.errors import UserError
from drsl.train import loop
from drsl.train.batches import epoch_batches
from drsl.train.config import FUSIONS, REDUCTIONS
from drsl.train.loop import LOG_COLUMNS, train_drsl
from drsl.train.model import DrslModel

WIDER = {"image_fnn": [48, 24], "text_fnn": [48, 24], "relation": [48], "epochs": 15}


def start_of(config, image, text):
    """The same initial weights each time."""
    torch.manual_seed(7)
    model = DrslModel(config, image.feature.shape[1], text.feature.shape[1])
    return model.double() if image.feature.dtype == np.float64 else model


def train(config, image, text, seed=0, **options):
    """A trained model and its log."""
    model = start_of(config, image, text)
    return model, train_drsl(model, image, text, config, seed=seed, **options)


def precise(features):
    """In float64: Adam divides by gradients near 0, which makes float32's rounding large."""
    return replace(features, feature=features.feature.astype(np.float64))


def numbers(log):
    """The log as tuples that can be compared: a NaN equals itself."""
    return [tuple(None if math.isnan(each) else each for each in vars(entry).values()) for entry in log]


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def changed(features, split, seed=5, **columns):
    """The features with the rows of one split replaced by noise."""
    rows = features.split == ("train", "val", "test").index(split)
    draw = np.random.default_rng(seed)
    feature, label = features.feature.copy(), features.label.copy()
    feature[rows] = 100 * draw.standard_normal(feature[rows].shape)
    label[rows] = draw.integers(0, len(features.classes), rows.sum())
    return replace(features, feature=feature, label=label, **columns)


# What it learns.


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_toy_problem_is_learned(fusion, toy, tiny_config):
    model, log = train(tiny_config(fusion, **WIDER), *toy)
    best = max(log, key=lambda entry: entry.val_map)
    assert best.val_map > 0.98
    assert log[-1].positive_mean > 0.8
    assert abs(log[-1].negative_mean) < 0.15
    assert log[-1].loss < log[0].loss / 4
    assert not model.training


@pytest.mark.parametrize("preset", ["paper", "released"])
def test_both_presets_learn_when_they_are_made_small(preset, toy, tiny_config):
    hidden = [48] if preset == "paper" else [48, 48]
    _, log = train(tiny_config(preset=preset, **WIDER | {"relation": hidden}), *toy)
    assert log[-1].val_map > 0.98
    assert log[-1].positive_mean > log[-1].negative_mean + 0.5


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("texts", [None, (70, 30, 30)])
def test_two_epochs_are_those_of_a_plain_loop(reduction, texts, make_toy, tiny_config, plain_relation, near):
    """Algorithm 1, step by step: plain networks, plain loss, torch's own Adam."""
    image, text = (precise(each) for each in make_toy((90, 0, 0), texts and (texts[0], 0, 0)))
    config = tiny_config(
        loss_reduction=reduction, epochs=2, betas=[0.5, 0.99], weight_decay=1e-2, learning_rate_decay=0.5
    )
    model, log = train(config, image, text, seed=3)

    start = start_of(config, image, text)
    twin = nn.ModuleList([start.image_fnn, start.text_fnn, plain_relation(start.relation)])
    optimizer = torch.optim.Adam(twin.parameters(), lr=config.learning_rate, betas=(0.5, 0.99), weight_decay=1e-2)
    generator = torch.Generator().manual_seed(3)
    for entry in log:
        losses, positive, negative = [], [], []
        for rows, columns in epoch_batches(len(image), len(text), config.batch, generator):
            scores = twin[2](
                twin[0](torch.tensor(image.feature[rows.numpy()])), twin[1](torch.tensor(text.feature[columns.numpy()]))
            )
            same = torch.tensor(image.label[rows.numpy()][:, None] == text.label[columns.numpy()][None, :])
            divisor = {"sum": 1, "per_batch": len(rows), "mean": len(rows) ** 2}[reduction]
            loss = ((scores - same.double()) ** 2).sum() / divisor
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            positive.append(scores[same].detach())
            negative.append(scores[~same].detach())
        optimizer.param_groups[0]["lr"] *= 0.5
        assert entry.loss == pytest.approx(np.mean(losses), rel=1e-5)
        assert entry.positive_mean == pytest.approx(torch.cat(positive).mean().item(), abs=1e-5)
        assert entry.negative_mean == pytest.approx(torch.cat(negative).mean().item(), abs=1e-5)
        assert math.isnan(entry.val_map)
    for ours, plain in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=0, atol=1e-8)


def test_backends_train_alike(toy, tiny_config):
    image, text = (precise(each) for each in toy)
    states = [train(tiny_config(backend=each), image, text)[0].state_dict() for each in ("l1", "blocks", "numba")]
    for other in states[1:]:
        torch.testing.assert_close(states[0], other, rtol=0, atol=1e-6)


def test_a_model_that_was_evaluated_before_is_trained_all_the_same(toy, tiny_config):
    config = tiny_config(fnn_batch_norm=True, relation_batch_norm=True)
    model, log = train(config, *toy)
    other = start_of(config, *toy).eval()
    assert numbers(train_drsl(other, *toy, config, seed=0)) == numbers(log)
    assert equal(model, other)
    assert not other.training


# What it keeps.


@pytest.mark.parametrize(
    ("maps", "best"),
    [
        ([0.1, 0.9, 0.3, 0.2], 2),
        ([0.9, 0.1, 0.3, 0.2], 1),
        ([0.1, 0.2, 0.3, 0.9], 4),
        ([0.1, 0.9, 0.9, 0.2], 2),
        ([0.0, 0.0, 0.0, 0.0], 1),
    ],
)
def test_the_epoch_that_is_best_on_val_is_kept(maps, best, toy, tiny_config, monkeypatch):
    looks = count()
    monkeypatch.setattr(loop, "average_precision_of_blocks", lambda *_: [[maps[next(looks)]]] * 2)
    model, log = train(tiny_config(epochs=4), *toy)
    assert [entry.val_map for entry in log] == maps
    monkeypatch.setattr(loop, "average_precision_of_blocks", lambda *_: [[next(looks)]] * 2)
    assert equal(model, train(tiny_config(epochs=best), *toy)[0])


def test_val_map_is_the_mean_of_both_directions(toy, tiny_config):
    model, log = train(tiny_config(epochs=1), *toy)
    image, text = (each.select("val") for each in toy)
    with torch.no_grad():
        scores = model(torch.from_numpy(image.feature), torch.from_numpy(text.feature)).numpy()
    both = (
        mean_average_precision(scores, image.label, text.label),
        mean_average_precision(scores.T, text.label, image.label),
    )
    assert log[0].val_map == pytest.approx(np.mean(both), abs=1e-6)


@pytest.mark.parametrize(("every", "looks"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (3, [3, 5]), (5, [5]), (9, [5])])
def test_val_is_looked_at_every_so_many_epochs_and_at_the_end(every, looks, toy, tiny_config):
    _, log = train(tiny_config(epochs=5, validate_every=every), *toy)
    assert [entry.epoch for entry in log if not math.isnan(entry.val_map)] == looks


@pytest.mark.parametrize("splits", [((90, 0, 30), None), ((90, 30, 30), (90, 0, 30)), ((90, 0, 30), (90, 30, 30))])
def test_without_a_val_side_the_last_epoch_is_kept(splits, make_toy, tiny_config):
    image, text = make_toy(*splits)
    model, log = train(tiny_config(epochs=3), image, text)
    assert all(math.isnan(entry.val_map) for entry in log)
    assert not equal(model, start_of(tiny_config(), image, text))
    longer, _ = train(tiny_config(epochs=4), image, text)
    assert not equal(model, longer)


def test_without_a_class_on_both_val_sides_the_last_epoch_is_kept(make_toy, tiny_config):
    image, text = make_toy((90, 30, 0))
    image, text = (
        replace(each, label=np.where(each.split == 1, label, each.label)) for each, label in ((image, 0), (text, 1))
    )
    model, log = train(tiny_config(), image, text)
    assert all(math.isnan(entry.val_map) for entry in log)
    without = (replace(each, split=np.where(each.split == 1, 2, each.split)) for each in (image, text))
    assert equal(model, train(tiny_config(), *without)[0])


def test_the_log_has_a_row_an_epoch(toy, tiny_config):
    _, log = train(tiny_config(epochs=4), *toy)
    assert [entry.epoch for entry in log] == [1, 2, 3, 4]
    assert tuple(vars(log[0])) == LOG_COLUMNS
    assert all(
        isinstance(each, float) and math.isfinite(each) for entry in log for each in list(vars(entry).values())[1:]
    )


# What it looks at.


def test_the_test_split_is_not_looked_at(toy, tiny_config):
    model, log = train(tiny_config(), *toy)
    other, other_log = train(tiny_config(), *(changed(each, "test") for each in toy))
    assert equal(model, other)
    assert numbers(log) == numbers(other_log)
    broken = [changed(each, "test") for each in toy]
    for each in broken:
        each.feature[each.split == 2] = np.nan
    assert equal(model, train(tiny_config(), *broken)[0])


def test_val_rows_select_but_do_not_train(toy, tiny_config):
    _, log = train(tiny_config(), *toy)
    _, other = train(tiny_config(), *(changed(each, "val") for each in toy))
    assert [row[:4] for row in numbers(log)] == [row[:4] for row in numbers(other)]
    assert [row[4] for row in numbers(log)] != [row[4] for row in numbers(other)]


def test_train_rows_do_matter(toy, tiny_config):
    model, _ = train(tiny_config(), *toy)
    assert not equal(model, train(tiny_config(), changed(toy[0], "train"), toy[1])[0])


def test_labels_are_names_not_numbers(toy, tiny_config):
    model, log = train(tiny_config(), *toy)
    new = np.array([2**40, 3, -5])
    other, other_log = train(tiny_config(), *(replace(each, label=new[each.label]) for each in toy))
    assert equal(model, other)
    assert numbers(log) == numbers(other_log)


def test_the_features_are_not_changed_and_may_be_read_only_and_not_contiguous(toy, tiny_config):
    model, _ = train(tiny_config(), *toy)
    views = []
    for each in toy:
        wide = np.repeat(each.feature, 2, axis=1)[:, ::2]
        assert not wide.flags.c_contiguous
        wide.flags.writeable = False
        views.append(replace(each, feature=wide))
    before = [each.feature.copy() for each in views]
    assert equal(model, train(tiny_config(), *views)[0])
    for each, old in zip(views, before, strict=True):
        np.testing.assert_array_equal(each.feature, old)


# The same every time.


def test_the_same_seed_gives_the_same_bits(toy, tiny_config):
    model, log = train(tiny_config(), *toy, seed=1)
    again, again_log = train(tiny_config(), *toy, seed=1)
    other, other_log = train(tiny_config(), *toy, seed=2)
    assert equal(model, again)
    assert numbers(log) == numbers(again_log)
    assert not equal(model, other)
    assert numbers(log) != numbers(other_log)


# Few, uneven and odd items.


@pytest.mark.parametrize(
    ("images", "texts", "batch", "batch_norm"),
    [
        *((1, 1, 20, False), (2, 2, 1, False)),  # with batch norm these two are refused
        *((images, texts, 4, norm) for images, texts in ((1, 9), (9, 1), (2, 2)) for norm in (False, True)),
        *((images, texts, 2, norm) for images, texts in ((5, 5), (3, 7), (3, 3)) for norm in (False, True)),
        *((21, 21, 20, norm) for norm in (False, True)),
    ],
)
def test_few_items(images, texts, batch, batch_norm, make_toy, tiny_config):
    image, text = make_toy((images, 2, 0), (texts, 1, 0))
    norms = {"fnn_batch_norm": batch_norm, "relation_batch_norm": batch_norm}
    model, log = train(tiny_config(batch=batch, **norms), image, text)
    assert all(bool(each.isfinite().all()) for each in model.state_dict().values())
    assert all(math.isfinite(entry.loss) for entry in log)


@pytest.mark.parametrize("norm", ["fnn_batch_norm", "relation_batch_norm"])
def test_one_item_a_side_is_too_few_for_batch_norm(norm, make_toy, tiny_config):
    with pytest.raises(UserError, match=f"batch norm.*set .*{norm}"):
        train(tiny_config(**{norm: True}), *make_toy((1, 3, 0)))


def test_a_class_may_be_absent_from_most_batches_or_from_a_side(toy, tiny_config):
    image, text = toy
    rare = replace(image, label=np.where(np.arange(len(image)) == 0, 2, image.label % 2))
    _, log = train(tiny_config(), rare, text)
    assert all(math.isfinite(entry.loss) for entry in log)
    _, log = train(tiny_config(), *(replace(each, label=np.full(len(each), number)) for number, each in enumerate(toy)))
    assert {entry.positive_mean for entry in log} == {0.0}  # there are no such pairs
    _, log = train(tiny_config(), *(replace(each, label=np.full(len(each), 1)) for each in toy))
    assert {entry.negative_mean for entry in log} == {0.0}


@pytest.mark.parametrize("side", [0, 1])
def test_nothing_to_train_on_is_said(side, toy, tiny_config):
    sides = list(toy)
    sides[side] = replace(sides[side], split=np.maximum(1, sides[side].split))
    with pytest.raises(UserError, match=r"no training image or no training text.*split"):
        train(tiny_config(), *sides)


# Divergence.


@pytest.mark.parametrize("rate", [1e15, 1e30])
@pytest.mark.parametrize("validates", [True, False])
def test_a_loss_that_is_not_finite_names_epoch_and_learning_rate(rate, validates, make_toy, tiny_config):
    image, text = make_toy((40, 9 if validates else 0, 0))
    with pytest.raises(UserError) as info:
        train(tiny_config(learning_rate=rate, batch=20, epochs=5), image, text)
    message = str(info.value)
    assert "\n" not in message
    assert re.search(r"no longer finite in epoch [12] at learning rate 1e\+(15|30): lower learning_rate", message)


def test_scores_on_val_that_are_not_finite_name_them_too(make_toy, tiny_config):
    image, text = make_toy((20, 9, 0))  # one step an epoch: its loss is still finite, the weights after it are not
    with pytest.raises(UserError, match=r"epoch 1 at learning rate 1e\+20: lower learning_rate"):
        train(tiny_config(learning_rate=1e20, batch=20), image, text)


def test_the_learning_rate_named_is_that_of_the_epoch(toy, tiny_config, monkeypatch):
    plain = loop.relation_loss
    steps = count(1)
    monkeypatch.setattr(loop, "relation_loss", lambda *each: plain(*each) * (math.inf if next(steps) > 12 else 1))
    with pytest.raises(UserError, match=r"epoch 3 at learning rate 0\.00125: lower"):
        train(tiny_config(learning_rate_decay=0.5, epochs=5), *toy)  # 5 steps an epoch


# Progress.


def test_progress_is_told_after_each_step(toy, tiny_config):
    calls = []
    train(tiny_config(epochs=3), *toy, progress=lambda *each: calls.append(each))
    assert [done for done, _, _ in calls] == list(range(1, 16))
    assert {total for _, total, _ in calls} == {15}
    assert all(isinstance(word, str) and word and "\n" not in word for _, _, word in calls)
    assert "epoch 2" in calls[-1][2]


def test_what_progress_raises_is_passed_on(toy, tiny_config):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny_config(), *toy, progress=stop)
