import numpy as np
import pytest
import torch

from drsl.extract.text_encoder import TextEncoder
from drsl.extract.words import Vocabulary

TEXTS = ["Red fox", "fox, hen and red red red red red red hen", "hen!", "", "unknown words only", "red"]


@pytest.fixture
def make(settings):
    def build(seed=0, **changes):
        vectors = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
        vectors[0] = 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return TextEncoder(settings.text(**changes), ("a", "b"), Vocabulary(("fox", "hen", "red"), vectors), 7)

    return build


def features_of(encoder, texts=TEXTS, size=64):
    return np.concatenate([feature for feature, _ in encoder.encode(texts, size)])


def test_texts_are_matrices_of_word_vectors_with_rows_of_zeros(make):
    encoder = make()
    vectors = encoder.vocabulary.vectors
    ((positions, inputs),) = encoder.open(TEXTS)([1, 0], 8)
    assert positions == [1, 0]
    assert (inputs.shape, inputs.dtype) == ((2, 7, 6), torch.float32)
    assert np.array_equal(inputs[1].numpy(), np.concatenate([vectors[[3, 1]], np.zeros((5, 6), np.float32)]))
    assert np.array_equal(inputs[0].numpy(), vectors[[1, 2, 0, 3, 3, 3, 3]])  # "and" is unknown, the rest is cut off


def test_batches_follow_the_order(make):
    found = [positions for positions, _ in make().open(TEXTS)([5, 0, 3, 3, 1], 2)]
    assert found == [[5, 0], [3, 3], [1]]


def test_nothing_is_random_in_a_text(make):
    batches = make().open(TEXTS)
    ((_, plain),) = batches(range(6), 6)
    ((_, training),) = batches(range(6), 6, torch.Generator().manual_seed(0))
    assert torch.equal(plain, training)


def test_texts_without_a_known_word_have_a_defined_feature(make):
    encoder = make()
    feature = features_of(encoder)
    biases = torch.cat([torch.relu(each.bias) for each in encoder.network.convolutions]).detach().numpy()
    np.testing.assert_allclose(feature[3], biases, rtol=1e-6)
    np.testing.assert_allclose(feature[4], biases, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 4])
def test_the_size_of_a_batch_does_not_matter(make, size):
    np.testing.assert_allclose(features_of(make(), size=size), features_of(make()), rtol=1e-5, atol=1e-6)


def test_features_are_finite_and_wide(make):
    feature = features_of(make())
    assert feature.shape == (6, make().dim) == (6, 10)
    assert (feature >= 0).all()
    assert np.isfinite(feature).all()


def test_it_comes_back_bit_by_bit_without_the_vectors_file(tmp_path, make, same_weights):
    encoder = make(seed=3)
    encoder.save(tmp_path / "text.safetensors", "d")
    again, about = TextEncoder.load(tmp_path / "text.safetensors")
    assert same_weights(encoder.network, again.network)
    assert np.array_equal(encoder.vocabulary.vectors, again.vocabulary.vectors)
    assert (again.vocabulary.words, again.length) == (encoder.vocabulary.words, 7)
    assert (again.config, again.classes, again.device) == (encoder.config, encoder.classes, "cpu")
    assert features_of(again).tobytes() == features_of(encoder).tobytes()
    again.save(tmp_path / "again.safetensors", "d")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "text.safetensors").read_bytes()
    assert about["manifest_digest"] == "d"


def test_it_says_what_it_is(make):
    about = make().about()
    assert about["architecture"] == "sentence_cnn"
    assert about["input_size"] == 7
    assert about["weights_digest"] == make().vocabulary.digest
    assert about["settings"]["windows"] == [2, 3]
    assert about["settings"]["finetune"]["epochs"] == 3
    assert about["precision"] == "float32"


def test_a_longer_vocabulary_leaves_old_texts_alone(make):
    encoder = make()
    before = features_of(encoder)
    words, vectors = encoder.vocabulary.words, encoder.vocabulary.vectors
    encoder.vocabulary = Vocabulary((*words, "unknown"), np.concatenate([vectors, np.ones((1, 6), np.float32)]))
    after = features_of(encoder)
    changed = (before != after).any(axis=1)
    assert changed.tolist() == [False] * 4 + [True, False]
