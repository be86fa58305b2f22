"""What is done to features before a network: by the train split alone, and nothing for constant columns."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from drsl.features.errors import SettingError
from drsl.train import get_method
from drsl.train.inputs import INPUTS, Standardize, UnitNorm, make_inputs


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(2, 50), scale=st.floats(1e-3, 1e3))
def test_training_features_get_mean_0_and_deviation_1(seed, rows, scale):
    draw = torch.Generator().manual_seed(seed)
    feature = scale * (torch.rand((rows, 5), generator=draw, dtype=torch.float64) + torch.arange(5)).float()
    module = Standardize(5)
    module.fit(feature)
    found = module(feature)
    expected = (feature - feature.mean(dim=0)) / feature.std(dim=0, correction=0)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.mean(dim=0), torch.zeros(5), rtol=0, atol=1e-2)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -123.456, 1e-20, 1e6])
def test_columns_that_are_constant_on_train_become_0(value):
    feature = torch.stack([torch.full((1000,), value), torch.arange(1000.0)], dim=1)
    module = Standardize(2)
    module.fit(feature)
    other = module(torch.tensor([[value + 5, 0.0], [value, 999.0]]))
    assert other[:, 0].tolist() == [0, 0]
    assert torch.isfinite(other).all()
    assert other[0, 1] == -other[1, 1] != 0


def test_before_it_is_fitted_it_changes_nothing():
    feature = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Standardize(3)(feature), feature)


def test_mean_and_deviation_are_saved_with_the_network_and_not_learned():
    module = Standardize(2)
    module.fit(torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    assert {key: each.tolist() for key, each in module.state_dict().items()} == {"mean": [2, 4], "scale": [1, 0.5]}
    assert list(module.parameters()) == []


def test_unit_rows_have_length_1_and_zeros_stay():
    found = UnitNorm()(torch.tensor([[3.0, 4.0], [0.0, 0.0], [1e-8, 0.0]]))
    torch.testing.assert_close(found, torch.tensor([[0.6, 0.8], [0.0, 0.0], [1.0, 0.0]]))


def test_each_kind_has_its_module():
    kinds = {kind: type(make_inputs(kind, 3)) for kind in INPUTS}
    assert kinds == {"raw": nn.Identity, "standard": Standardize, "unit": UnitNorm}
    assert make_inputs("standard", 3).mean.shape == (3,)
    with pytest.raises(SettingError, match=r"inputs: 'standart' is not known.*did you mean 'standard'"):
        make_inputs("standart", 3)


def test_a_method_takes_mean_and_deviation_of_training_rows_alone(make_method, toy):
    changed = []
    for each in toy:
        feature = each.feature.copy()
        feature[each.split != 0] = feature[each.split != 0] * 3 + 100
        changed.append(replace(each, feature=feature))
    found = [make_method("deep-sm", inputs="standard", epochs=1).fit(*each, seed=0) for each in (toy, changed)]
    arrays = [each._arrays() for each in found]
    means = [key for key in arrays[0] if key.endswith("mean")]
    assert len(means) == 2
    for key in (*means, *(each.removesuffix("mean") + "scale" for each in means)):
        np.testing.assert_array_equal(arrays[0][key], arrays[1][key])
    for key, features in zip(means, toy, strict=True):
        np.testing.assert_allclose(arrays[0][key], features.select("train").feature.mean(axis=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", INPUTS)
def test_a_column_that_is_constant_on_train_can_be_fitted(make_method, toy, kind):
    image, text = toy
    feature = image.feature.copy()
    feature[:, 3] = np.where(image.split == 0, 0.1, 7)
    method = get_method("deep-sm", inputs=kind, hidden=16, epochs=1, batch=20).fit(
        replace(image, feature=feature), text, seed=0
    )
    assert np.isfinite(method.score(feature[:4], text.feature)).all()
