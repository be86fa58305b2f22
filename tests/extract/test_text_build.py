import pytest
import torch

from drsl.extract.text_build import build_text_encoder
from drsl.features.errors import MissingFile, UserError
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
