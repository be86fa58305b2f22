"""MRL's robust loss, its directions and its rate."""

import math

import pytest
import torch

from drsl.features.errors import SettingError
from drsl.train.methods.mrl import robust_clustering
from drsl.train.methods.network import Batch


def test_the_robust_loss_is_that_of_the_loop():
    draw = torch.Generator().manual_seed(0)
    logits, label = torch.randn(5, 4, generator=draw, dtype=torch.float64), torch.tensor([0, 3, 1, 1, 2])
    expected = 0.0
    for row, right in zip(logits.tolist(), label.tolist(), strict=True):
        probability = math.exp(row[right]) / sum(map(math.exp, row))
        expected += math.log(1 - probability) / 5
    assert float(robust_clustering(logits, label)) == pytest.approx(expected, abs=1e-12)
    assert torch.autograd.gradcheck(lambda each: robust_clustering(each, label), (logits.requires_grad_(),))


def test_it_falls_as_the_right_class_grows_and_ends_finite():
    label = torch.tensor([0])
    losses = [float(robust_clustering(torch.tensor([[size, 0.0]]), label)) for size in (-9.0, 0.0, 1.0, 5.0, 100.0)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(math.log(1e-6), rel=0.1)


def test_items_far_from_their_label_pull_less_than_those_in_doubt():
    slopes = []
    for size in (-6.0, 0.0):
        logit = torch.tensor([[size, 0.0]], requires_grad=True)
        robust_clustering(logit, torch.tensor([0])).backward()
        slopes.append(float(logit.grad[0, 0].abs()))
    assert slopes[0] < slopes[1] / 50


def test_directions_keep_their_length_and_the_rate_falls_along_a_cosine(make_method):
    method = make_method("mrl")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = method._build((6, 5), 3)
        batch = Batch(torch.rand(9, 6), torch.rand(9, 5), *[torch.arange(9) % 3] * 2, 0.0)
    torch.testing.assert_close(model.directions.T @ model.directions, torch.eye(3), rtol=0, atol=1e-5)
    optimizers, before = method._optimizers(model), model.directions.detach().clone()
    for done, share in ((0.0, 1.0), (0.5, 0.5), (0.75, 0.146447)):
        method._step(model, optimizers, batch._replace(done=done))
        rate = optimizers["all"].param_groups[0]["lr"]
        assert rate == pytest.approx(share * method.config.learning_rate, rel=1e-4)
    torch.testing.assert_close(model.directions.norm(dim=0), torch.ones(3))
    assert not torch.equal(model.directions, before)


def test_another_fall_of_the_rate_is_refused(make_method):
    with pytest.raises(SettingError, match="learning_rate_decay: the rate of mrl falls along a cosine"):
        make_method("mrl", learning_rate_decay=0.9)
