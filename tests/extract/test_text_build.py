from dataclasses import replace

import pytest
import torch

from drsl.extract.text_build import build_text_encoder
from drsl.extract.text_config import Word2vecConfig
from drsl.features.errors import DamagedFile, MissingFile, UserError
from drsl.features.manifest import Item, Manifest


def build(squares, config, manifest=None, say=lambda line: None):
    return build_text_encoder(config, manifest or squares.manifest, squares.root, squares.layout.work, say)


def test_it_knows_the_words_of_all_splits(squares, settings):
    encoder = build(squares, settings.text())
    assert encoder.vocabulary.words == ("blue", "deep", "grass", "green", "leaf", "red", "rose", "sea", "wine")
    assert encoder.classes == ("blue", "green", "red")
    assert encoder.dim == 2 * 5
    assert not squares.layout.work.exists()


def test_coverage_is_told(squares, settings):
    told = []
    build(squares, settings.text(), say=told.append)
    assert told == [
        "word vectors: vectors.txt, 6-d; 18 of 27 different words have no vector (66.7%; 25.0% of the running words)"
    ]


@pytest.mark.parametrize(("max_words", "windows", "length"), [(8, (2, 3), 4), (3, (2, 3), 3), (2, (3, 5), 5)])
def test_texts_are_as_long_as_the_longest_at_most_max_words_at_least_a_window(
    squares, settings, max_words, windows, length
):
    assert build(squares, settings.text(max_words=max_words, windows=windows)).length == length


def test_the_seed_makes_the_weights_and_nothing_else_does(squares, settings, same_weights, keeps_randomness):
    before = keeps_randomness()
    first = build(squares, settings.text())
    assert keeps_randomness() == before
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        assert same_weights(first.network, build(squares, settings.text()).network)
    assert not same_weights(first.network, build(squares, settings.text(seed=1)).network)


def test_missing_vectors_are_named(squares, settings):
    with pytest.raises(MissingFile, match=r"gone\.bin are not there"):
        build(squares, settings.text(vectors="gone.bin"))


def test_texts_of_another_language_are_one_message(squares, settings):
    manifest = Manifest((Item("a", "", "größe", "a", "train"),), squares.manifest.folder)
    with pytest.raises(UserError, match="no word of the texts has a word vector"):
        build(squares, settings.text(), manifest)


def test_poor_coverage_is_a_warning(squares, settings):
    (squares.root / "few.txt").write_text("sea 1 2 3\nSEA 1 2 3\n", encoding="utf-8")
    told = []
    build(squares, settings.text(vectors="few.txt"), say=told.append)
    assert len(told) == 2
    assert told[1].startswith("warning: more than half of the running words have no vector")


def test_damaged_vectors_are_one_message(squares, settings):
    (squares.root / "cut.bin").write_bytes(b"3 2\nred 12345678")
    with pytest.raises(DamagedFile, match=r"cut\.bin are not whole word vectors: the file ends at word 2 of 3"):
        build(squares, settings.text(vectors="cut.bin"))


def test_texts_stream_by(squares, settings, monkeypatch):
    """Texts are taken one by one, several times over; no list of them is asked for."""
    alive, most = set(), []

    class Text(str):
        def __del__(self):
            alive.discard(id(self))

    class Lazy:
        classes, folder = squares.manifest.classes, squares.manifest.folder

        def of(self, modality, split=None):
            for item in squares.manifest.of(modality, split):
                text = Text(item.text)
                alive.add(id(text))
                most.append(len(alive))
                yield replace(item, text=text)

    plain = build(squares, settings.text())
    streamed = build(squares, settings.text(), Lazy())
    assert streamed.vocabulary.words == plain.vocabulary.words
    assert streamed.length == plain.length
    assert len(most) == len(squares.manifest.of("text"))
    assert max(most) <= 3


# Vectors trained on the texts


def test_vectors_are_trained_on_the_training_texts_alone(squares, settings):
    told = []
    config = settings.text(vectors="train", word2vec=Word2vecConfig(dim=10, epochs=2))
    encoder = build(squares, config, say=told.append)
    training = {item.text.split()[-1] for item in squares.manifest.of("text", "train")}
    assert {word for word in encoder.vocabulary.words if word.isdigit()} == training
    assert encoder.vocabulary.vectors.shape[1] == 10
    assert told[0] == "training 10-d word vectors on the training texts, 2 epochs"
    assert told[1].startswith("word vectors: train, 10-d; 9 of 27 different words have no vector")
    items = [item if item.split == "train" else replace(item, text="red unseen") for item in squares.manifest.items]
    other = build(squares, config, Manifest(tuple(items), squares.manifest.folder))
    assert other.vocabulary.digest == encoder.vocabulary.digest


def test_texts_without_spaces_are_learned_by_their_characters(squares, settings):
    chinese = {"red": "红色的玫瑰花", "green": "绿色的草地", "blue": "蓝色的大海"}
    items = [replace(item, text=chinese[item.label]) for item in squares.manifest.items]
    manifest = Manifest(tuple(items), squares.manifest.folder)
    config = settings.text(vectors="train", tokens="characters", ngram=2, word2vec=Word2vecConfig(dim=8), max_words=64)
    encoder = build(squares, config, manifest)
    assert {"红", "红色", "草地"} <= set(encoder.vocabulary.words)
    assert encoder.length == 2 * 6 - 1
    with pytest.raises(UserError, match=r"text\.tokens: characters and text\.vectors: train"):
        build(squares, settings.text(), manifest)


def test_averaged_captions_are_padded_to_the_longest_line(squares, settings):
    items = [replace(item, text="red rose\nblue\ngreen deep leaf") for item in squares.manifest.items]
    manifest = Manifest(tuple(items), squares.manifest.folder)
    assert build(squares, settings.text(captions="mean"), manifest).length == 3
    assert build(squares, settings.text(), manifest).length == 6
