import math
import os

import numpy as np
import pytest
import torch

from drsl.extract import finetune as module
from drsl.extract.finetune import finetune
from drsl.features.errors import UserError

TRAIN, VAL, TEST = np.arange(0, 42), np.arange(42, 54), np.arange(54, 60)


@pytest.fixture(scope="module")
def blobs():
    """60 points around three corners, and their classes."""
    draw = np.random.default_rng(0)
    label = draw.permutation(np.arange(60) % 3)
    return (np.eye(4)[label] * 3 + draw.standard_normal((60, 4)) * 0.6).tolist(), label.astype(np.int64)


@pytest.fixture
def train(blobs, settings, toy_encoder):
    """Trains a toy encoder on the points; gives it and its log."""
    rows, label = blobs

    def run(*, encoder=None, train=TRAIN, val=VAL, checkpoint=None, fingerprint="f", on_progress=None, **changes):
        encoder = encoder or toy_encoder()
        config = settings.finetune(**changes)
        options = {"checkpoint": checkpoint, "fingerprint": fingerprint, "on_progress": on_progress}
        return encoder, finetune(encoder, encoder.open(rows), label, train, val, config, **options)

    return run


class Stop(Exception):
    pass


def stop_in(epoch, steps):
    """A progress callback that raises in the middle of an epoch, as a kill would."""
    seen = []

    def on_progress(done, total, word):
        seen.append(done)
        if len(seen) == (epoch - 1) * steps + steps // 2:
            raise Stop

    return on_progress


@pytest.mark.parametrize(("optimizer", "rate"), [("adamw", 0.02), ("sgd", 0.05)])
def test_separable_classes_are_learned(train, optimizer, rate):
    encoder, log = train(epochs=8, optimizer=optimizer, learning_rate=rate)
    assert [entry.epoch for entry in log] == list(range(1, 9))
    assert log[-1].loss < 0.7 * log[0].loss
    assert log[-1].train_accuracy > log[0].train_accuracy + 0.2  # with dropout
    assert max(entry.val_accuracy for entry in log) == 1.0
    assert not encoder.network.training


