import numpy as np
import pytest
import torch

from drsl.extract.text_config import Word2vecConfig
from drsl.extract.text_encoder import TextEncoder
from drsl.extract.tokens import Tokenizer
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


# Texts are not held


class Texts:
    """Texts that are made when they are asked for."""

    def __init__(self, count):
        self.count, self.asked = count, 0

    def __len__(self):
        return self.count

    def __getitem__(self, place):
        self.asked += 1
        return f"red fox {'hen ' * (place % 5)}"


def test_texts_are_taken_batch_by_batch(make):
    texts, encoder = Texts(1000), make()
    encoded = encoder.encode(texts, 10)
    next(encoded)
    assert texts.asked == 10
    assert sum(len(feature) for feature, _ in encoded) == 990


def test_training_reads_a_text_once(make):
    texts = Texts(20)
    batches = make().open(texts)
    assert texts.asked == 0
    for _ in range(3):
        for _ in batches(range(20), 8, torch.Generator().manual_seed(0)):
            pass
    assert texts.asked == 20


# Captions

CAPTIONS = ["red fox\nhen", "red", "hen\nfox hen red", "\n \n", "fox\nhen\nred\nfox fox", "red\nred"]


def test_joined_captions_are_one_text(make):
    joined = [text.replace("\n", " ") for text in CAPTIONS]
    assert features_of(make(), CAPTIONS).tobytes() == features_of(make(), joined).tobytes()


@pytest.mark.parametrize("size", [1, 3, 64])
def test_averaged_captions_are_the_mean_of_the_lines_features(make, size):
    encoder = make(captions="mean")
    single = make()
    expected = [
        features_of(single, [line for line in text.split("\n") if line.strip()] or [""]).mean(axis=0)
        for text in CAPTIONS
    ]
    found = features_of(encoder, CAPTIONS, size)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_averaged_captions_come_in_order_and_in_bounded_batches(make):
    texts = ["red\nfox\nhen"] * 4 + ["red"] * 3 + ["fox\n" * 90]
    found = list(make(captions="mean").open(texts)(range(8), 7))
    assert [positions for positions, _ in found] == [[0, 1], [2, 3], [4, 5, 6], [7]]
    assert [inputs.shape[:2] for _, inputs in found] == [(2, 3), (2, 3), (3, 1), (1, 90)]


def test_training_sees_one_drawn_caption_of_each_text(make):
    encoder = make(captions="mean")
    vectors = encoder.vocabulary.vectors
    texts = ["red\nfox\nhen", "red"]
    batches = encoder.open(texts)

    def draw(generator):
        ((positions, inputs),) = batches([1, 0], 8, generator)
        assert positions == [1, 0]
        assert inputs.shape == (2, 7, 6)
        assert np.array_equal(inputs[0, 0].numpy(), vectors[3])
        return next(word for word in (1, 2, 3) if np.array_equal(inputs[1, 0].numpy(), vectors[word]))

    generator = torch.Generator().manual_seed(0)
    drawn = [draw(generator) for _ in range(60)]
    assert set(drawn) == {1, 2, 3}
    generator.manual_seed(0)
    assert [draw(generator) for _ in range(60)] == drawn


# Characters


def test_characters_come_back_with_the_network(tmp_path, settings):
    characters = Tokenizer("characters", 3)
    vectors = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
    config = settings.text(tokens="characters", ngram=3, captions="mean", word2vec=Word2vecConfig(dim=6))
    encoder = TextEncoder(config, ("a", "b"), Vocabulary(("狐", "红", "红狐"), vectors, characters), 7)
    encoder.save(tmp_path / "text.safetensors", "d")
    again, about = TextEncoder.load(tmp_path / "text.safetensors")
    assert again.config == config
    assert again.vocabulary.tokenizer == characters
    assert about["settings"]["word2vec"] == {"dim": 6}
    assert features_of(again, ["红狐", "狐"]).tobytes() == features_of(encoder, ["红狐", "狐"]).tobytes()


# Texts of all kinds


@pytest.mark.parametrize("captions", ["join", "mean"])
@pytest.mark.parametrize("tokens", ["words", "characters"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t",
        "zebra qwerty",
        "the and of",
        "red " * 100_000,
        "red" * 100_000,
        "red\n" * 100_000,
        "שלום red עולם",
        "مرحبا",
        "👩‍🚀🦊",
        "red &amp; fox &#128512; <b>hen</b>",
        "red\0fox",
        "\ud800 red",
        "\ufeffred\u202e",
    ],
)
def test_every_text_has_a_finite_feature(make, tokens, captions, text):
    encoder = make(captions=captions, tokens=tokens)
    encoder.vocabulary = Vocabulary(encoder.vocabulary.words, encoder.vocabulary.vectors, Tokenizer(tokens))
    feature = features_of(encoder, [text])
    assert feature.shape == (1, encoder.dim)
    assert np.isfinite(feature).all()
