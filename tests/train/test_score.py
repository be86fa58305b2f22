"""Scores in blocks: equal to the scores in one piece, whatever the block's size."""

import numpy as np
import pytest
import torch

from drsl.evaluate.ranking import rank
from drsl.features.errors import UserError
from drsl.train import score as score_module
from drsl.train import top_k
from drsl.train.config import FUSIONS
from drsl.train.model import DrslModel
from drsl.train.score import model_blocks, score_blocks


def model_of(config):
    torch.manual_seed(0)
    model = DrslModel(config, 8, 5)
    model(torch.randn(6, 8), torch.randn(4, 5))  # running statistics have seen something
    return model.eval()


def score_matrix(model, image, text, rows=512):
    """All blocks together."""
    blocks = [block for _, block in model_blocks(model, image, text, rows)()]
    return np.concatenate(blocks) if blocks else np.empty((0, len(text)), np.float32)


def features(images=7, texts=4):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(images, 8, generator=generator), torch.randn(texts, 5, generator=generator)


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 512])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_blocks_of_any_size_give_the_scores_of_one_piece(fusion, batch_norm, rows, tiny_config):
    model = model_of(tiny_config(fusion, fnn_batch_norm=batch_norm, relation_batch_norm=batch_norm))
    scores = score_matrix(model, *features(), rows=rows)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, model(*features()).detach().numpy(), rtol=0, atol=1e-6)


def test_scoring_is_done_in_evaluation_mode_and_twice_the_same(tiny_config):
    model = model_of(tiny_config(fnn_batch_norm=True, relation_batch_norm=True))
    expected = score_matrix(model, *features())
    state = {key: each.clone() for key, each in model.state_dict().items()}
    model.train()
    blocks = model_blocks(model, *features())
    for _ in range(2):
        np.testing.assert_array_equal(next(blocks())[1], expected)
    torch.testing.assert_close(model.state_dict(), state, rtol=0, atol=0)


def test_gradients_stay_switched_on(tiny_config):
    score_matrix(model_of(tiny_config()), *features())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(("images", "texts"), [(0, 4), (7, 0), (0, 0), (1, 1), (1, 4), (7, 1)])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_few_items(fusion, images, texts, tiny_config):
    model = model_of(tiny_config(fusion))
    scores = score_matrix(model, *features(images, texts), rows=3)
    assert scores.shape == (images, texts)
    np.testing.assert_allclose(scores, model(*features(images, texts)).detach().numpy(), rtol=0, atol=1e-6)


class Product:
    """A method whose scores are inner products; remembers how many images it was asked for."""

    def __init__(self):
        self.asked = []

    name = "product"

    def represent(self, modality, feature):
        return 2 * feature

    def relate(self, images, texts):
        self.asked.append(len(images))
        return images @ texts.T / 4


@pytest.mark.parametrize(("rows", "blocks"), [(3, [3, 3, 1]), (7, [7]), (512, [7]), (1, [1] * 7)])
def test_blocks_of_any_method(rows, blocks):
    draw = np.random.default_rng(0)
    image, text = (draw.standard_normal((n, 4)).astype(np.float32) for n in (7, 5))
    method, calls = Product(), []
    found = list(score_blocks(method, image, text, rows, progress=lambda *each: calls.append(each)))
    assert method.asked == blocks
    assert [first for first, _ in found] == [sum(blocks[:place]) for place in range(len(blocks))]
    np.testing.assert_allclose(np.concatenate([block for _, block in found]), image @ text.T, rtol=1e-5)
    assert calls == [(sum(blocks[: place + 1]), 7, "") for place in range(len(blocks))]


def test_no_images_are_no_blocks():
    assert list(score_blocks(Product(), np.empty((0, 4), np.float32), np.empty((5, 4), np.float32))) == []


@pytest.mark.parametrize("columns", [1, 3, 4096])
@pytest.mark.parametrize("k", [1, 4, 60])
@pytest.mark.parametrize("directions", ["i2t", "t2i", "both"])
def test_the_best_of_a_stream_are_those_of_the_whole_ranking(directions, k, columns, monkeypatch):
    monkeypatch.setattr(score_module, "_IMAGES", 5)
    draw = np.random.default_rng(0)
    image, text = (draw.integers(-2, 3, (n, 4)).astype(np.float32) for n in (23, 17))  # many equal scores
    calls = []
    found = top_k(Product(), image, text, k, directions, columns, progress=lambda *each: calls.append(each))
    scores = {"i2t": image @ text.T, "t2i": text @ image.T}
    assert set(found) == ({"i2t", "t2i"} if directions == "both" else {directions})
    for direction, best in found.items():
        expected = rank(scores[direction])[:, :k]
        np.testing.assert_array_equal(best.position, expected)
        np.testing.assert_array_equal(best.score, np.take_along_axis(scores[direction], expected, axis=1))
    assert calls[-1] == (17, 17, "")


def test_the_best_by_a_fitted_method(make_method, name, toy):
    method = make_method(name).fit(*toy, seed=0)
    image, text = (each.select("test").feature for each in toy)
    scores = method.score(image, text)
    best = top_k(method, image, text, 7, columns=8)
    near = {"rtol": 1e-3 if name == "ccl" else 1e-5, "atol": 1e-6}  # ccl standardises twice: it magnifies rounding
    np.testing.assert_allclose(best["i2t"].score, -np.sort(-scores, axis=1)[:, :7], **near)
    np.testing.assert_allclose(best["t2i"].score, -np.sort(-scores.T, axis=1)[:, :7], **near)


def test_a_method_that_broke_is_named():
    image = np.full((3, 4), np.nan, np.float32)
    with pytest.raises(UserError, match="product gives scores that are NaN or infinite"):
        top_k(Product(), image, np.ones((2, 4), np.float32), 1)
