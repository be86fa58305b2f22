"""`standardise: true`: DRSL as it is on features that were standardised by hand, with the train split's numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from drsl.features.tensor_file import MODEL_FORMAT, read_tensors, write_tensors
from drsl.train import get_method, read_method, top_k
from drsl.train.config import PRESETS
from drsl.train.model import DrslModel

DRSL = ("drsl-c", "drsl-m", "drsl-a", "drsl-s")
NUMBERS = {f"{side}_fnn.inputs.{part}" for side in ("image", "text") for part in ("mean", "scale")}


@pytest.fixture(params=DRSL)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def spread(toy):
    """Features on very different scales, one column constant on train."""
    found = []
    for seed, each in enumerate(toy):
        draw = np.random.default_rng(seed)
        scale, shift = 10 ** draw.uniform(-3, 2, each.feature.shape[1]), draw.uniform(-2, 2, each.feature.shape[1])
        feature = scale * (each.feature + shift)
        feature[each.split == 0, 3] = 0.1
        found.append(replace(each, feature=feature.astype(np.float32)))
    return found


def by_hand(features):
    """(x - mean) / deviation of the train rows, in float64; what is constant there is 0."""
    feature = features.feature.astype(np.float64)
    train = feature[features.split == 0]
    deviation = train.std(axis=0)
    constant = np.ptp(train, axis=0) == 0
    found = np.where(constant, 0, (feature - train.mean(axis=0)) / np.where(constant, 1, deviation))
    return replace(features, feature=found.astype(np.float32))


def parts(features):
    return [each.select("test").feature for each in features]


def near(ours, expected):
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-3 * np.abs(expected).max())


def test_equals_features_standardised_by_hand(name, make_method, spread):
    method = make_method(name, standardise=True).fit(*spread, seed=0)
    hand = [by_hand(each) for each in spread]
    twin = make_method(name).fit(*hand, seed=0)
    near(method.score(*parts(spread)), twin.score(*parts(hand)))
    np.testing.assert_allclose(method.log, twin.log, rtol=1e-3, atol=1e-4)


def test_only_train_rows_count(name, make_method, spread):
    other = []
    for each in spread:
        feature = each.feature.copy()
        feature[each.split != 0] = 1e3 - feature[each.split != 0]
        other.append(replace(each, feature=feature))
    ours, theirs = (make_method(name, standardise=True).fit(*each, seed=0)._arrays() for each in (spread, other))
    for key in NUMBERS:
        np.testing.assert_array_equal(ours[key], theirs[key])


def test_a_model_without_it_is_as_before(name, make_method, toy):
    without, with_ = (make_method(name, standardise=each).config for each in (False, True))
    states = []
    for config in (without, with_):
        torch.manual_seed(0)
        states.append(DrslModel(config, 32, 20).state_dict())
    assert states[1].keys() - states[0].keys() == NUMBERS
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])  # no random number is drawn for it
    assert get_method(name).settings["standardise"] is False
    assert all(preset["standardise"] is False for preset in PRESETS.values())


def test_a_file_from_before_the_setting_is_read(name, make_method, toy, tmp_path):
    method = make_method(name).fit(*toy, seed=0)
    method.save(tmp_path / "0.safetensors")
    arrays, about = read_tensors(tmp_path / "0.safetensors", MODEL_FORMAT, "")
    del about["settings"]["standardise"]
    write_tensors(tmp_path / "0.safetensors", MODEL_FORMAT, arrays, about)
    np.testing.assert_array_equal(read_method(tmp_path / "0.safetensors").score(*parts(toy)), method.score(*parts(toy)))


@pytest.mark.parametrize("changed", [{}, {"precision": "auto"}, {"precision": "bfloat16"}, {"fnn_batch_norm": True}])
def test_scores_files_and_answers_have_it(changed, make_method, spread, tmp_path):
    method = make_method("drsl-c", standardise=True, **changed).fit(*spread, seed=0)
    assert method.dims == (32, 20)
    scores = method.score(*parts(spread))
    method.save(tmp_path / "0.safetensors")
    loaded = read_method(tmp_path / "0.safetensors")
    assert loaded.settings["standardise"] is True
    np.testing.assert_array_equal(loaded.score(*parts(spread)), scores)
    answers = top_k(loaded, *parts(spread), 3)["i2t"]
    np.testing.assert_allclose(answers.score, np.sort(scores, axis=1)[:, ::-1][:, :3], rtol=0, atol=1e-5)
