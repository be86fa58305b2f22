from dataclasses import replace

import pytest
from PIL import Image

from drsl.extract.text_config import Word2vecConfig
from drsl.features.errors import DamagedFile, MissingFile, SettingError, StaleFile, UserError
from drsl.features.manifest import read_manifest, write_manifest
from drsl.features.store import read_features, write_features
from drsl.search.searcher import Searcher
from drsl.train.methods import read_method


def labels(answer):
    return [hit.item.label for hit in answer.hits]


@pytest.mark.parametrize(("words", "color"), [("red rose", "red"), ("Deep blue SEA!", "blue"), ("grass", "green")])
def test_words_find_images_of_their_class(project, words, color):
    answer = Searcher(project.layout, "drsl-c", 0).find_images(words, 3)
    assert labels(answer) == [color] * 3
    assert (answer.expected, answer.predicted, answer.unknown_words) == (color, True, ())
    assert [hit.right for hit in answer.hits] == [True] * 3
    assert {hit.item.split for hit in answer.hits} == {"test"}
    scores = [hit.score for hit in answer.hits]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("pixel", "color"), [((225, 35, 35), "red"), ((35, 55, 215), "blue"), ((25, 185, 65), "green")]
)
def test_a_picture_finds_texts_of_its_class(project, tmp_path, pixel, color):
    Image.new("RGB", (90, 30), pixel).save(tmp_path / "query.jpg")
    answer = Searcher(project.layout, "drsl-c", 0).find_texts(tmp_path / "query.jpg", 3)
    assert labels(answer) == [color] * 3
    assert (answer.expected, answer.predicted) == (color, True)


def test_scores_are_the_methods_own(project):
    """An item's own text and its own picture give the score of the pair."""
    layout = project.layout
    image, text = (read_features(layout.features(modality)).select("test") for modality in ("image", "text"))
    scores = read_method(layout.run("drsl-c", 0).model).score(image.feature, text.feature)
    items = {item.id: item for item in read_manifest(layout.manifest).items}
    own = items[text.id[4]]
    searcher = Searcher(layout, "drsl-c", 0)
    by_words = {hit.item.id: hit.score for hit in searcher.find_images(own.text, 99).hits}
    assert [by_words[each] for each in image.id] == pytest.approx(scores[:, 4].tolist(), abs=1e-4)
    picture = layout.manifest.parent / items[image.id[2]].image
    by_picture = {hit.item.id: hit.score for hit in searcher.find_texts(picture, 99).hits}
    assert [by_picture[each] for each in text.id] == pytest.approx(scores[2].tolist(), abs=1e-4)


@pytest.mark.parametrize(("split", "count"), [("train", 18), ("val", 9), ("test", 9), ("all", 36)])
def test_the_split_says_what_is_searched(project, split, count):
    answer = Searcher(project.layout, "drsl-c", 0, split).find_images("red rose", 99)
    assert len(answer.hits) == count
    if split != "all":
        assert {hit.item.split for hit in answer.hits} == {split}


def test_a_given_class_counts_as_right(project):
    answer = Searcher(project.layout, "drsl-c", 0).find_images("red rose", 9, expected="blue")
    assert (answer.expected, answer.predicted) == ("blue", False)
    assert [hit.right for hit in answer.hits] == [label == "blue" for label in labels(answer)]


def test_images_are_found_without_the_image_network(project):
    project.layout.network("image").unlink()
    assert len(Searcher(project.layout, "drsl-c", 0).find_images("red rose", 3).hits) == 3


def test_equal_questions_have_equal_answers(project):
    searcher = Searcher(project.layout, "drsl-c", 0)
    first = searcher.find_images("ocean sea", 9)
    searcher.find_images("crimson", 9)
    assert searcher.find_images("ocean sea", 9) == first


# Words


def test_words_that_the_texts_lack_are_looked_up(project):
    answer = Searcher(project.layout, "drsl-c", 0).find_images("ocean", 3)
    assert answer.unknown_words == ()
    assert labels(answer) == ["blue"] * 3