def test_each_epoch_goes_through_all_training_items_in_another_order(train):
    encoder, _ = train(epochs=3, batch=7)
    epochs = [[each for batch in encoder.trained[start : start + 6] for each in batch] for start in (0, 6, 12)]
    assert all(sorted(order) == TRAIN.tolist() for order in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert encoder.tested == [VAL.tolist()] * 3


def test_no_other_item_is_asked_for(train):
    encoder, _ = train(epochs=2)
    asked = {each for batch in encoder.trained + encoder.tested for each in batch}
    assert asked == set(TRAIN) | set(VAL)
    assert {each for batch in encoder.trained for each in batch} == set(TRAIN)


def test_a_last_batch_of_one_item_is_left_out_for_batch_norm(train):
    encoder, _ = train(epochs=2, train=TRAIN[:33], batch=8)
    assert [len(batch) for batch in encoder.trained] == [8] * 8
    encoder, _ = train(epochs=1, train=TRAIN[:34], batch=8)
    assert [len(batch) for batch in encoder.trained] == [8, 8, 8, 8, 2]


def test_two_items_are_enough(train):
    encoder, log = train(epochs=1, train=TRAIN[:2])
    assert encoder.trained == [[0, 1]] or encoder.trained == [[1, 0]]
    assert len(log) == 1


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_training_items_are_one_message(train, count):
    with pytest.raises(UserError, match=f"^the train split has {count} text item.*needs two or more"):
        train(train=TRAIN[:count])


@pytest.mark.parametrize(
    ("accuracies", "best"), [((0.2, 0.9, 0.5, 0.4), 2), ((0.2, 0.9, 0.9, 0.4), 3), ((1, 0, 0, 0), 1)]
)
def test_the_epoch_that_is_best_on_val_is_kept_and_of_equals_the_last(train, monkeypatch, accuracies, best):
    weights = []

    def accuracy(loop, _):
        weights.append({name: each.clone() for name, each in loop.network.state_dict().items()})
        return accuracies[len(weights) - 1]

    monkeypatch.setattr(module._Loop, "_accuracy", accuracy)
    encoder, log = train(epochs=4)
    assert [entry.val_accuracy for entry in log] == list(accuracies)
    for number, state in enumerate(weights, start=1):
        equal = all(torch.equal(state[name], each) for name, each in encoder.network.state_dict().items())
        assert equal == (number == best)


def test_val_accuracy_is_that_of_the_kept_network(train, blobs):
    encoder, log = train(epochs=2)
    rows, label = blobs
    predicted = np.concatenate([each for _, each in encoder.encode(rows)])
    assert (predicted[VAL] == label[VAL]).mean() == max(entry.val_accuracy for entry in log)


def test_without_val_items_the_last_epoch_is_kept(train, same_weights):
    encoder, log = train(epochs=3, val=VAL[:0])
    assert all(math.isnan(entry.val_accuracy) for entry in log)
    shorter, _ = train(epochs=2, val=VAL[:0])
    assert not same_weights(encoder.network, shorter.network)


def test_no_epochs_leave_the_network_as_it_was(train, toy_encoder, same_weights):
    encoder, log = train(epochs=0)
    assert log == []
    assert same_weights(encoder.network, toy_encoder().network)


def test_equal_seeds_give_equal_bits_and_others_do_not(train, same_weights):
    first, log = train()
    second, again = train()
    assert same_weights(first.network, second.network)
    assert log == again
    assert not same_weights(first.network, train(seed=1)[0].network)


def test_smoothed_labels_cost_more(train):
    assert train(epochs=8, label_smoothing=0.2)[1][-1].loss > train(epochs=8)[1][-1].loss + 0.1


def test_progress_counts_training_items(train):
    told = []
    train(epochs=2, batch=20, on_progress=lambda *each: told.append(each))
    assert [done for done, _, _ in told] == [20, 40, 42, 62, 82, 84]
    assert {total for _, total, _ in told} == {84}
    assert told[0][2] == "first epoch"
    assert told[-1][2].startswith("epoch 1: loss ")


def test_global_randomness_is_untouched(train, keeps_randomness):
    before = keeps_randomness()
    train()
    with pytest.raises(Stop):
        train(on_progress=stop_in(2, 10))
    assert keeps_randomness() == before


def test_global_randomness_has_no_say(train, same_weights):
    first, _ = train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        second, _ = train()
    assert same_weights(first.network, second.network)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_loss_that_is_not_finite_is_one_message(train, optimizer):
    with pytest.raises(UserError) as info:
        train(learning_rate=1e38, optimizer=optimizer, weight_decay=0.0, epochs=30)
    assert "the loss is no longer finite in epoch " in str(info.value)
    assert "at learning rate " in str(info.value)
    assert "\n" not in str(info.value)


# Going on after an end


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SAVE_EVERY", -1.0)  # after each epoch
    return tmp_path / "work" / "finetune.pt"


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("epoch", [1, 2, 4])
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(
    train, checkpoint, toy_encoder, same_weights, optimizer, epoch
):
    whole, log = train(epochs=4, optimizer=optimizer)
    with pytest.raises(Stop):
        train(epochs=4, optimizer=optimizer, checkpoint=checkpoint, on_progress=stop_in(epoch, 11))
    assert checkpoint.is_file() == (epoch > 1)
    encoder, again = train(
        epochs=4, optimizer=optimizer, checkpoint=checkpoint, encoder=toy_encoder(seed=int(epoch > 1))
    )  # initial weights no longer matter
    assert len(encoder.tested) == 4 - (epoch - 1)  # it did go on
    assert same_weights(whole.network, encoder.network)
    assert again == log


def test_a_run_may_be_stopped_again_and_again(train, checkpoint, same_weights):
    whole, log = train(epochs=4)
    for _ in range(3):
        with pytest.raises(Stop):
            train(epochs=4, checkpoint=checkpoint, on_progress=stop_in(2, 11))
    encoder, again = train(epochs=4, checkpoint=checkpoint)
    assert len(encoder.tested) == 1
    assert same_weights(whole.network, encoder.network)
    assert again == log


def test_the_best_epoch_may_lie_before_the_stop(train, checkpoint, monkeypatch, same_weights):
    accuracies = iter([0.9, 0.1, 0.2, 0.3, 0.9, 0.1, 0.2, 0.3])
    monkeypatch.setattr(module._Loop, "_accuracy", lambda *_: next(accuracies))
    whole, _ = train(epochs=4)
    with pytest.raises(Stop):
        train(epochs=4, checkpoint=checkpoint, on_progress=stop_in(3, 11))
    assert same_weights(whole.network, train(epochs=4, checkpoint=checkpoint)[0].network)


def test_without_val_items_a_run_goes_on_too(train, checkpoint, same_weights):
    whole, _ = train(epochs=3, val=VAL[:0])
    with pytest.raises(Stop):
        train(epochs=3, val=VAL[:0], checkpoint=checkpoint, on_progress=stop_in(2, 11))
    assert same_weights(whole.network, train(epochs=3, val=VAL[:0], checkpoint=checkpoint)[0].network)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("what", ["other settings", "truncated", "empty", "text", "a list", "a trap"])
def test_a_checkpoint_that_is_not_ones_own_is_ignored(train, checkpoint, tmp_path, same_weights, what):
    with pytest.raises(Stop):
        train(checkpoint=checkpoint, on_progress=stop_in(3, 11))
    content = checkpoint.read_bytes()
    if what == "truncated":
        checkpoint.write_bytes(content[: len(content) // 2])
    elif what == "empty":
        checkpoint.write_bytes(b"")
    elif what == "text":
        checkpoint.write_text("hello")
    elif what == "a list":
        torch.save([1, 2], checkpoint)
    elif what == "a trap":
        torch.save({"fingerprint": "f", "epoch": Trap(tmp_path / "sprung")}, checkpoint)
    encoder, _ = train(checkpoint=checkpoint, fingerprint="g" if what == "other settings" else "f")
    assert len(encoder.tested) == 3
    assert same_weights(encoder.network, train()[0].network)
    assert not (tmp_path / "sprung").exists()


def test_a_loss_that_is_not_finite_leaves_the_last_good_checkpoint(train, checkpoint, blobs, toy_encoder):
    encoder = toy_encoder()
    rows = blobs[0]

    def break_it(done, total, word):
        if done > 2 * len(TRAIN):
            encoder.network[0].weight.data.fill_(float("nan"))

    with pytest.raises(UserError, match="epoch 3"):
        train(encoder=encoder, epochs=4, checkpoint=checkpoint, on_progress=break_it)
    again, log = train(epochs=4, checkpoint=checkpoint)
    assert len(again.tested) == 2
    assert np.isfinite(np.concatenate([each for each, _ in again.encode(rows)])).all()
    assert len(log) == 4


def test_quick_epochs_do_not_spend_their_time_writing(train, tmp_path):
    with pytest.raises(Stop):
        train(checkpoint=tmp_path / "c.pt", on_progress=stop_in(3, 11))
    assert not (tmp_path / "c.pt").exists()


def test_a_checkpoint_that_cannot_be_written_is_one_message(train, checkpoint):
    checkpoint.parent.write_text("a file")
    with pytest.raises(UserError, match="is a file, but a folder of that name is needed"):
        train(checkpoint=checkpoint)
