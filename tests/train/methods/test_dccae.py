"""DCCAE: DCCA when nothing is told again, principal components when nothing correlates."""

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles

from drsl.features.errors import SettingError
from drsl.train import get_method
from drsl.train.methods.network import Batch


def test_without_reconstruction_it_is_dcca(toy, make_method):
    alone = make_method("dcca").fit(*toy, seed=3)
    both = make_method("dccae", recon_weight=0.0).fit(*toy, seed=3)
    test = [each.select("test").feature for each in toy]
    np.testing.assert_allclose(both.score(*test), alone.score(*test), rtol=0, atol=1e-6)
    np.testing.assert_allclose([row[1] for row in both.log], [row[1] for row in alone.log], rtol=1e-6)


def test_with_reconstruction_it_is_not(toy, make_method):
    alone, both = (make_method(name, epochs=1).fit(*toy, seed=3) for name in ("dcca", "dccae"))
    test = [each.select("test").feature for each in toy]
    assert not np.allclose(both.score(*test), alone.score(*test), atol=1e-4)


def test_linear_autoencoders_that_need_not_correlate_find_principal_components(make_toy):
    toy = [each.select("train") for each in make_toy((90, 0, 0), dims=(8, 6))]
    settings = {"inputs": "standard", "hidden": [], "components": 2, "learning_rate": 0.02, "batch": 90}
    method = get_method("dccae", **settings, epochs=400, correlation_weight=0.0, recon_weight=1.0)
    method.fit(*toy, seed=0)
    for side, each in zip(("image", "text"), toy, strict=True):
        seen = (each.feature - each.feature.mean(axis=0)) / each.feature.std(axis=0)
        _, strength, axes = np.linalg.svd(seen)
        weight = getattr(method.model, side)[0].weight.detach().numpy()
        assert np.degrees(subspace_angles(weight.T, axes[:2].T)).max() < 3
        left = (strength[2:] ** 2).sum() / (strength**2).sum()
        rebuilt = method.model.decoders[side](getattr(method.model, side)(torch.from_numpy(seen).float()))
        error = float((rebuilt - torch.from_numpy(seen)).detach().square().sum()) / (strength**2).sum()
        assert left * 0.999 < error < left * 1.02


def test_errors_are_in_units_of_the_training_features_variance(toy, make_method):
    method = make_method("dccae", inputs="raw", recon_weight=1.0, epochs=1).fit(*toy, seed=0)
    rows = [torch.from_numpy(each.feature[each.split == 0]) for each in toy]
    with torch.no_grad():
        for side, each in zip(("image", "text"), rows, strict=True):
            last = method.model.decoders[side][-1]
            last.weight.zero_()
            last.bias.copy_(each.mean(dim=0))  # the best constant
        label = torch.zeros(len(rows[0]), dtype=torch.int64)
        found = method._losses(method.model, Batch(*rows, label, label, 0.0))
    assert float(found["reconstruction"]) == pytest.approx(2, rel=1e-5)


def test_decoders_mirror_encoders():
    model = get_method("dccae", hidden=[7, 5], components=3)._build((11, 9), 2)
    for side, dim in (("image", 11), ("text", 9)):
        shapes = [each.weight.shape for each in model.decoders[side] if isinstance(each, torch.nn.Linear)]
        assert shapes == [(5, 3), (7, 5), (dim, 7)]


@pytest.mark.parametrize("key", ["recon_weight", "correlation_weight"])
def test_a_weight_below_0_is_named(key):
    with pytest.raises(SettingError, match=f"{key}: -1.0"):
        get_method("dccae", **{key: -1.0})
