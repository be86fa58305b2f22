"""MvDA against scatter by brute force, scikit-learn's LDA, and what must not change its projections."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from drsl.features import Features
from drsl.features.errors import SettingError, UserError
from drsl.train import get_method
from drsl.train.methods.mvda import class_scatter, discriminant_directions
from drsl.train.moments import training_moments

CLASSES = 4


def view(rows, dim, seed, mean=0.0):
    """Features of one side whose classes differ; all items train."""
    draw = np.random.default_rng(seed)
    label = draw.permutation(np.arange(rows) % CLASSES)
    feature = draw.standard_normal((rows, dim)) @ draw.standard_normal((dim, dim)) + mean
    feature += 2 * draw.standard_normal((CLASSES, dim))[label]
    return Features(
        id=np.array([f"{seed}-{row}" for row in range(rows)], dtype=object),
        feature=feature.astype(np.float32),
        label=label,
        split=np.zeros(rows, np.uint8),
        classes=tuple("abcd"),
    )


@pytest.fixture
def sides():
    """A side of 60 items and one of 50, which are no couples."""
    return view(60, 7, 1, mean=3.0), view(50, 5, 2)


def brute_force(image, text, projection):
    """Within and between scatter of the projected items of both sides, about means over both."""
    split = image.feature.shape[1]
    parts = []
    for each, part in ((image, projection[:split]), (text, projection[split:])):
        feature = each.feature.astype(np.float64)
        parts.append((feature - feature.mean(axis=0)) @ part)
    z, label = np.concatenate(parts), np.concatenate([image.label, text.label])
    within = between = 0
    for number in range(CLASSES):
        own = z[label == number]
        mean = own.mean(axis=0)
        within = within + (own - mean).T @ (own - mean)
        between = between + len(own) * np.outer(mean - z.mean(axis=0), mean - z.mean(axis=0))
    return within, between


def directions(image, text, ridge=0.0):
    moments = training_moments(image, text)
    return moments, *discriminant_directions(*class_scatter(moments), ridge, 100)


def test_scatter_of_class_sums_is_that_of_the_projected_items(sides):
    within, between = class_scatter(training_moments(*sides))
    projection = np.random.default_rng(0).standard_normal((12, 6))
    for found, expected in zip((within, between @ between.T), brute_force(*sides, projection), strict=True):
        found = projection.T @ found @ projection
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_the_between_scatter_has_one_rank_less_than_classes(sides):
    _, between = class_scatter(training_moments(*sides))
    assert np.linalg.matrix_rank(between @ between.T) == CLASSES - 1


@pytest.mark.parametrize("ridge", [0.0, 3.0])
def test_the_fast_route_solves_the_generalised_eigenvalue_problem(sides, ridge):
    moments, found, strength = directions(*sides, ridge)
    within, between = class_scatter(moments)
    within[np.diag_indices_from(within)] += ridge
    value, vector = scipy.linalg.eigh(between @ between.T, within)
    assert found.shape == (12, CLASSES - 1)
    np.testing.assert_allclose(strength**2, value[::-1][: CLASSES - 1], rtol=1e-10)
    np.testing.assert_allclose(found.T @ within @ found, np.eye(CLASSES - 1), rtol=0, atol=1e-12)
    cosine = np.sum(found * (within @ vector[:, ::-1][:, : CLASSES - 1]), axis=0)
    np.testing.assert_allclose(np.abs(cosine), 1, rtol=0, atol=1e-10)


def test_one_view_is_linear_discriminant_analysis(sides):
    """The other side has no items of its own spread: its scatter is 0 and so is its part."""
    image, text = sides
    moments = training_moments(image, text)
    empty = replace(
        moments.text,
        scatter=np.eye(5),
        class_count=np.zeros(CLASSES),
        class_sum=np.zeros((CLASSES, 5)),
    )
    found, strength = discriminant_directions(*class_scatter(replace(moments, text=empty)), 0.0, 100)
    np.testing.assert_allclose(found[7:], 0, rtol=0, atol=1e-12)
    lda = LinearDiscriminantAnalysis(solver="eigen").fit(image.feature.astype(np.float64), image.label)
    expected = lda.scalings_[:, : CLASSES - 1]
    assert np.rad2deg(scipy.linalg.subspace_angles(found[:7], expected)).max() < 1e-6
    share = strength**2 / (strength**2).sum()
    np.testing.assert_allclose(share, lda.explained_variance_ratio_[: CLASSES - 1], rtol=1e-8)


def test_projections_do_not_change_when_a_side_is_mapped_by_an_invertible_matrix(sides):
    draw = np.random.default_rng(5)
    # In float32 the mapped features would be rounded, so that the sums are mapped.
    moments, found, _ = directions(*sides)
    maps = [np.linalg.qr(draw.standard_normal((dim, dim)))[0] * draw.uniform(0.5, 2, dim) for dim in (7, 5)]
    mapped = [
        replace(each, scatter=by.T @ each.scatter @ by, class_sum=each.class_sum @ by)
        for each, by in zip((moments.image, moments.text), maps, strict=True)
    ]
    other, _ = discriminant_directions(*class_scatter(replace(moments, image=mapped[0], text=mapped[1])), 0.0, 100)
    other *= np.sign(np.sum(found * (scipy.linalg.block_diag(*maps) @ other), axis=0))
    np.testing.assert_allclose(scipy.linalg.block_diag(*maps) @ other, found, rtol=0, atol=1e-12 * np.abs(found).max())


def test_identical_sides_have_identical_projections(sides):
    image, _ = sides
    _, found, _ = directions(image, image)
    np.testing.assert_allclose(found[:7], found[7:], rtol=0, atol=1e-13 * np.abs(found).max())


def test_a_class_without_training_items_is_left_out(sides):
    image, text = (replace(each, classes=(*each.classes, "e")) for each in sides)
    np.testing.assert_array_equal(directions(image, text)[1], directions(*sides)[1])


def test_it_needs_two_classes(sides):
    with pytest.raises(UserError, match="mvda needs two or more classes in the train split"):
        get_method("mvda").fit(*[replace(each, label=np.zeros(len(each), np.int64)) for each in sides])


def test_dependent_features_need_a_ridge(sides):
    image, text = sides
    image = replace(image, feature=np.concatenate([image.feature, image.feature], axis=1))
    with pytest.raises(UserError, match="ridge: 0 is too small"):
        get_method("mvda", ridge=[0]).fit(image, text)
    get_method("mvda", ridge=[1e-3]).fit(image, text)


def test_more_features_than_items_are_reduced_to_principal_components(make_toy):
    image, text = make_toy((24, 12, 12), dims=(32, 20))
    method = get_method("mvda", energy=0.9, ridge=[1e-6]).fit(image, text)
    assert np.linalg.matrix_rank(training_moments(image, text, energy=0.9).image.basis) < 23
    assert method.dims == (32, 20)
    assert np.isfinite(method.best_val_map)


@pytest.mark.parametrize("settings", [{"energy": 0.0}, {"energy": 1.5}, {"ridge": []}, {"ridge": [-1.0]}])
def test_wrong_settings_are_named(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        get_method("mvda", **settings)


def test_it_has_as_many_directions_as_classes_less_one_and_finds_the_toys_classes(toy):
    method = get_method("mvda").fit(*toy)
    assert method.settings["components"] == [2]
    assert method.best_val_map > 0.9
