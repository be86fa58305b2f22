"""GMLDA: the eigenproblem as printed, LDA and CCA as its two ends."""

import numpy as np
import pytest
import scipy.linalg
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from drsl.evaluate import mean_average_precision
from drsl.features.errors import SettingError, UserError
from drsl.train import get_method
from drsl.train.methods.cca import canonical_directions
from drsl.train.methods.gma import aligned_directions
from drsl.train.moments import training_moments


@pytest.fixture(scope="module")
def problem():
    """Labels, and two views of class means, 4 classes, 120 couples."""
    draw = np.random.default_rng(0)
    label = np.arange(120) % 4
    latent = 2 * draw.standard_normal((4, 5))[label] + draw.standard_normal((120, 5))
    return label, *(latent @ draw.standard_normal((5, width)) + draw.standard_normal((120, width)) for width in (9, 7))


def parts(view, label):
    """Class means times root of count, within-class scatter, class means; by loops."""
    view = view - view.mean(axis=0)
    means = np.array([view[label == each].mean(axis=0) for each in range(4)])
    within = sum((row - means[each])[:, None] * (row - means[each]) for row, each in zip(view, label, strict=True))
    return np.sqrt(np.bincount(label))[:, None] * means, within, means


def plain(within, between, aligned, weights, ridge):
    """The generalised eigenproblem at full size."""
    alpha, mu, gamma = weights
    whole = np.block(
        [[between[0].T @ between[0], alpha * aligned], [alpha * aligned.T, mu * between[1].T @ between[1]]]
    )
    bounds = [each + ridge * np.trace(each) / len(each) * np.eye(len(each)) for each in within]
    value, vector = scipy.linalg.eigh(whole, scipy.linalg.block_diag(bounds[0], gamma * bounds[1]))
    return value[::-1], vector[:, ::-1]


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (10.0, 0.5, 3.0), (0.1, 2.0, 0.2)])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_the_basis_loses_nothing(problem, weights, ridge):
    label, *views = problem
    between, within, means = zip(*(parts(each, label) for each in views), strict=True)
    aligned = means[0].T @ means[1]
    left, right, value = aligned_directions(within, between, aligned, weights=weights, ridge=ridge, components=3)
    expected, vector = plain(within, between, aligned, weights, ridge)
    np.testing.assert_allclose(value, expected[:3], rtol=1e-9)
    own = np.vstack([left, right])
    np.testing.assert_allclose(own * np.sign((own * vector[:, :3]).sum(axis=0)), vector[:, :3], rtol=0, atol=1e-8)


def test_without_alignment_each_side_is_lda(problem):
    label, *views = problem
    between, within, means = zip(*(parts(each, label) for each in views), strict=True)
    left, right, value = aligned_directions(
        within, between, means[0].T @ means[1], weights=(0.0, 1.0, 1.0), ridge=0.0, components=6
    )
    for view, directions in zip(views, (left, right), strict=True):
        own = directions[:, np.linalg.norm(directions, axis=0) > 1e-6 * np.linalg.norm(directions)]
        assert own.shape[1] == 3, "each direction is one side's alone"
        oracle = LinearDiscriminantAnalysis(solver="eigen").fit(view, label).scalings_[:, :3]
        for each, expected in zip(own.T, oracle.T, strict=True):
            cosine = each @ expected / np.linalg.norm(each) / np.linalg.norm(expected)
            assert abs(cosine) > 1 - 1e-8
    assert len(value) == 6


@pytest.mark.parametrize("alpha", [0.1, 1.0, 100.0])
def test_with_whole_scatters_and_couples_it_is_cca(problem, as_features, alpha):
    _, *views = problem
    moments = training_moments(*map(as_features, views), method="gma")
    scatter = moments.image.scatter, moments.text.scatter
    roots = [np.linalg.cholesky(each).T for each in scatter]
    left, right, value = aligned_directions(
        scatter, roots, moments.cross, weights=(alpha, 1.0, 1.0), ridge=0.0, components=5
    )
    expected = canonical_directions(moments, 0.0, 5)
    np.testing.assert_allclose(value, 1 + alpha * expected[2], rtol=1e-8)
    for own, other in zip((left, right), expected[:2], strict=True):
        cosine = (own * other).sum(axis=0) / np.linalg.norm(own, axis=0) / np.linalg.norm(other, axis=0)
        np.testing.assert_allclose(np.abs(cosine), 1, rtol=0, atol=1e-6)


@pytest.mark.parametrize("alignment", ["class", "couples"])
def test_the_names_of_the_classes_do_not_matter(toy, alignment):
    order = np.array([2, 0, 1])
    renamed = [type(each)(each.id, each.feature, order[each.label], each.split, each.classes) for each in toy]
    test = [each.select("test").feature for each in toy]
    scores = [get_method("gma", alignment=alignment).fit(*each).score(*test) for each in (toy, renamed)]
    np.testing.assert_allclose(scores[0], scores[1], rtol=0, atol=1e-4)


def test_class_means_need_no_couples_and_couples_do(make_toy):
    image, text = make_toy((90, 30, 30))
    text.id[:] = [f"text-{row}" for row in range(len(text))]
    assert get_method("gma").fit(image, text).best_val_map > 0.6
    with pytest.raises(UserError, match="gma learns from items that have both"):
        get_method("gma", alignment="couples").fit(image, text)


def test_there_are_fewer_directions_than_classes(toy):
    method = get_method("gma", components=[50]).fit(*toy)
    assert method.arrays["image_projection"].shape == (32, 2)
    assert method.settings["components"] == [2]


@pytest.mark.slow
def test_labels_help_more_than_couples(make_paired_toy):
    image, text = make_paired_toy(400, dims=(600, 200))
    test = image.select("test"), text.select("test")
    found = {}
    for name in ("gma", "cca"):
        score = get_method(name, components=[19, 50]).fit(image, text).score(*(each.feature for each in test))
        found[name] = mean_average_precision(score, *(each.label for each in test))
    assert found["gma"] > found["cca"], found


@pytest.mark.parametrize(
    ("key", "value"), [("alpha", [-1.0]), ("mu", []), ("ridge", [-1.0]), ("energy", 0.0), ("alignment", "clas")]
)
def test_settings_out_of_range_are_named(key, value):
    with pytest.raises(SettingError, match=key):
        get_method("gma", **{key: value})
