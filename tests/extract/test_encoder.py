import json

import numpy as np
import pytest
import torch

from drsl.extract.encoder import NETWORK_FORMAT, SCHEMA, read_config, read_network
from drsl.extract.text_config import TextConfig
from drsl.features.digest import fingerprint
from drsl.features.errors import DamagedFile, MissingFile, StaleFile, UserError
from drsl.features.settings import to_stored
from drsl.features.tensor_file import write_tensors

ROWS = np.random.default_rng(0).standard_normal((11, 4)).tolist()


def features_of(encoder, size=64):
    feature, predicted = zip(*encoder.encode(ROWS, size), strict=True)
    return np.concatenate(feature), np.concatenate(predicted)


def test_features_and_classes_are_those_of_the_network(toy_encoder):
    encoder = toy_encoder()
    feature, predicted = features_of(encoder)
    assert (feature.shape, feature.dtype, predicted.shape, predicted.dtype) == ((11, 8), np.float32, (11,), np.int64)
    network = encoder.network.eval()
    with torch.no_grad():
        expected = network[:-1](torch.tensor(ROWS))
        assert np.array_equal(feature, expected.numpy())
        assert np.array_equal(predicted, network[-1](expected).argmax(dim=1).numpy())


@pytest.mark.parametrize("size", [1, 2, 5, 11])
def test_the_size_of_a_batch_does_not_matter(toy_encoder, size):
    encoder = toy_encoder()
    feature, predicted = features_of(encoder, size)
    assert [len(batch) for batch in encoder.tested] == [size] * (11 // size) + [11 % size] * (11 % size > 0)
    np.testing.assert_allclose(feature, features_of(encoder)[0], rtol=1e-5, atol=1e-6)
    assert np.array_equal(predicted, features_of(encoder)[1])


def test_dropout_does_not_act(toy_encoder):
    encoder = toy_encoder()
    encoder.network.train()
    assert np.array_equal(features_of(encoder)[0], features_of(encoder)[0])
    assert not encoder.network.training


def test_no_gradient_is_kept(toy_encoder):
    encoder = toy_encoder()
    next(encoder.encode(ROWS))
    assert all(each.grad is None for each in encoder.network.parameters())


def test_a_network_comes_back_bit_by_bit(tmp_path, toy_encoder, same_weights):
    encoder = toy_encoder(seed=1)
    encoder.save(tmp_path / "toy" / "text.safetensors", "d" * 64)
    arrays, about = read_network(tmp_path / "toy" / "text.safetensors", "text")
    other = toy_encoder(seed=2)
    other.load_state(arrays)
    assert same_weights(encoder.network, other.network)
    assert np.array_equal(features_of(encoder)[0], features_of(other)[0])
    assert about.pop("fingerprint") == fingerprint(about)
    assert about == {
        "schema": SCHEMA,
        "modality": "text",
        "classes": ["a", "b", "c"],
        "architecture": "toy",
        "settings": {"width": 4},
        "manifest_digest": "d" * 64,
    }


def test_further_arrays_travel_along(tmp_path, toy_encoder, monkeypatch):
    monkeypatch.setattr(toy_encoder, "extra_arrays", lambda self: {"table": np.arange(3)})
    toy_encoder().save(tmp_path / "text.safetensors", "")
    arrays, _ = read_network(tmp_path / "text.safetensors", "text")
    assert arrays["table"].tolist() == [0, 1, 2]
    toy_encoder().load_state(arrays)


def test_the_same_network_gives_the_same_bytes(tmp_path, toy_encoder):
    for name in ("a", "b"):
        toy_encoder().save(tmp_path / name / "text.safetensors", "d")
    assert (tmp_path / "a/text.safetensors").read_bytes() == (tmp_path / "b/text.safetensors").read_bytes()


def test_what_made_it_changes_the_fingerprint(tmp_path, toy_encoder):
    path = tmp_path / "text.safetensors"
    found = set()
    for encoder, digest in ((toy_encoder(), "d"), (toy_encoder(), "e"), (toy_encoder(classes=("a", "b")), "d")):
        encoder.save(path, digest)
        found.add(read_network(path, "text")[1]["fingerprint"])
    assert len(found) == 3


def test_a_network_that_cannot_be_written_is_one_message(tmp_path, toy_encoder):
    (tmp_path / "models").write_text("a file")
    with pytest.raises(UserError, match="is a file, but a folder of that name is needed"):
        toy_encoder().save(tmp_path / "models" / "text.safetensors", "")


# Refusals


@pytest.fixture
def stored(tmp_path, toy_encoder):
    path = tmp_path / "pets" / "text.safetensors"
    toy_encoder().save(path, "d")
    return path


def test_a_missing_network_names_the_command(tmp_path):
    with pytest.raises(MissingFile, match=r"run `drsl finetune text -d pets`"):
        read_network(tmp_path / "pets" / "text.safetensors", "text")


@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.99])
def test_a_truncated_network_is_refused(stored, part):
    content = stored.read_bytes()
    stored.write_bytes(content[: int(part * len(content))])
    with pytest.raises(DamagedFile, match=r"text\.safetensors is damaged.*run `drsl finetune text -d pets`"):
        read_network(stored, "text")


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8, 0.999])
def test_a_flipped_bit_is_refused(stored, place):
    content = bytearray(stored.read_bytes())
    content[int(place * len(content))] ^= 1
    stored.write_bytes(content)
    with pytest.raises(DamagedFile, match=r"text\.safetensors"):
        read_network(stored, "text")


def test_a_file_of_another_kind_is_refused(stored):
    write_tensors(stored, "drsl-model", {"a": np.ones(2)}, {"method": "drsl-c"})
    with pytest.raises(DamagedFile, match=f"is a drsl-model file, not {NETWORK_FORMAT}"):
        read_network(stored, "text")


def test_the_other_modality_is_refused(stored):
    with pytest.raises(StaleFile) as info:
        read_network(stored, "image")
    assert '"modality": "text"' in str(info.value)
    assert "wants image" in str(info.value)
    assert "`drsl finetune image -d pets`" in str(info.value)


def test_another_schema_is_refused(stored):
    arrays, about = read_network(stored, "text")
    write_tensors(stored, NETWORK_FORMAT, arrays, about | {"schema": SCHEMA + 1})
    with pytest.raises(StaleFile, match=f'"schema": {SCHEMA + 1}.*schema {SCHEMA}: run `drsl finetune text'):
        read_network(stored, "text")


def test_a_pickle_is_refused(stored):
    torch.save({"network.0.weight": torch.ones(2)}, stored)
    with pytest.raises(DamagedFile, match="is damaged or not a drsl-network file"):
        read_network(stored, "text")


def test_a_description_is_json(tmp_path, toy_encoder):
    json.dumps(toy_encoder().about())


@pytest.mark.parametrize("change", [{"later": 1}, {"maps": 0}, {"finetune": {"later": 1}}])
def test_settings_of_another_version_are_refused(settings, change):
    stored = to_stored(settings.text())
    assert read_config(TextConfig, {"modality": "text", "settings": stored}) == settings.text()
    with pytest.raises(StaleFile, match=r"settings that this program does not know .*`drsl finetune text`"):
        read_config(TextConfig, {"modality": "text", "settings": stored | change})
