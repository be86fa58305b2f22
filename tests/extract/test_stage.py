import csv
import json
import signal

import numpy as np
import pytest

from drsl.extract import finetune as loop
from drsl.extract.image_build import build_image_encoder
from drsl.extract.stage import encode_stage, finetune_stage, load_encoder
from drsl.extract.text_build import build_text_encoder
from drsl.features.errors import DamagedFile, MissingFile, StaleFile, UserError
from drsl.features.manifest import Item, Manifest
from drsl.features.settings import to_stored
from drsl.features.stopping import Stopped
from drsl.features.store import read_features

BUILD = {"text": build_text_encoder, "image": build_image_encoder}


@pytest.fixture(params=["text", "image"])
def modality(request, tiny_network):
    return request.param


@pytest.fixture
def train(squares, settings):
    """Builds and fine-tunes a network of one modality in the project."""

    def run(modality, manifest=None, on_progress=None, **changes):
        config = getattr(settings, modality)(**changes)
        manifest = manifest or squares.manifest
        encoder = BUILD[modality](config, manifest, squares.root, squares.layout.work, lambda line: None)
        return encoder, finetune_stage(encoder, manifest, config.finetune, squares.layout, on_progress)

    return run


@pytest.fixture
def run_both(squares, train):
    """Fine-tunes, then encodes with the network from the file."""

    def run(modality, **changes):
        train(modality, **changes)
        encoder, about = load_encoder(modality, squares.layout, manifest=squares.manifest)
        return encode_stage(encoder, about, squares.manifest, squares.layout)

    return run


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_raw_pairs_become_features(squares, run_both, modality):
    accuracy, rate = run_both(modality, epochs=6, dropout=0.0)
    layout = squares.layout
    features = read_features(layout.features(modality))
    assert features.id.tolist() == [item.id for item in squares.manifest.items]
    assert np.isfinite(features.feature).all()
    assert features.attrs["modality"] == modality
    assert features.attrs["manifest_digest"] == squares.manifest.digest
    assert json.loads(features.attrs["encoder"])["settings"]["finetune"]["epochs"] == 6
    told = json.loads(layout.encoder_result(modality).read_text())
    assert told == {f"{split}_accuracy": round(getattr(accuracy, split), 6) for split in ("train", "val", "test")}
    assert accuracy.train > 0.5  # three colours and their names are easily told apart
    assert rate > 0
    with layout.encoder_log(modality).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert set(rows[0]) == {"epoch", "loss", "train_accuracy", "val_accuracy"}
    assert not list(layout.work.glob("finetune-*"))


def test_the_same_twice_gives_the_same_bytes(squares, run_both, modality):
    layout, found = squares.layout, []
    for _ in range(2):
        run_both(modality)
        files = (layout.network(modality), layout.features(modality), layout.encoder_log(modality))
        found.append([path.read_bytes() for path in files])
        for path in files:
            path.unlink()
    assert found[0] == found[1]


def test_another_seed_gives_other_features(squares, run_both, modality):
    run_both(modality)
    first = read_features(squares.layout.features(modality))
    run_both(modality, seed=1)
    second = read_features(squares.layout.features(modality))
    assert not np.array_equal(first.feature, second.feature)
    assert first.attrs["fingerprint"] != second.attrs["fingerprint"]


def test_the_stages_write_nothing_else(squares, run_both):
    before = set(names(squares.root))
    run_both("text")
    assert set(names(squares.root)) - before == {
        "models/squares/text.safetensors",
        "features/squares/text.h5",
        "results/squares/encoders/text.json",
        "results/squares/encoders/text.log.csv",
    }


# The test split


def test_no_test_item_is_opened_while_training(squares, settings, toy_encoder):
    rows = np.random.default_rng(0).standard_normal((18, 4))
    items = [
        Item(item.id, "", " ".join(map(str, row)), item.label, item.split)
        for item, row in zip(squares.manifest.items, rows, strict=True)
    ]
    encoder = toy_encoder()
    finetune_stage(encoder, Manifest(tuple(items), squares.manifest.folder), settings.finetune(), squares.layout)
    opened = [item for item in items if item.split != "test"]
    assert encoder.contents == [item.text for item in opened]
    trained = {opened[each].split for batch in encoder.trained for each in batch}
    tested = {opened[each].split for batch in encoder.tested for each in batch}
    assert (trained, tested) == ({"train"}, {"val"})


def test_test_pictures_may_be_missing_while_training(squares, train, tiny_network, tmp_path):
    folder = tmp_path / "data-train-only"
    (folder / "images").mkdir(parents=True)
    for item in squares.manifest.items:
        if item.split != "test":
            (folder / item.image).write_bytes(squares.manifest.image_path(item).read_bytes())
    _, log = train("image", Manifest(squares.manifest.items, folder))
    assert len(log) == 3


def test_other_test_texts_and_labels_change_no_weight(squares, train, same_weights):
    changed = tuple(
        Item(item.id, item.image, "red rose", "red", "test") if item.split == "test" else item
        for item in squares.manifest.items
    )
    first, log = train("text")
    second, again = train("text", Manifest(changed, squares.manifest.folder))
    assert same_weights(first.network, second.network)
    assert log == again


# Ends in the middle


