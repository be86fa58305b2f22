"""PLS: both forms against scikit-learn, and against CCA where they must agree."""

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSSVD, PLSCanonical

from drsl.features.errors import SettingError, UserError
from drsl.train import get_method
from drsl.train.methods.cca import canonical_directions
from drsl.train.methods.pls import covariance_directions
from drsl.train.moments import training_moments


@pytest.fixture(scope="module")
def views():
    draw = np.random.default_rng(0)
    latent = draw.standard_normal((200, 5)) * [5, 4, 3, 2, 1]
    return [
        (latent @ draw.standard_normal((5, width)) + draw.standard_normal((200, width)) + 2).astype(np.float32)
        for width in (12, 7)
    ]


@pytest.fixture(scope="module")
def moments(views, as_features):
    return training_moments(*map(as_features, views), method="pls")


def same_up_to_sign(own, other, tolerance):
    np.testing.assert_allclose(own * np.sign((own * other).sum(axis=0)), other, rtol=0, atol=tolerance)


@pytest.mark.parametrize("scale", [False, True])
def test_singular_vectors_are_those_of_scikit_learn(views, moments, scale):
    left, right, covariance = covariance_directions(moments, 7, "svd", scale)
    oracle = PLSSVD(7, scale=scale).fit(*(each.astype(np.float64) for each in views))
    scores = oracle.transform(*(each.astype(np.float64) for each in views))
    for view, own, expected in zip(views, (left, right), scores, strict=True):
        same_up_to_sign((view - view.mean(axis=0, dtype=np.float64)) @ own, expected, 1e-9)
    expected = [np.cov(*columns)[0, 1] for columns in zip(*(each.T for each in scores), strict=True)]
    np.testing.assert_allclose(covariance, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("swapped", [False, True])
def test_deflation_is_that_of_scikit_learn(views, as_features, scale, swapped):
    views = [each.astype(np.float64) for each in (views[::-1] if swapped else views)]
    moments = training_moments(*map(as_features, views), method="pls")
    left, right, _ = covariance_directions(moments, 6, "canonical", scale)
    oracle = PLSCanonical(6, scale=scale, algorithm="svd").fit(*views)
    scores = oracle.transform(*views)
    for view, own, expected in zip(views, (left, right), scores, strict=True):
        same_up_to_sign((view - view.mean(axis=0)) @ own, expected, 1e-7 * np.abs(expected).max())


def test_fewer_directions_are_the_first_of_more(moments):
    for form in ("svd", "canonical"):
        few, many = (covariance_directions(moments, count, form) for count in (2, 6))
        for own, expected in zip(few, many, strict=True):
            np.testing.assert_allclose(own, expected[..., :2], rtol=0, atol=1e-9)


def test_white_views_give_the_directions_of_cca(views, as_features):
    white = []
    for view in views:
        centred = view - view.mean(axis=0, dtype=np.float64)
        white.append(centred @ np.linalg.inv(np.linalg.cholesky(np.cov(centred.T))).T)
    moments = training_moments(*map(as_features, white), method="pls")
    own, other = covariance_directions(moments, 4), canonical_directions(moments, 0.0, 4)
    np.testing.assert_allclose(own[2], other[2], rtol=0, atol=1e-5)
    for left, right in zip(own[:2], other[:2], strict=True):
        same_up_to_sign(left, right, 1e-3)


def test_views_that_share_two_directions_have_no_more(as_features):
    draw = np.random.default_rng(1)
    latent = draw.integers(-4, 5, (40, 2))
    latent = np.vstack([latent, -latent])  # means of 0, whole numbers: exact
    image, text = (latent @ draw.integers(-3, 4, (2, width)) for width in (6, 5))
    moments = training_moments(as_features(image), as_features(text), method="pls")
    for form in ("svd", "canonical"):
        left, right, covariance = covariance_directions(moments, 5, form)
        assert (left.shape, right.shape, covariance.shape) == ((6, 2), (5, 2), (2,))


@pytest.mark.parametrize("form", ["svd", "canonical"])
@pytest.mark.parametrize("scale", [False, True])
def test_constant_features_are_said(as_features, form, scale):
    text = np.random.default_rng(0).standard_normal((9, 4))
    with pytest.raises(UserError, match="pls found no direction in the features: they are constant"):
        get_method("pls", form=form, scale=scale).fit(as_features(np.ones((9, 3))), as_features(text))


def test_every_form_is_fitted(toy):
    fitted = [
        get_method("pls", form=form, scale=scale).fit(*toy) for form in ("svd", "canonical") for scale in (False, True)
    ]
    assert all(each.best_val_map > 0.6 for each in fitted)
    assert all(np.isfinite(each.arrays["image_projection"]).all() for each in fitted)


def test_an_unknown_form_is_refused():
    with pytest.raises(SettingError, match="form: 'svf' is not known"):
        get_method("pls", form="svf")
