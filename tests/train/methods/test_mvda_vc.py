"""MvDA-VC against its penalty written out over items, and at the ends of alpha."""

from dataclasses import replace

import numpy as np
import pytest

from drsl.features.errors import SettingError, UserError
from drsl.train import get_method
from drsl.train.methods.mvda import class_scatter, discriminant_directions
from drsl.train.methods.mvda_vc import consistency_penalty
from drsl.train.moments import training_moments


@pytest.fixture
def small(make_toy):
    """Eighteen couples, more than features."""
    return make_toy((18, 6, 6), dims=(9, 7))


@pytest.mark.parametrize("span", [1e-4, 1e-1])
@pytest.mark.parametrize("count", [18, 5])
def test_the_penalty_is_the_distance_of_the_combinations_of_items(make_toy, span, count):
    moments_of = make_toy((count, 3, 3), dims=(9, 7))
    moments = training_moments(*moments_of, method="mvda-vc")
    found = consistency_penalty(moments, span)
    draw = np.random.default_rng(0)
    for _ in range(5):
        w = draw.standard_normal(16)
        beta = []
        for each, part in zip(moments_of, (w[:9], w[9:]), strict=True):
            x = each.select("train").feature.astype(np.float64)
            x -= x.mean(axis=0)
            beta.append(np.linalg.solve(x @ x.T + span * np.sum(x**2) * np.eye(count), x @ part))
        expected = sum(np.sum((left - right) ** 2) for left in beta for right in beta)
        np.testing.assert_allclose(w @ found @ w, expected, rtol=1e-9)


def test_the_penalty_is_symmetric_and_positive_semidefinite(small):
    found = consistency_penalty(training_moments(*small, method="mvda-vc"), 1e-4)
    np.testing.assert_array_equal(found, found.T)
    value = np.linalg.eigvalsh(found)
    assert value.min() > -1e-12 * value.max()


def test_alpha_0_is_mvda(toy):
    settings = {"ridge": [0.1], "power": [1.0]}
    expected = get_method("mvda", **settings).fit(*toy)
    found = get_method("mvda-vc", alpha=[0.0], **settings).fit(*toy)
    for key in expected.arrays:
        np.testing.assert_array_equal(found.arrays[key], expected.arrays[key])


def test_candidates_of_alpha_do_not_depend_on_each_other(toy):
    settings = {"ridge": [0.1], "power": [0.0]}
    both = get_method("mvda-vc", alpha=[10.0, 0.1], **settings).fit(*toy).log
    alone = [get_method("mvda-vc", alpha=[each], **settings).fit(*toy).log[0] for each in (10.0, 0.1)]
    for row, expected in zip(both, alone, strict=True):
        np.testing.assert_allclose(row[1:], expected[1:], rtol=1e-6)


def test_identical_sides_keep_identical_projections_however_large_alpha(small):
    image, _ = small
    moments = training_moments(image, image, method="mvda-vc")
    within, between = class_scatter(moments)
    penalty = consistency_penalty(moments, 1e-4)
    for alpha in (1.0, 1e6):
        ridged = within + alpha * np.trace(within) / np.trace(penalty) * penalty
        found, _ = discriminant_directions(ridged, between, 1e-6 * np.trace(within), 100)
        np.testing.assert_allclose(found[:9], found[9:], rtol=0, atol=1e-8 * np.abs(found).max())


def test_a_large_alpha_makes_the_combinations_alike(small):
    moments = training_moments(*small, method="mvda-vc")
    within, between = class_scatter(moments)
    penalty = consistency_penalty(moments, 1e-4)
    penalty *= np.trace(within) / np.trace(penalty)
    left = []
    for alpha in (0.0, 1.0, 1e3):
        found, _ = discriminant_directions(within + alpha * penalty, between, 1e-3 * np.trace(within), 100)
        left.append(np.trace(found.T @ penalty @ found) / np.trace(found.T @ within @ found))
    assert left[0] > left[1] > left[2]


def test_it_needs_couples(make_toy):
    image, text = make_toy()
    text = replace(text, id=np.array([f"text-{row}" for row in range(len(text))], dtype=object))
    with pytest.raises(UserError, match="mvda-vc learns from items that have both an image and a text"):
        get_method("mvda-vc").fit(image, text)
    with pytest.raises(UserError, match="needs couples"):
        consistency_penalty(training_moments(image, text), 1e-4)


def test_constant_features_are_refused(toy):
    image, text = toy
    image = replace(image, feature=np.ones_like(image.feature))
    with pytest.raises(UserError, match="mvda-vc cannot learn from features that are constant"):
        get_method("mvda-vc").fit(image, text)


@pytest.mark.parametrize("settings", [{"alpha": []}, {"alpha": [-1.0]}, {"span": 0.0}, {"energy": 2.0}])
def test_wrong_settings_are_named(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        get_method("mvda-vc", **settings)
