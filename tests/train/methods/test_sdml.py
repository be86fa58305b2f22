"""SDML: a modality's training knows nothing of the other, and a vector on its direction costs nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from drsl.features.errors import SettingError


def weights(method, modality):
    return {name: each for name, each in method.model.state_dict().items() if modality in name.split(".")[:2]}


def test_the_frame_is_orthonormal_and_not_trained(make_method, toy):
    model = make_method("sdml").fit(*toy, seed=0).model
    assert "frame" not in dict(model.named_parameters())
    torch.testing.assert_close(model.frame.T @ model.frame, torch.eye(3), rtol=0, atol=1e-5)


def test_a_modality_trains_alike_whatever_the_other_is(make_method, make_toy):
    image, text = make_toy()
    method = make_method("sdml", epochs=1).fit(image, text, seed=0)
    noise = np.random.default_rng(0).random((len(text.id), 7)).astype(np.float32)
    other = make_method("sdml", epochs=1).fit(image, replace(text, feature=noise), seed=0)
    one, two = weights(method, "image"), weights(other, "image")
    assert len(one) == len(two) > 4
    for name in one:
        assert torch.equal(one[name], two[name]), name


def test_the_order_of_the_modalities_does_not_matter(make_method, toy, monkeypatch):
    method = make_method("sdml").fit(*toy, seed=0)
    turned = make_method("sdml")
    inorder = type(turned)._optimizers
    monkeypatch.setattr(turned, "_optimizers", lambda model: dict(reversed(inorder(turned, model).items())))
    turned.fit(*toy, seed=0)
    for name, each in method.model.state_dict().items():
        assert torch.equal(turned.model.state_dict()[name], each), name


@torch.no_grad()
def test_a_vector_on_the_direction_of_its_class_costs_nothing(make_method):
    with torch.random.fork_rng(devices=[]):
        model = make_method("sdml")._build((12, 12), 3)
    label = torch.tensor([0, 2, 1, 1])
    model.image = torch.nn.Identity()
    assert float(model.loss("image", model.frame.T[label], label, 0.0)) == pytest.approx(0, abs=1e-5)
    assert float(model.loss("image", -model.frame.T[label], label, 0.0)) == pytest.approx(2, abs=1e-5)


@torch.no_grad()
def test_the_loss_is_that_of_the_loop(make_method):
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = make_method("sdml")._build((12, 7), 3).double()
        feature, label = torch.rand(4, 7, dtype=torch.float64), torch.tensor([0, 2, 1, 1])
    expected = 0.0
    for x, y in zip(feature, label, strict=True):
        x = x / x.norm()
        z = model.text(x)
        z = z / z.norm()
        missed = z @ model.frame - torch.eye(3, dtype=torch.float64)[y]
        expected += float(0.7 * missed.norm() + 0.3 * (model.decoders["text"](z) - x).norm()) / 4
    assert float(model.loss("text", feature, label, 0.3)) == pytest.approx(expected, abs=1e-9)


def test_a_space_too_narrow_for_the_classes_is_refused(make_method, toy):
    with pytest.raises(SettingError, match="space: 2 must be the number of classes, 3"):
        make_method("sdml", space=2).fit(*toy, seed=0)
