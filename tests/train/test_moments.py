"""Sums of training items against plain numpy, whatever the blocks; and the principal components."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drsl.features.errors import UserError
from drsl.train import moments
from drsl.train.moments import training_moments


@pytest.fixture(scope="module")
def problem(as_features):
    """37 images and 29 texts of three splits, of which some are couples, in other orders."""
    draw = np.random.default_rng(0)
    image = as_features(
        draw.standard_normal((37, 6)) + 5,
        np.arange(37) % 3,
        draw.choice(3, 37, p=[0.7, 0.15, 0.15]),
        [f"item-{each}" for each in draw.permutation(40)[:37]],
    )
    text = as_features(
        draw.standard_normal((29, 4)) - 2,
        np.arange(29) % 3,
        draw.choice(3, 29, p=[0.7, 0.15, 0.15]),
        [f"item-{each}" for each in draw.permutation(40)[:29]],
    )
    return image, text


def check_view(view, rows, label):
    """Against two lines of numpy."""
    rows = rows.astype(np.float64)
    centred = rows - rows.mean(axis=0)
    assert view.count == len(rows)
    assert view.basis is None
    np.testing.assert_allclose(view.mean, rows.mean(axis=0), rtol=0, atol=1e-12)
    np.testing.assert_allclose(view.scatter, centred.T @ centred, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(view.class_count, [(label == each).sum() for each in range(3)])
    sums = [centred[label == each].sum(axis=0) for each in range(3)]
    np.testing.assert_allclose(view.class_sum, sums, rtol=0, atol=1e-10)


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 40))
def test_the_sums_are_numpys_whatever_the_blocks(problem, rows):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moments, "_ROWS", rows)
        found = training_moments(*problem)
        for view, features in zip((found.image, found.text), problem, strict=True):
            train = features.split == 0
            check_view(view, features.feature[train], features.label[train])
        assert found.cross is None


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 40))
def test_couples_alone_are_summed_where_sides_differ(problem, rows):
    image, text = problem
    place = {each: row for row, each in enumerate(text.id) if text.split[row] == 0}
    pairs = [(row, place[each]) for row, each in enumerate(image.id) if image.split[row] == 0 and each in place]
    left, right = np.array(pairs).T
    assert 3 < len(pairs) < min((image.split == 0).sum(), (text.split == 0).sum())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moments, "_ROWS", rows)
        found = training_moments(image, text, method="cca")
    check_view(found.image, image.feature[left], image.label[left])
    check_view(found.text, text.feature[right], text.label[right])
    sides = [each.astype(np.float64) for each in (image.feature[left], text.feature[right])]
    expected = (sides[0] - sides[0].mean(axis=0)).T @ (sides[1] - sides[1].mean(axis=0))
    np.testing.assert_allclose(found.cross, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("energy", [0.3, 0.9, 0.999999])
@pytest.mark.parametrize("rows", [2048, 5])
def test_the_basis_is_that_of_a_singular_value_decomposition(as_features, monkeypatch, energy, rows):
    monkeypatch.setattr(moments, "_ROWS", rows)
    draw = np.random.default_rng(1)
    wide = as_features(draw.standard_normal((12, 30)) * np.linspace(0.1, 3, 30) + 1, np.arange(12) % 2)
    narrow = as_features(draw.standard_normal((12, 5)))
    found = training_moments(wide, narrow, method="gma", energy=energy)
    centred = wide.feature.astype(np.float64) - wide.feature.mean(axis=0, dtype=np.float64)
    value, vector = np.linalg.svd(centred, full_matrices=False)[1:]
    share = np.cumsum(value**2) / (value**2).sum()
    basis = found.image.basis
    count = basis.shape[1]
    assert share[count - 1] >= energy - 1e-12
    assert count == 1 or share[count - 2] < energy
    np.testing.assert_allclose(basis.T @ basis, np.eye(count), rtol=0, atol=1e-10)
    np.testing.assert_allclose(basis @ basis.T, vector[:count].T @ vector[:count], rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.image.scatter, np.diag(value[:count] ** 2), rtol=0, atol=1e-9)
    scores = centred @ basis
    sums = [scores[each::2].sum(axis=0) for each in (0, 1)]
    np.testing.assert_allclose(found.image.class_sum, sums, rtol=0, atol=1e-10)
    # A side with fewer features than items stays as it is.
    assert found.text.basis is None
    other = narrow.feature - narrow.feature.mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(found.cross, scores.T @ other, rtol=0, atol=1e-10)


def test_directions_are_lifted_to_the_features(as_features):
    draw = np.random.default_rng(2)
    wide, narrow = as_features(draw.standard_normal((8, 20))), as_features(draw.standard_normal((8, 3)))
    found = training_moments(wide, narrow, energy=0.9)
    some = draw.standard_normal((found.image.basis.shape[1], 2))
    np.testing.assert_allclose(found.image.lift(some), found.image.basis @ some)
    np.testing.assert_array_equal(found.text.lift(some[:3]), some[:3])


def test_what_is_constant_has_one_component(as_features):
    found = training_moments(as_features(np.ones((3, 5))), as_features(np.ones((3, 5))), energy=0.9)
    assert found.image.basis.shape == (5, 1)
    np.testing.assert_array_equal(found.image.scatter, [[0]])


def test_val_and_test_items_are_not_looked_at(problem):
    changed = [
        type(each)(each.id, np.where(each.split[:, None] == 0, each.feature, 1e9), each.label, each.split, each.classes)
        for each in problem
    ]
    one, other = training_moments(*problem, method="cca"), training_moments(*changed, method="cca")
    np.testing.assert_array_equal(one.image.scatter, other.image.scatter)
    np.testing.assert_array_equal(one.cross, other.cross)


def test_memory_is_that_of_the_sums_and_one_block(as_features, monkeypatch):
    monkeypatch.setattr(moments, "_ROWS", 100)
    image, text = as_features(np.ones((20_000, 40))), as_features(np.ones((20_000, 30)))
    tracemalloc.start()
    training_moments(image, text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Rows and labels are whole numbers, 8 bytes each; the features in float64 would be 11 MB.
    assert peak < 2e6, peak


def test_a_side_without_items_is_said(problem):
    image, text = problem
    none = type(text)(text.id, text.feature, text.label, np.full(len(text), 2, np.uint8), text.classes)
    for energy in (1.0, 0.5):
        with pytest.raises(UserError, match="the train split has no text"):
            training_moments(image, none, energy=energy)
    with pytest.raises(UserError, match="gma learns from items that have both"):
        training_moments(image, none, method="gma")
