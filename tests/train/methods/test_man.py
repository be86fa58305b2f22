"""MAN's criterion against scipy and loops, and the two players' turns."""

import numpy as np
import pytest
import scipy.linalg
import torch

from drsl.train.methods.man import discriminant, eigenvalues, scatters
from drsl.train.methods.network import Batch


class FirstCoordinate(torch.nn.Module):
    """A discriminator that takes the first coordinate for the probability of a text."""

    def forward(self, vectors):
        return torch.stack([1 - vectors[:, 0], vectors[:, 0]], dim=1)


@pytest.fixture
def drawn():
    """Vectors (30, 4) of four classes, float64, and their labels."""
    draw = np.random.default_rng(0)
    label = np.arange(30) % 4
    return torch.from_numpy(draw.standard_normal((4, 4))[label] + draw.standard_normal((30, 4))), torch.tensor(label)


def loops(vectors, label, phi):
    """Both scatters, class by class, item by item."""
    vectors, label = vectors.numpy(), label.numpy()
    between, within = np.zeros((4, 4)), np.zeros((4, 4))
    for each in np.unique(label):
        mean = vectors[label == each].mean(axis=0)
        away = phi(vectors.mean(axis=0) - mean)
        between += (label == each).sum() * np.outer(away, away)
        for row in vectors[label == each]:
            within += np.outer(row - mean, row - mean)
    return between, within


@pytest.mark.parametrize("shrink", [True, False])
def test_scatters_are_those_of_the_loops(drawn, shrink):
    between, within, present = scatters(*drawn, shrink)
    expected = loops(*drawn, (lambda x: np.sign(x) * np.log(1 + np.abs(x))) if shrink else (lambda x: x))
    np.testing.assert_allclose(between.numpy(), expected[0], rtol=0, atol=1e-10)
    np.testing.assert_allclose(within.numpy(), expected[1], rtol=0, atol=1e-10)
    assert present == 4


def test_eigenvalues_are_scipys(drawn):
    between, within, _ = scatters(*drawn)
    expected = scipy.linalg.eigh(between.numpy(), within.numpy(), eigvals_only=True)
    np.testing.assert_allclose(eigenvalues(between, within).numpy(), expected, rtol=0, atol=1e-12)


def test_without_phi_it_is_discriminant_analysis(drawn):
    """The eigenvalues of S_w^-1 S_b; one less than the classes."""
    between, within = loops(*drawn, lambda x: x)
    found = np.sort(np.linalg.eigvals(np.linalg.solve(within + 1e-3 * np.eye(4), between)).real)[1:]
    expected = -np.log(found).mean()
    assert float(discriminant(*drawn, 1e-3, shrink=False)) == pytest.approx(expected, abs=1e-10)


def test_classes_that_are_not_there_take_no_part(drawn):
    vectors, label = drawn
    some = label < 2
    between, within, present = scatters(vectors[some], label[some])
    assert present == 2
    largest = scipy.linalg.eigh(between.numpy(), within.numpy() + 1e-3 * np.eye(4), eigvals_only=True)[-1]
    assert float(discriminant(vectors[some], label[some], 1e-3)) == pytest.approx(-np.log(largest), abs=1e-10)
    one = label < 1
    assert float(discriminant(vectors[one], label[one], 1e-3)) == 0


def test_gradients_are_finite_at_equal_eigenvalues(drawn):
    vectors, label = drawn
    assert torch.autograd.gradcheck(lambda each: discriminant(each, label, 1e-3), (vectors.requires_grad_(),))
    corners = torch.eye(4, dtype=torch.float64).repeat(3, 1).requires_grad_()  # three equal eigenvalues
    loss = discriminant(corners, torch.arange(4).repeat(3), 1e-3)
    loss.backward()
    assert torch.isfinite(corners.grad).all()


def test_each_player_moves_its_own_weights(make_method):
    method = make_method("man")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = method._build((6, 5), 3)
        batch = Batch(torch.rand(9, 6), torch.rand(9, 5), *[torch.arange(9) % 3] * 2, 0.0)
    before = {name: each.clone() for name, each in model.named_parameters()}
    optimizers = method._optimizers(model)
    owned = [id(each) for one in optimizers.values() for group in one.param_groups for each in group["params"]]
    assert sorted(owned) == sorted(map(id, model.parameters()))
    found = method._step(model, {**optimizers, "all": torch.optim.SGD(model.parameters(), 0.0)}, batch)
    assert set(found) == set(method.terms)
    for name, each in model.named_parameters():
        assert torch.equal(before[name], each) == (not name.startswith("discriminator")), name


def test_the_two_aims_are_opposite(make_method):
    with torch.random.fork_rng(devices=[]):
        model = make_method("man")._build((6, 5), 3)
    vectors = torch.zeros(4, 3), torch.ones(5, 3)
    model.discriminator = FirstCoordinate()
    assert float(model.told(vectors, as_other=False)) == 0
    assert float(model.told(vectors, as_other=True)) == pytest.approx(2)  # half of 1 + 1, for each modality