def test_unknown_words_are_told_once_in_their_order(project):
    answer = Searcher(project.layout, "drsl-c", 0).find_images("zebra red qwerty zebra rose", 3)
    assert answer.unknown_words == ("zebra", "qwerty")
    assert labels(answer) == ["red"] * 3


def test_without_the_vectors_file_the_texts_own_words_still_find(project):
    (project.root / "vectors.txt").unlink()
    answer = Searcher(project.layout, "drsl-c", 0).find_images("crimson rose", 3)
    assert answer.unknown_words == ("crimson",)
    assert labels(answer) == ["red"] * 3


def test_the_vectors_file_is_read_for_new_words_only_and_once_each(project):
    told = []
    searcher = Searcher(project.layout, "drsl-c", 0, say=told.append)
    vectors = (project.root / "vectors.txt").read_bytes()
    (project.root / "vectors.txt").write_bytes(b"")
    searcher.find_images("red rose", 3)
    assert told == []
    (project.root / "vectors.txt").write_bytes(vectors)
    first = searcher.find_images("crimson zebra rose", 3)
    assert told == ["the data set's texts do not have 'crimson', 'zebra': looking in vectors.txt"]
    (project.root / "vectors.txt").unlink()
    assert searcher.find_images("crimson zebra rose", 3) == first
    assert first.unknown_words == ("zebra",)
    assert len(told) == 1


def test_vectors_that_cannot_be_read_are_told_and_asked_again(project):
    told = []
    searcher = Searcher(project.layout, "drsl-c", 0, say=told.append)
    path = project.root / "vectors.txt"
    vectors = path.read_bytes()
    for damage, words in ((b"9 8\nred 1 2\n", "line 2 has 2 numbers"), (b"crimson 1 2\n", "of another width")):
        path.write_bytes(damage)
        answer = searcher.find_images("crimson rose", 3)
        assert answer.unknown_words == ("crimson",)
        assert labels(answer) == ["red"] * 3
        assert words in told[-1]
    path.write_bytes(vectors)
    assert searcher.find_images("crimson", 3).unknown_words == ()


def test_the_words_kept_have_a_limit(project, monkeypatch):
    monkeypatch.setattr("drsl.search.searcher._REMEMBERED", 3)
    searcher = Searcher(project.layout, "drsl-c", 0)
    for words in ("ocean lawn", "crimson zebra", "ocean crimson", "a b c d e f ocean"):
        assert set(searcher.find_images(words, 3).unknown_words) == set(words.split()) - {"ocean", "lawn", "crimson"}


def test_a_long_list_of_new_words_is_told_briefly(project):
    told = []
    Searcher(project.layout, "drsl-c", 0, say=told.append).find_images("red " + " ".join("ab" * n for n in range(999)))
    assert len(told[0]) < 200
    assert "and 995 more" in told[0]


def test_with_trained_vectors_no_file_is_looked_for(project):
    project.retrain_text(encode=True, vectors="train", word2vec=Word2vecConfig(dim=8, epochs=5), epochs=5)
    project.fit()
    told = []
    answer = Searcher(project.layout, "drsl-c", 0, say=told.append).find_images("red zebra", 3)
    assert (answer.unknown_words, told) == (("zebra",), [])


@pytest.mark.parametrize("words", ["zebra", "zebra qwerty zebra", "!!!", "", "👩‍🚀"])
def test_no_known_word_is_an_error(project, words):
    with pytest.raises(UserError, match="has a word vector, so nothing can be found with it: use other words"):
        Searcher(project.layout, "drsl-c", 0).find_images(words)


def test_a_very_long_question_is_answered(project):
    assert len(Searcher(project.layout, "drsl-c", 0).find_images("red rose " * 50_000, 3).hits) == 3


# What cannot be asked


