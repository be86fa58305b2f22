"""The choice among candidates of linear methods: by val alone, the first of equals, a row each."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drsl.evaluate import mean_average_precision
from drsl.features.errors import SettingError, UserError
from drsl.train import get_method
from drsl.train.methods.linear import LinearConfig, LinearMethod, Solution, require_candidates
from drsl.train.moments import training_moments


@dataclass(frozen=True)
class AxesConfig(LinearConfig):
    components: tuple[int, ...] = (1, 2)
    power: tuple[float, ...] = (0.0, 1.0)
    axis: tuple[int, ...] = (0, 1, 2)


class Axes(LinearMethod):
    """Projects on two features, those of `axis`, so that it is known which candidate is good."""

    name = "axes"
    config_type: ClassVar[type] = AxesConfig
    candidates = ("axis",)
    strength = (1.0, 0.5)

    def _solutions(self, image, text):
        moments = training_moments(image, text)
        for axis in self.config.axis:
            chosen = np.eye(len(moments.image.mean))[:, [2 * axis, 2 * axis + 1]]
            yield (
                moments.image.mean,
                moments.text.mean,
                Solution({"axis": axis}, chosen, chosen, np.array(self.strength)),
            )


@pytest.fixture(scope="module")
def problem(as_features):
    """Features 2 and 3 have the class; the other four are noise. 40 train, 20 val, 20 test items."""
    draw = np.random.default_rng(0)
    label = np.arange(80) % 2
    split = np.repeat([0, 1, 2], [40, 20, 20])
    views = []
    for _ in range(2):
        view = draw.standard_normal((80, 6))
        view[:, 2:4] = (2 * label - 1)[:, None] * [3, 1] + 0.1 * view[:, 2:4]
        views.append(as_features(view, label, split))
    return tuple(views)


def test_the_log_has_a_row_a_candidate(problem):
    method = Axes().fit(*problem)
    assert method.log_columns == ("candidate", "axis", "components", "power", "val_map")
    expected = [(axis, count, power) for axis in (0, 1, 2) for count in (1, 2) for power in (0.0, 1.0)]
    assert [row[1:4] for row in method.log] == expected
    assert [row[0] for row in method.log] == list(range(1, 13))


def test_each_val_map_is_that_of_the_candidate_alone(problem):
    for _, axis, count, power, value in Axes().fit(*problem).log:
        alone = Axes(axis=[axis], components=[count], power=[power]).fit(*problem)
        val = [each.select("val") for each in problem]
        score = alone.score(*(each.feature for each in val))
        labels = [each.label for each in val]
        expected = (mean_average_precision(score, *labels) + mean_average_precision(score.T, *labels[::-1])) / 2
        assert value == pytest.approx(expected, abs=1e-9)
        assert alone.log[0][-1] == pytest.approx(value, abs=1e-9)


def test_the_first_of_the_best_is_kept_and_its_settings_alone(problem):
    method = Axes().fit(*problem)
    values = [row[-1] for row in method.log]
    best = method.log[values.index(max(values))]
    assert values.count(max(values)) > 1, "there are equals"
    assert method.best_val_map == max(values) == 1
    assert [method.settings[key] for key in ("axis", "components", "power")] == [[each] for each in best[1:4]]
    assert best[1:4] == (1, 1, 0.0)
    assert method.arrays["image_projection"].shape == (6, 1)


def test_candidates_are_judged_on_val_and_not_on_test_or_train(problem):
    expected = Axes().fit(*problem)
    changed = []
    for each in problem:
        feature = each.feature.copy()
        feature[each.split == 2] = feature[each.split == 2][:, ::-1] * 7
        changed.append(replace(each, feature=feature))
    other = Axes().fit(*changed)
    assert (other.log, other.settings) == (expected.log, expected.settings)
    for key, array in expected.arrays.items():
        np.testing.assert_array_equal(other.arrays[key], array)
    # Val items whose class is in features 0 and 1 choose another candidate, whatever the training items say.
    moved = []
    for each in problem:
        feature = each.feature.copy()
        feature[each.split == 1] = np.roll(feature[each.split == 1], -2, axis=1)
        moved.append(replace(each, feature=feature))
    assert Axes().fit(*moved).settings["axis"] == [0]


def test_without_val_the_first_candidate_is_kept(problem):
    none = [replace(each, split=np.where(each.split == 1, 2, each.split).astype(np.uint8)) for each in problem]
    method = Axes().fit(*none)
    assert [method.settings[key] for key in ("axis", "components", "power")] == [[0], [1], [0.0]]
    assert all(np.isnan(row[-1]) for row in method.log)
    assert np.isnan(method.best_val_map)


def test_directions_are_weighted_by_their_strength(problem):
    method = Axes(axis=[1], components=[2], power=[3.0]).fit(*problem)
    expected = np.zeros((6, 2))
    expected[2, 0], expected[3, 1] = 1, 0.5**3
    np.testing.assert_array_equal(method.arrays["image_projection"], expected.astype(np.float32))
    image = problem[0].select("test").feature
    train = problem[0].select("train").feature.mean(axis=0)
    cosine = (image - train) @ expected
    cosine /= np.linalg.norm(cosine, axis=1, keepdims=True)
    np.testing.assert_allclose(method.represent("image", image), cosine, rtol=0, atol=1e-5)


def test_numbers_beyond_the_directions_found_are_one_candidate(problem):
    method = Axes(axis=[1], components=[1, 2, 5, 300], power=[0.0]).fit(*problem)
    assert [row[2] for row in method.log] == [1, 2]


def test_progress_counts_the_candidates(problem):
    calls = []
    Axes(components=[2, 5]).fit(*problem, progress=lambda *each: calls.append(each))
    assert [each[:2] for each in calls] == [*((done, 12) for done in range(1, 7)), (12, 12)]
    assert all(each[2].startswith("val mAP 0.") or each[2] == "val mAP 1.000" for each in calls)


def test_a_method_that_finds_nothing_says_so_and_stays_as_it_was(problem):
    class Nothing(Axes):
        name = "nothing"

        def _solutions(self, image, text):
            yield from () if image.feature[0, 0] == 0 else super()._solutions(image, text)

    method = Nothing().fit(*problem)
    before, arrays = (method.settings, method.log), method.arrays
    zeros = [replace(each, feature=np.zeros_like(each.feature)) for each in problem]
    with pytest.raises(UserError, match="nothing found no direction in the features: they are constant"):
        method.fit(*zeros)
    assert (method.settings, method.log) == before
    assert method.arrays is arrays


def test_a_second_fit_goes_through_what_the_first_chose(problem):
    """The settings are the chosen ones, so that a fit of a file's settings is the fit of the file."""
    method = Axes().fit(*problem)
    assert len(method.log) == 12
    assert get_settings(method) == ([1], [1], [0.0])
    again = Axes(**method.settings).fit(*problem)
    assert len(again.log) == 1
    np.testing.assert_array_equal(again.arrays["text_projection"], method.arrays["text_projection"])


def get_settings(method):
    return tuple(method.settings[key] for key in ("axis", "components", "power"))


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_candidates_in_range_are_taken(values):
    require_candidates(tuple(values), "power", 0)


@pytest.mark.parametrize("values", [(), (-0.1,), (1.0, float("nan")), (float("inf"),)])
def test_candidates_out_of_range_are_refused(values):
    with pytest.raises(SettingError, match=r"power: .* must be one or more numbers of at least 0"):
        require_candidates(values, "power", 0)


def test_a_single_value_is_no_list():
    with pytest.raises(SettingError, match="components: 10 must be a list of whole numbers"):
        get_method("cca", components=10)
