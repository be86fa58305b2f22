"""DSCMR's three terms against loops and closed cases."""

import math

import pytest
import torch

from drsl.train.methods.dscmr import pair_likelihood
from drsl.train.methods.network import Batch


def vectors(count, width, seed):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(count, width, generator=draw, dtype=torch.float64)


def test_the_likelihood_of_pairs_is_that_of_the_loops():
    left, right, label = vectors(5, 4, 0), vectors(5, 4, 1), torch.tensor([0, 1, 0, 2, 1])
    expected = 0.0
    for p in range(5):
        for q in range(5):
            half = float(left[p] @ right[q] / left[p].norm() / right[q].norm()) / 2
            expected += (math.log(1 + math.exp(half)) - (half if label[p] == label[q] else 0)) / 25
    assert float(pair_likelihood(left, right, label)) == pytest.approx(expected, abs=1e-12)


def test_the_likelihood_has_its_gradient():
    left, right = vectors(4, 3, 0).requires_grad_(), vectors(4, 3, 1).requires_grad_()
    label = torch.tensor([0, 1, 0, 1])
    assert torch.autograd.gradcheck(lambda *sides: pair_likelihood(*sides, label), (left, right))


@pytest.fixture
def model_of(make_method):
    """A method and its untrained model for two views of equal width, and one batch."""

    def build(**settings):
        method = make_method("dscmr", **settings)
        method.classes = 3
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            model = method._build((6, 6), 3).double()
        label = torch.tensor([0, 1, 2, 0, 1])
        return method, model, Batch(vectors(5, 6, 2), vectors(5, 6, 3), label, label, 0.0)

    return build


@torch.no_grad()
def test_identical_views_have_no_distance(model_of):
    method, model, batch = model_of(beta=1.0)
    model.text.load_state_dict(model.image.state_dict())
    same = batch._replace(text=batch.image)
    assert float(method._losses(model, same)["couple"]) == pytest.approx(1e-6)  # the root of what is added
    assert float(method._losses(model, batch)["couple"]) > 0.01


@torch.no_grad()
def test_lengths_are_means_over_items_not_squared(model_of):
    method, model, batch = model_of(alpha=0.0, beta=0.5)
    u, v = model.embed("image", batch.image), model.embed("text", batch.text)
    label = couple = 0.0
    for p in range(5):
        one_hot = torch.eye(3, dtype=torch.float64)[batch.image_label[p]]
        label += sum(float((model.classifier(each[p]) - one_hot).norm()) for each in (u, v)) / 5
        couple += float((u[p] - v[p]).norm()) / 5
    found = method._losses(model, batch)
    assert float(found["label"]) == pytest.approx(label, abs=1e-9)
    assert float(found["couple"]) == pytest.approx(couple / 2, abs=1e-9)
    assert float(found["pair"]) == 0


def test_the_shared_layers_learn_from_both_sides(model_of):
    method, model, batch = model_of()
    embedded = model.embed("text", batch.text)
    torch.testing.assert_close(embedded, model.shared(model.text(batch.text)))
    torch.stack([*method._losses(model, batch).values()]).sum().backward()
    assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in model.parameters())
