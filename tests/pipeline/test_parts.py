"""`drsl encode --parts` and what `drsl features` says of its files, as a user types them; then wrong input."""

import numpy as np
import pytest

from drsl.features import open_parts, read_features
from drsl.features.freshness import require_parts_of
from drsl.features.parts import KINDS

D = ("-d", "colors")


@pytest.fixture(scope="module")
def folder(project):
    """Where the feature files are; some more settings, and texts of more than one sentence."""
    params = project / "params.yaml"
    params.write_text(
        params.read_text().replace("    drsl:", "    parts: {sentences: {max_sentences: 3}}\n    drsl:", 1)
    )
    manifest = project / "data" / "colors" / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("red fruit 4", "red. fruit! 4? red fruit"))
    return project / "features" / "colors"


def test_parts_need_a_trained_network(drsl, folder):
    drsl("encode", "image", "--parts", "grid", *D).refused("models/colors/image.safetensors", "drsl finetune image")
    assert not folder.exists()


def test_stage_one(drsl, folder):
    for modality in ("image", "text"):
        assert drsl("finetune", modality, *D).code == 0
        assert drsl("encode", modality, *D).code == 0


@pytest.mark.parametrize(
    ("kind", "shape"), [("grid", (1, 512)), ("patches", (10, 4096)), ("words", (5,)), ("sentences", (3, 300))]
)
def test_each_kind(drsl, folder, kind, shape):
    modality = KINDS[kind].modality
    found = drsl("encode", modality, "--parts", kind, *D)
    assert (found.code, found.err) == (0, "")
    path = folder / f"{modality}.{kind}.h5"
    assert f"wrote features/colors/{modality}.{kind}.h5" in found.out
    assert " x ".join(str(each) for each in (30, *shape)) in found.out
    parts, features = open_parts(path, verify=True), read_features(folder / f"{modality}.h5")
    assert parts.part.shape == (30, *shape)
    require_parts_of(folder / f"{modality}.h5", features, path, parts)
    if kind != "patches":  # which take seconds
        before = path.read_bytes()
        assert drsl("encode", modality, "--parts", kind, *D).code == 0
        assert path.read_bytes() == before


def test_parts_belong_to_the_features(folder):
    sentences, features = open_parts(folder / "text.sentences.h5"), read_features(folder / "text.h5")
    place = features.id.tolist().index("red-4")
    assert np.asarray(sentences.mask).sum(axis=1).tolist() == [3 if row == place else 1 for row in range(30)]
    one = np.delete(np.arange(30), place)  # a text of one sentence is that sentence
    np.testing.assert_allclose(sentences.part[one, 0], features.feature[one], rtol=1e-3, atol=1e-3)
    words = open_parts(folder / "text.words.h5")
    table = ["", *words.words]
    assert [table[each] for each in words.part[place]] == ["red", "fruit", "", "red", "fruit"]
    assert not (folder / "image.parts.h5").exists()


def test_features_commands_understand_parts(drsl, folder):
    shown = drsl("features", "show", folder / "image.patches.h5").out
    for words in ("patches", "30 of 10 x 4096 float16", "10 to 10, mean 10", "vgg19_bn", '"share": 0.5'):
        assert words in shown
    assert shown.splitlines()[-2].split() == ["red", "6", "2", "2", "10"]
    assert shown.splitlines()[-1].split() == ["all", "18", "6", "6", "30"]
    assert "6, vectors of width 20" in drsl("features", "show", folder / "text.words.h5").out
    found = drsl("features", "verify", *sorted(folder.glob("*.h5")))
    assert found.code == 0, found.err
    assert found.out.count("whole, 30 rows") == 6
    same = drsl("features", "diff", folder / "image.grid.h5", folder / "image.grid.h5")
    assert (same.code, same.out) == (0, "equal: ids, labels, splits and all values\n")
    other = drsl("features", "diff", folder / "image.grid.h5", folder / "image.patches.h5")
    assert (other.code, other.out) == (1, "kind: grid and patches\n")
    mixed = drsl("features", "diff", folder / "image.grid.h5", folder / "image.h5")
    mixed.refused("cannot be compared", "image.grid.h5", "image.h5")


def test_damage_is_found(drsl, folder):
    path = folder / "image.patches.h5"
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    try:
        path.write_bytes(damaged)
        drsl("features", "verify", path).refused(
            str(path), "was changed", "drsl encode image --parts patches -d colors"
        )
        path.write_bytes(whole[:1000])
        drsl("features", "show", path).refused(str(path), "drsl encode image --parts patches -d colors")
        path.unlink()
        drsl("features", "show", path).refused(str(path), "is not there", "--parts patches")
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("image", "--parts", "grit"), ("parts of images: 'grit'", "did you mean 'grid'")),
        (("text", "--parts", "grid"), ("parts of texts: 'grid'", "sentences, words")),
        (("picture", "--parts", "grid"), ("modality: 'picture'",)),
    ],
)
def test_wrong_words(drsl, folder, arguments, words):
    drsl("encode", *arguments, *D).refused(*words)


@pytest.mark.parametrize(
    ("before", "after", "kind", "words"),
    [
        ("max_sentences: 3", "max_sentence: 3", "sentences", ("parts.sentences.max_sentence", "did you mean")),
        ("max_sentences: 3", "max_sentences: 0", "sentences", ("parts.sentences.max_sentences: 0 must be positive",)),
        ("maps: 100", "maps: 99", "words", ("settings.maps was 100, now 99", "drsl finetune text")),
    ],
)
def test_wrong_or_changed_settings(drsl, project, folder, before, after, kind, words):
    path, out = project / "params.yaml", folder / f"text.{kind}.h5"
    good, kept = path.read_text(), out.read_bytes()
    try:
        path.write_text(good.replace(before, after, 1))
        drsl("encode", "text", "--parts", kind, *D).refused(*words)
    finally:
        path.write_text(good)
    assert out.read_bytes() == kept
