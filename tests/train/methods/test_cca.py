"""CCA: its definition, scikit-learn and cca-zoo as oracles, and what the ridge is for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cross_decomposition import CCA

from drsl.evaluate import mean_average_precision
from drsl.features.errors import SettingError, UserError
from drsl.train import get_method
from drsl.train.methods.cca import canonical_directions, ridge_factor
from drsl.train.moments import training_moments


@pytest.fixture(scope="module")
def views():
    """Two views of one latent, 500 couples; as float32 has them, so that all oracles see the same numbers."""
    draw = np.random.default_rng(0)
    latent = draw.standard_normal((500, 4))
    return [
        (latent @ draw.standard_normal((4, width)) + 2 * draw.standard_normal((500, width)) + 3)
        .astype(np.float32)
        .astype(np.float64)
        for width in (8, 6)
    ]


@pytest.fixture(scope="module")
def solve(as_features):
    def build(image, text, ridge=0.0, components=300):
        moments = training_moments(as_features(image), as_features(text), method="cca")
        return canonical_directions(moments, ridge, components)

    return build


def centred(rows):
    return rows - rows.mean(axis=0)


def cosines(left, right):
    """Absolute cosines of equal columns."""
    return np.abs((left * right).sum(axis=0)) / np.linalg.norm(left, axis=0) / np.linalg.norm(right, axis=0)


def test_correlations_and_scores_are_those_of_scikit_learn(views, solve):
    left, right, correlation = solve(*views)
    oracle = CCA(n_components=6, scale=False, tol=1e-10, max_iter=100_000).fit(*views)
    scores = oracle.transform(*views)
    expected = [np.corrcoef(*columns)[0, 1] for columns in zip(*(each.T for each in scores), strict=True)]
    np.testing.assert_allclose(correlation, expected, rtol=0, atol=1e-8)
    for own, other in zip((centred(views[0]) @ left, centred(views[1]) @ right), scores, strict=True):
        assert cosines(own, other).min() > 0.999999


def test_the_directions_diagonalise_what_they_should(views, solve):
    for ridge in (0.0, 0.5):
        left, right, correlation = solve(*views, ridge)
        for view, directions in zip(views, (left, right), strict=True):
            covariance = np.cov(view.T)
            covariance += ridge * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
            np.testing.assert_allclose(directions.T @ covariance @ directions, np.eye(6), rtol=0, atol=1e-12)
        cross = centred(views[0]).T @ centred(views[1]) / 499
        np.testing.assert_allclose(left.T @ cross @ right, np.diag(correlation), rtol=0, atol=1e-12)
        assert (np.diff(correlation) <= 0).all()


def test_what_is_a_linear_map_of_the_other_has_correlations_of_one(views, solve):
    image = views[0].astype(np.float32).astype(np.float64)
    text = image @ np.random.default_rng(1).integers(-8, 9, (8, 8))  # whole numbers of eighths: float32 loses little
    np.testing.assert_allclose(solve(image, text)[2], np.ones(8), rtol=0, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_without_a_ridge_affine_maps_change_nothing(views, solve, seed):
    draw = np.random.default_rng(seed)
    maps = [np.linalg.qr(draw.standard_normal((width, width)))[0] * draw.uniform(0.5, 2, width) for width in (8, 6)]
    moved = [view @ each + draw.standard_normal(len(each)) for view, each in zip(views, maps, strict=True)]
    expected = solve(*views)
    left, right, correlation = solve(*moved)
    np.testing.assert_allclose(correlation, expected[2], rtol=0, atol=1e-5)
    scores = (centred(moved[0]) @ left, centred(moved[1]) @ right)
    for own, view, directions in zip(scores, views, expected[:2], strict=True):
        # Only correlations that differ have directions of their own.
        assert cosines(own, centred(view) @ directions)[:3].min() > 0.999


@pytest.mark.parametrize("shrinkage", [0.0, 0.1, 0.7])
def test_the_directions_are_those_of_cca_zoo(views, solve, shrinkage):
    linear = pytest.importorskip("cca_zoo.linear")
    # cca-zoo's covariance is (1 - c) C + c I: where the mean variance is 1, that is the ridge c / (1 - c).
    scaled = [each / np.sqrt(np.trace(np.cov(each.T)) / each.shape[1]) for each in views]
    scaled = [each.astype(np.float32).astype(np.float64) for each in scaled]
    oracle = linear.RidgeCCA(6, shrinkage=shrinkage).fit(scaled)
    found = solve(*scaled, ridge=shrinkage / (1 - shrinkage))
    for own, weights in zip(found[:2], oracle.weights_, strict=True):
        assert cosines(own, weights).min() > 1 - 1e-8


def test_ridge_factors_are_the_roots_of_the_covariance_with_the_ridge(views):
    covariance = np.cov(views[0].T)
    before = covariance.copy()
    factor = ridge_factor(covariance, 0.3)
    expected = covariance + 0.3 * np.trace(covariance) / 8 * np.eye(8)
    np.testing.assert_allclose(factor @ factor.T, expected, rtol=0, atol=1e-12)
    assert (np.tril(factor) == factor).all()
    np.testing.assert_array_equal(covariance, before)


def test_the_number_of_directions_is_bounded_by_couples_and_widths(views, solve):
    assert [each.shape for each in solve(*views, components=2)] == [(8, 2), (6, 2), (2,)]
    few = [each[:4] for each in views]
    assert [each.shape for each in solve(*few, ridge=1.0)] == [(8, 3), (6, 3), (3,)]


def test_a_ridge_chosen_on_val_is_better_than_hardly_any(make_paired_toy):
    image, text = make_paired_toy(400, dims=(600, 200))
    test = image.select("test"), text.select("test")
    found = {}
    for name, few in (("cca", {"ridge": [1.0, 10.0]}), ("cca-paper", {})):
        method = get_method(name, **few).fit(image, text)
        score = method.score(*(each.feature for each in test))
        labels = [each.label for each in test]
        found[name] = (mean_average_precision(score, *labels) + mean_average_precision(score.T, *labels[::-1])) / 2
    assert found["cca"] > found["cca-paper"] + 0.1, found


def test_too_few_couples_are_said_in_one_line(views, as_features):
    cases = (
        ([each[:1] for each in views], {}, "two or more couples"),
        (views, {"ids": [f"text-{row}" for row in range(500)]}, "cca learns from items that have both"),
    )
    for (image, text), other, words in cases:
        with pytest.raises(UserError, match=words) as info:
            get_method("cca").fit(as_features(image), as_features(text, **other))
        assert "\n" not in str(info.value)


def test_features_that_depend_on_each_other_need_a_ridge(views, as_features):
    image = np.column_stack([views[0], np.zeros(500)])
    with pytest.raises(UserError, match=r"ridge: 0\.0 is too small .* raise it"):
        get_method("cca", ridge=[0.0]).fit(as_features(image), as_features(views[1]))


@pytest.mark.parametrize(("key", "value"), [("ridge", [-1.0]), ("ridge", []), ("power", [-1.0]), ("components", [0])])
def test_candidates_out_of_range_are_named(key, value):
    with pytest.raises(SettingError, match=key):
        get_method("cca", **{key: value})
