"""DCCA: its loss is CCA's sum of correlations, and linear networks end where CCA does."""

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles

from drsl.features.errors import SettingError, UserError
from drsl.train import get_method
from drsl.train.methods.cca import canonical_directions
from drsl.train.methods.dcca import total_correlation
from drsl.train.moments import training_moments


def draw(count, *widths, seed=0):
    """Two sides that share a part, in float64."""
    numbers = torch.Generator().manual_seed(seed)
    shared = torch.randn(count, 3, generator=numbers, dtype=torch.float64)
    return [
        shared @ torch.randn(3, width, generator=numbers, dtype=torch.float64)
        + torch.randn(count, width, generator=numbers, dtype=torch.float64)
        for width in widths
    ]


def test_the_gradient_is_that_of_the_sum_of_correlations():
    sides = [each.requires_grad_() for each in draw(20, 3, 3)]
    assert torch.autograd.gradcheck(lambda *both: total_correlation(*both, 1e-3), sides)


def test_the_gradient_is_the_papers():
    ridge = 1e-9  # the paper's is absolute, ours relative: without one they agree
    image, text = (each.requires_grad_() for each in draw(20, 3, 3))
    total_correlation(image, text, ridge).backward()
    h, g = (each.detach().numpy() - each.detach().numpy().mean(axis=0) for each in (image, text))

    def root(covariance):
        value, vector = np.linalg.eigh(covariance)
        return vector / np.sqrt(value) @ vector.T

    left, right = root(h.T @ h / 19), root(g.T @ g / 19)
    u, d, v = np.linalg.svd(left @ (h.T @ g / 19) @ right)
    nabla_11, nabla_12 = -left @ u @ np.diag(d) @ u.T @ left / 2, left @ u @ v @ right
    expected = (2 * h @ nabla_11 + g @ nabla_12.T) / 19
    np.testing.assert_allclose(image.grad.numpy(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("ridge", [1e-3, 0.5])
def test_the_loss_is_ccas_sum_of_correlations(make_toy, ridge):
    toy = make_toy((90, 30, 30), dims=(8, 6))
    rows = [torch.from_numpy(each.feature[each.split == 0]) for each in toy]
    correlation = canonical_directions(training_moments(*toy, method="dcca"), ridge, 6)[2]
    assert float(total_correlation(*rows, ridge)) == pytest.approx(correlation.sum(), rel=1e-6)


def test_the_loss_does_not_depend_on_invertible_maps():
    image, text = draw(50, 4, 3)
    left, right = draw(4, 4, seed=1)[0], draw(3, 3, seed=2)[0]
    plain = total_correlation(image, text, 1e-12)
    torch.testing.assert_close(total_correlation(image @ left + 5, text @ right - 7, 1e-12), plain, rtol=1e-8, atol=0)
    torch.testing.assert_close(  # with a ridge there remains the scale
        total_correlation(100 * image, text / 100, 0.1), total_correlation(image, text, 0.1)
    )


def test_perfect_copies_correlate_in_every_direction():
    image = draw(50, 4)[0]
    assert float(total_correlation(image, image @ draw(4, 4, seed=1)[0], 1e-12)) == pytest.approx(4)


@pytest.fixture(scope="module")
def linear(make_toy):
    """Linear networks on full batches, after enough steps."""
    toy = make_toy((90, 30, 30), dims=(8, 6))
    settings = {"inputs": "standard", "hidden": [], "components": 3, "ridge": 1e-6, "learning_rate": 0.02}
    method = get_method("dcca", **settings, batch=90, epochs=300, patience=300)
    return toy, method.fit(*toy, seed=0)


def test_linear_networks_reach_ccas_correlations(linear):
    toy, method = linear
    correlation = canonical_directions(training_moments(*toy, method="cca"), 1e-6, 3)[2]
    reached = -method.log[-1][method.log_columns.index("correlation")]
    assert correlation.sum() * 0.99 < reached < correlation.sum() * 1.0001


def test_linear_networks_find_ccas_space(make_toy):
    toy = make_toy((90, 30, 0), dims=(8, 6))
    toy = [each.select("train") for each in toy]  # nothing to select by: the last epoch stays
    settings = {"inputs": "raw", "hidden": [], "components": 2, "ridge": 1e-6, "learning_rate": 0.02}
    method = get_method("dcca", **settings, batch=90, epochs=400).fit(*toy, seed=0)
    directions = canonical_directions(training_moments(*toy, method="cca"), 1e-6, 2)[:2]
    for side, each, expected in zip(("image", "text"), toy, directions, strict=True):
        centred = each.feature - each.feature.mean(axis=0)
        # What the model embeds, for the unit rows of `represent` span another space.
        embedded = method.model.embed(side, torch.from_numpy(each.feature)).detach().double().numpy()
        angles = subspace_angles(embedded, centred @ expected)
        assert np.degrees(angles).max() < 5


def test_the_last_step_whitens_training_outputs_and_pairs_them(linear):
    toy, method = linear
    rows = [torch.from_numpy(each.feature[each.split == 0]) for each in toy]
    with torch.no_grad():
        left, right = (
            method.model.embed(side, each).double() for side, each in zip(("image", "text"), rows, strict=True)
        )
    np.testing.assert_allclose(left.T @ left / 89, np.eye(3), atol=1e-3)
    np.testing.assert_allclose(right.T @ right / 89, np.eye(3), atol=1e-3)
    cross = (left.T @ right / 89).numpy()
    np.testing.assert_allclose(cross, np.diag(np.diag(cross)), atol=1e-3)
    assert (np.diff(np.diag(cross)) <= 0).all()


def test_directions_are_weighted_by_their_correlation(toy, make_method):
    plain, weighted = (make_method("dcca", power=power, epochs=1).fit(*toy, seed=0) for power in (0.0, 2.0))
    name = "image_projection"
    ratio = (weighted.model.get_buffer(name) / plain.model.get_buffer(name)).numpy()
    assert (ratio <= 1).all()
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:1], ratio.shape), rtol=1e-3)
    assert (np.diff(ratio[0]) < 0).all()


def test_a_batch_with_few_couples_for_its_directions_is_refused(toy, make_method):
    make_method("dcca", components=11, batch=45, epochs=1).fit(*toy, seed=0)
    with pytest.raises(UserError, match=r"components: 12 need 48 couples a step in dcca, and there are 45"):
        make_method("dcca", components=12, batch=45).fit(*toy, seed=0)
    with pytest.raises(UserError, match=r"there are 30"):  # equally large parts
        make_method("dcca", components=8, batch=44).fit(*toy, seed=0)


def test_outputs_that_are_not_finite_are_named(toy, make_method):
    with pytest.raises(UserError, match=r"dcca.*learning rate.*lower learning_rate"):
        make_method("dcca", learning_rate=1e30, clip=0.0).fit(*toy, seed=0)


@pytest.mark.parametrize(
    "settings", [{"hidden": [0]}, {"components": 0}, {"ridge": 0.0}, {"ridge": float("nan")}, {"power": -1.0}]
)
def test_a_setting_out_of_range_is_named(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        get_method("dcca", **settings)


def test_it_learns_without_labels_what_goes_together(toy, make_method):
    assert make_method("dcca", epochs=20).fit(*toy, seed=0).best_val_map > 0.6
