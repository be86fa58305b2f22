"""MCCA: CCA for two views, cca-zoo and the plain eigenproblem for more."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from drsl.features.errors import UserError
from drsl.train import get_method
from drsl.train.methods.cca import canonical_directions
from drsl.train.methods.mcca import multiview_directions
from drsl.train.moments import training_moments


def draw_views(widths, seed=0, noise=1.0, count=200, shared=3):
    draw = np.random.default_rng(seed)
    latent = draw.standard_normal((count, shared))
    return [
        latent @ draw.standard_normal((shared, width)) + noise * draw.standard_normal((count, width))
        for width in widths
    ]


def covariances(views):
    whole = np.cov(np.hstack(views).T)
    ends = np.cumsum([each.shape[1] for each in views])[:-1]
    return [np.split(rows, ends, axis=1) for rows in np.split(whole, ends)]


@settings(max_examples=25, deadline=None)
@given(
    widths=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    seed=st.integers(0, 1000),
    ridge=st.sampled_from([1e-3, 0.1, 10.0]),
)
def test_two_views_are_cca(as_features, widths, seed, ridge):
    views = draw_views(widths, seed)
    moments = training_moments(*map(as_features, views), method="mcca")
    image, text = moments.image.scatter / 199, moments.text.scatter / 199
    cross = moments.cross / 199
    (left, right), strength = multiview_directions([[image, cross], [cross.T, text]], ridge, 300)
    expected = canonical_directions(moments, ridge, 300)
    np.testing.assert_allclose(strength, expected[2], rtol=0, atol=1e-10)
    sign = np.sign((left * expected[0]).sum(axis=0))
    gaps = np.diff(strength, prepend=2, append=-1)
    separate = np.minimum(-gaps[:-1], -gaps[1:]) > 1e-4  # equal correlations have no directions of their own
    np.testing.assert_allclose((left * sign)[:, separate], expected[0][:, separate], rtol=0, atol=1e-6)
    np.testing.assert_allclose((right * sign)[:, separate], expected[1][:, separate], rtol=0, atol=1e-6)


def test_the_method_scores_as_cca_does(toy):
    settings = {"ridge": [0.1], "components": [5], "power": [2.0]}
    scores = [
        get_method(name, **settings).fit(*toy).score(*(each.select("test").feature for each in toy))
        for name in ("mcca", "cca")
    ]
    np.testing.assert_allclose(scores[0], scores[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("widths", [(5, 4, 6), (20, 4, 3), (3, 2, 20, 4)])
def test_more_views_solve_the_plain_eigenproblem(widths):
    blocks = covariances(draw_views(widths))
    below = [
        [block if v <= w else np.full_like(block, np.nan) for w, block in enumerate(row)]
        for v, row in enumerate(blocks)
    ]
    weights, strength = multiview_directions(below, 0.1, 3)
    between = np.block(blocks)
    within = scipy.linalg.block_diag(*(row[v] for v, row in enumerate(blocks)))
    ridge = np.concatenate([np.full(len(row[v]), 0.1 * np.trace(row[v]) / len(row[v])) for v, row in enumerate(blocks)])
    value, vector = scipy.linalg.eigh(between - within, within + np.diag(ridge))
    np.testing.assert_allclose(strength, value[::-1][:3] / (len(widths) - 1), rtol=0, atol=1e-10)
    own, expected = np.vstack(weights), vector[:, ::-1][:, :3] * np.sqrt(len(widths))
    np.testing.assert_allclose(own * np.sign((own * expected).sum(axis=0)), expected, rtol=0, atol=1e-8)


def test_three_views_are_those_of_cca_zoo():
    linear = pytest.importorskip("cca_zoo.linear")
    views = draw_views((5, 4, 6))
    weights, _ = multiview_directions(covariances(views), 0.0, 3)
    for own, expected in zip(weights, linear.MCCA(3).fit(views).weights_, strict=True):
        cosine = (own * expected).sum(axis=0) / np.linalg.norm(own, axis=0) / np.linalg.norm(expected, axis=0)
        np.testing.assert_allclose(np.abs(cosine), 1, rtol=0, atol=1e-8)


def test_views_of_one_latent_agree():
    views = draw_views((5, 4, 6), noise=0.0)
    weights, strength = multiview_directions(covariances(views), 1e-9, 8)
    np.testing.assert_allclose(strength[:3], 1, rtol=0, atol=1e-6)
    assert (strength[3:] < 1e-3).all()
    scores = [(view - view.mean(axis=0)) @ each[:, :3] for view, each in zip(views, weights, strict=True)]
    for each in scores[1:]:
        np.testing.assert_allclose(each, scores[0], rtol=0, atol=1e-3)


def test_one_couple_is_too_few(as_features):
    with pytest.raises(UserError, match="MCCA needs two or more couples"):
        get_method("mcca").fit(as_features(np.ones((1, 3))), as_features(np.ones((1, 3))))