def test_an_unknown_split_is_refused(project):
    with pytest.raises(SettingError, match=r"split: 'tests' is not known.*'test'"):
        Searcher(project.layout, "drsl-c", 0, "tests")


def test_an_unknown_class_is_refused_with_the_nearest(project):
    with pytest.raises(SettingError, match=r"class: 'gren' is not known.*'green'"):
        Searcher(project.layout, "drsl-c", 0).find_images("red", expected="gren")


@pytest.mark.parametrize("content", [b"", b"hello"])
def test_what_is_no_picture_is_refused(project, tmp_path, content):
    (tmp_path / "query.jpg").write_bytes(content)
    with pytest.raises(DamagedFile, match=r"query\.jpg is not an image"):
        Searcher(project.layout, "drsl-c", 0).find_texts(tmp_path / "query.jpg")


def test_a_missing_picture_is_named(project, tmp_path):
    with pytest.raises(MissingFile, match=r"gone\.jpg is not there"):
        Searcher(project.layout, "drsl-c", 0).find_texts(tmp_path / "gone.jpg")


@pytest.mark.parametrize(
    ("part", "repair"),
    [
        (lambda layout: layout.run("drsl-c", 0).model, "drsl fit -d squares"),
        (lambda layout: layout.network("text"), "drsl finetune text -d squares"),
        (lambda layout: layout.features("image"), "drsl encode"),
        (lambda layout: layout.manifest, "drsl data prepare -d squares"),
    ],
)
def test_a_stage_that_was_not_run_is_named(project, part, repair):
    part(project.layout).unlink()
    with pytest.raises(MissingFile, match=repair):
        Searcher(project.layout, "drsl-c", 0).find_images("red rose")


def test_another_seed_was_not_fitted(project):
    with pytest.raises(MissingFile, match=r"drsl-c/7\.safetensors is not there: run `drsl fit -d squares -m .* -s 7`"):
        Searcher(project.layout, "drsl-c", 7).find_images("red rose")


# What no longer belongs together


def stale(project, question=lambda searcher: searcher.find_images("red rose")):
    with pytest.raises(StaleFile) as info:
        question(Searcher(project.layout, "drsl-c", 0))
    assert "\n" not in str(info.value)
    return str(info.value)


def test_other_image_features_than_the_method_was_fitted_on_are_refused(project):
    path = project.layout.features("image")
    features = read_features(path)
    write_features(path, replace(features, feature=features.feature + 1))
    assert stale(project) == (
        "results/squares/drsl-c/0.safetensors was fitted on other image features than features/squares/image.h5: "
        "run `drsl fit -d squares -m drsl-c -s 0`"
    )


def test_another_text_network_than_the_method_was_fitted_on_is_refused(project):
    project.retrain_text(seed=1, epochs=1)
    told = stale(project)
    assert "fitted on text features of another network than models/squares/text.safetensors" in told
    assert "`drsl encode text -d squares` and then `drsl fit -d squares -m drsl-c -s 0`" in told
    project.retrain_text(encode=True, seed=1, epochs=1)  # as told
    assert "another network" in stale(project)
    project.fit()
    assert len(Searcher(project.layout, "drsl-c", 0).find_images("red rose", 3).hits) == 3


def test_the_same_text_network_made_again_is_taken(project):
    before = Searcher(project.layout, "drsl-c", 0).find_images("red rose")
    project.retrain_text()
    assert Searcher(project.layout, "drsl-c", 0).find_images("red rose") == before


@pytest.mark.parametrize("change", [lambda items: items[:-1], lambda items: items[::-1]])
def test_another_manifest_is_refused(project, change):
    manifest = read_manifest(project.layout.manifest)
    write_manifest(project.layout.manifest, change(manifest.items))
    told = stale(project)
    assert "models/squares/text.safetensors is stale: manifest_digest was" in told
    project.retrain_text(encode=True, epochs=1)
    project.fit()
    assert "features/squares/image.h5 is stale: manifest_digest was" in stale(project)