class Stop(Exception):
    pass


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(squares, train, modality, monkeypatch):
    monkeypatch.setattr(loop, "_SAVE_EVERY", -1.0)
    path, checkpoint = squares.layout.network(modality), squares.layout.work / f"finetune-{modality}.pt"
    train(modality)
    whole = path.read_bytes()
    path.unlink()

    def stop(done, total, word):
        if word.startswith("epoch 2"):
            raise Stop

    with pytest.raises(Stop):
        train(modality, on_progress=stop)
    assert checkpoint.is_file()
    assert not path.exists()
    first = []
    train(modality, on_progress=lambda done, total, word: first.append(done / total))
    assert first[0] > 2 / 3
    assert path.read_bytes() == whole
    assert not checkpoint.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_stop_ends_the_epoch_and_keeps_it(squares, train, number):
    path, words = squares.layout.network("text"), []
    train("text")
    whole = path.read_bytes()
    path.unlink()

    def ask(done, total, word):
        words.append(word)
        if len(words) == 1:
            signal.raise_signal(number)

    with pytest.raises(Stopped, match="epoch 1 of 3 is done and kept; run the same command again to go on") as info:
        train("text", on_progress=ask)
    assert info.value.signal == number
    assert words[1] == "stopping when this epoch ends; once more stops now"
    first = []
    train("text", on_progress=lambda done, total, word: first.append(word))
    assert first[0].startswith("epoch 1")
    assert path.read_bytes() == whole


def test_a_request_to_stop_in_the_last_epoch_lets_it_end(squares, train):
    def ask(done, total, word):
        if done == total:
            signal.raise_signal(signal.SIGTERM)

    train("text", on_progress=ask)
    assert squares.layout.network("text").is_file()


def test_other_settings_start_anew(squares, train, monkeypatch):
    monkeypatch.setattr(loop, "_SAVE_EVERY", -1.0)

    def stop(done, total, word):
        if word.startswith("epoch 2"):
            raise Stop

    with pytest.raises(Stop):
        train("text", on_progress=stop)
    first = []
    train("text", seed=1, on_progress=lambda done, total, word: first.append(word))
    assert first[0] == "first epoch"


def test_training_is_not_lost_when_the_network_cannot_be_written(squares, train, monkeypatch):
    monkeypatch.setattr(loop, "_SAVE_EVERY", -1.0)
    (squares.root / "models").write_text("a file")
    with pytest.raises(UserError, match="cannot write"):
        train("text")
    (squares.root / "models").unlink()
    first = []
    train("text", on_progress=lambda done, total, word: first.append(word))
    assert first[0].startswith("epoch 2")
    assert squares.layout.network("text").is_file()


def test_an_unreadable_picture_stops_training_with_its_name(squares, train, tiny_network, tmp_path):
    folder = tmp_path / "data-broken"
    (folder / "images").mkdir(parents=True)
    for item in squares.manifest.items:
        (folder / item.image).write_bytes(squares.manifest.image_path(item).read_bytes())
    (folder / "images" / "4.png").write_bytes(b"broken")
    with pytest.raises(DamagedFile, match=r"images/4\.png is not an image"):
        train("image", Manifest(squares.manifest.items, folder))
    assert not squares.layout.network("image").exists()


def test_an_unreadable_picture_is_one_error_and_leaves_no_features(squares, train, tiny_network, tmp_path):
    encoder, _ = train("image")
    folder = tmp_path / "data-broken"
    (folder / "images").mkdir(parents=True)
    for item in squares.manifest.items:
        (folder / item.image).write_bytes(squares.manifest.image_path(item).read_bytes()[:-40])
    _, about = load_encoder("image", squares.layout)
    with pytest.raises(DamagedFile) as info:
        encode_stage(encoder, about, Manifest(squares.manifest.items, folder), squares.layout)
    assert "cannot be decoded" in str(info.value)
    assert "\n" not in str(info.value)
    assert names(squares.root / "features") == []
    assert not squares.layout.encoder_result("image").exists()


def test_one_training_item_is_one_message(squares, train):
    items = [item for item in squares.manifest.items if item.split != "train"]
    with pytest.raises(UserError, match="the train split has 1 text item"):
        train("text", Manifest((squares.manifest.items[0], *items), squares.manifest.folder))


# Stale networks


def stored_settings(settings, modality, **changes):
    return {"settings": to_stored(getattr(settings, modality)(**changes))}


def test_a_fresh_network_is_taken(squares, train, settings, modality):
    encoder, _ = train(modality)
    again, about = load_encoder(modality, squares.layout, stored_settings(settings, modality), squares.manifest)
    assert again.about() == encoder.about()
    assert about["manifest_digest"] == squares.manifest.digest


def test_other_settings_are_refused_by_name_and_command(squares, train, settings, modality):
    train(modality)
    with pytest.raises(StaleFile) as info:
        load_encoder(modality, squares.layout, stored_settings(settings, modality, epochs=12, dropout=0.1))
    assert str(info.value) == (
        f"models/squares/{modality}.safetensors is stale: settings.dropout was 0.5, now 0.1; "
        f"settings.finetune.epochs was 3, now 12. Run `drsl finetune {modality} -d squares`"
    )


def test_another_manifest_is_refused_by_name_and_command(squares, train, settings, modality):
    train(modality)
    other = Manifest(squares.manifest.items[:-1], squares.manifest.folder)
    with pytest.raises(StaleFile) as info:
        load_encoder(modality, squares.layout, stored_settings(settings, modality), other)
    was, now = squares.manifest.digest[:12], other.digest[:12]
    assert str(info.value) == (
        f"models/squares/{modality}.safetensors is stale: manifest_digest was {was}, now {now}. "
        f"Run `drsl finetune {modality} -d squares`"
    )


def test_a_missing_network_names_the_command(squares):
    with pytest.raises(MissingFile, match=r"text\.safetensors is not there: run `drsl finetune text -d squares`"):
        load_encoder("text", squares.layout)
