"""MCSM: the hinge by a loop, negatives of other classes, two spaces and their fusion."""

import numpy as np
import torch

from drsl.train.methods.mcsm import hinge, min_max, of_another_class


def unit(rows, dim, seed):
    found = np.random.default_rng(seed).standard_normal((rows, dim))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_the_hinge_is_that_of_a_loop():
    query, other, wrong = unit(6, 4, 0), unit(6, 4, 1), np.array([1, 0, 5, -1, 2, 3])
    total = 0.0
    for p, q in enumerate(wrong):
        if q >= 0:
            total += max(0.0, 0.5 - query[p] @ other[p] + query[p] @ other[q])
    found = hinge(*(torch.from_numpy(each) for each in (query, other, wrong)), 0.5)
    np.testing.assert_allclose(float(found), total / 6, rtol=1e-12)


def test_negatives_are_of_another_class_and_any_of_them():
    torch.manual_seed(0)
    label = torch.tensor([0, 0, 1, 2, 1, 0])
    drawn = torch.stack([of_another_class(label) for _ in range(300)])
    assert (label[drawn] != label).all()
    assert set(drawn[:, 0].tolist()) == {2, 3, 4}
    assert (of_another_class(torch.zeros(4, dtype=torch.int64)) == -1).all()


def test_a_batch_of_one_class_has_no_hinge():
    query = torch.from_numpy(unit(4, 3, 0))
    assert float(hinge(query, query, of_another_class(torch.ones(4, dtype=torch.int64)), 0.5)) == 0


def test_min_max_goes_from_0_to_1_and_no_further():
    found = min_max(np.array([[-2.0, -1.0, 0.0, 1.0, 2.0]]), np.array([[-1.0]]), np.array([[1.0]]))
    np.testing.assert_allclose(found, [[0, 0, 0.5, 1, 1]])
    assert np.isfinite(min_max(np.ones((1, 2)), np.ones((1, 1)), np.ones((1, 1)))).all()


def spaces(method, toy):
    dim = method.config.dim
    image, text = (
        method.represent(side, each.select("test").feature) for side, each in zip(("image", "text"), toy, strict=True)
    )
    similar = [image[:, part] @ text[:, part].T for part in (slice(dim), slice(dim, 2 * dim))]
    return image[:, 2 * dim :], text[:, 2 * dim :], similar


def test_the_fusion_weighs_each_similarity_by_the_other(make_method, toy):
    method = make_method("mcsm", weight=[0.3]).fit(*toy, seed=0)
    image, text, (first, second) = spaces(method, toy)
    scores = method.score(*(each.select("test").feature for each in toy))
    for p, q in ((0, 0), (3, 7), (29, 11)):

        def scaled(value, ends):
            return min(max((value - ends[0]) / (ends[1] - ends[0]), 0), 1)

        of_first = (scaled(first[p, q], image[p, :2]) + scaled(first[p, q], text[q, :2])) / 2
        of_second = (scaled(second[p, q], image[p, 2:]) + scaled(second[p, q], text[q, 2:])) / 2
        expected = 0.3 * of_first * (second[p, q] + 1) / 2 + 0.7 * of_second * (first[p, q] + 1) / 2
        np.testing.assert_allclose(scores[p, q], expected, rtol=1e-4)


def test_a_query_knows_its_least_and_largest_similarity_to_training_items(make_method, toy):
    method = make_method("mcsm", references=90).fit(*toy, seed=0)
    image, text = toy[0].select("test"), toy[1].select("train")
    dim = method.config.dim
    query, other = method.represent("image", image.feature), method.represent("text", text.feature)
    for space in range(2):
        part = slice(space * dim, (space + 1) * dim)
        similar = query[:, part] @ other[:, part].T
        ends = query[:, 2 * dim + 2 * space :][:, :2]
        np.testing.assert_allclose(ends, np.stack([similar.min(axis=1), similar.max(axis=1)], axis=1), atol=1e-5)


def test_the_weight_is_the_best_on_val(make_method, toy):
    method = make_method("mcsm").fit(*toy, seed=0)
    chosen = float(method.model.weight)
    best = method.best_val_map
    for weight in method.config.weight:
        method.model.weight.fill_(weight)
        blocks = [(0, method.score(*(each.select("val").feature for each in toy)))]
        assert method._val_map(*toy, blocks) <= best + 1e-9
    assert chosen in np.float32(method.config.weight)
    assert best > 0.5


def test_the_two_spaces_share_nothing(make_method, toy):
    method = make_method("mcsm").fit(*toy, seed=0)
    image, text = (method.represent(side, each.feature) for side, each in zip(("image", "text"), toy, strict=True))
    dim = method.config.dim
    assert not np.allclose(image[:, :dim], image[:, dim : 2 * dim])
    assert (image[:, dim : 2 * dim] >= 0).all()  # behind the logistic function
    assert (text[:, dim : 2 * dim] < 0).any()
