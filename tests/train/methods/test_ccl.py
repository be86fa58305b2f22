"""CCL: the contrastive loss by loops, two heads on one matrix, frozen stages."""

import copy

import numpy as np
import torch
from torch.nn import functional

from drsl.train.methods.ccl import LevelTwo, contrastive_loss
from drsl.train.methods.network import Batch


def looped(image, text, same, margin):
    total = 0.0
    for p in range(len(image)):
        for q in range(len(text)):
            distance = float(np.linalg.norm(image[p] - text[q]))
            total += distance**2 if same[p, q] else max(0.0, margin - distance) ** 2
    return total / (2 * len(image))


def test_the_contrastive_loss_is_that_of_two_loops():
    draw = np.random.default_rng(0)
    image, text = draw.random((5, 3)), draw.random((5, 3))
    same = draw.random((5, 5)) < 0.4
    for margin in (0.3, 1.0):
        found = contrastive_loss(torch.from_numpy(image), torch.from_numpy(text), torch.from_numpy(same), margin)
        np.testing.assert_allclose(float(found), looped(image, text, same, margin), rtol=1e-6)


def test_its_gradient_is_that_of_differences_and_finite_where_a_pair_coincides():
    draw = torch.Generator().manual_seed(0)
    image, text = (torch.rand(4, 3, generator=draw, dtype=torch.float64, requires_grad=True) for _ in range(2))
    same = torch.eye(4, dtype=torch.bool)
    assert torch.autograd.gradcheck(lambda left, right: contrastive_loss(left, right, same, 1.0), (image, text))
    equal = torch.ones(2, 3, requires_grad=True)
    contrastive_loss(equal, torch.ones(2, 3), torch.zeros(2, 2, dtype=torch.bool), 1.0).backward()
    assert torch.isfinite(equal.grad).all()


def test_both_tasks_move_one_matrix():
    torch.manual_seed(0)
    level, feature, label = LevelTwo(6, 5, 3).double(), torch.randn(8, 6).double(), torch.arange(8) % 3

    def gradient(loss):
        level.zero_grad()
        loss(*level(feature)).backward()
        return level.shared.weight.grad.clone()

    def contrast(code, logits):
        return code.square().sum()

    def tell(code, logits):
        return functional.cross_entropy(logits, label)

    both = gradient(lambda *found: contrast(*found) + tell(*found))
    torch.testing.assert_close(both, gradient(contrast) + gradient(tell))
    assert gradient(contrast).abs().sum() > 0
    assert gradient(tell).abs().sum() > 0


def test_level_one_is_left_alone_by_the_epochs(make_method, toy, monkeypatch):
    method = make_method("ccl")
    seen = {}
    take_step = method._step

    def step(model, optimizers, batch: Batch):
        found = {key: each for key, each in model.state_dict().items() if "level_two" not in key and ".out." not in key}
        if not seen:
            seen.update(copy.deepcopy(found))
        for key, each in found.items():
            assert torch.equal(each, seen[key]), key
        assert batch.image.shape[1] == method.config.hidden  # the codes of level 1
        return take_step(model, optimizers, batch)

    monkeypatch.setattr(method, "_step", step)
    method.fit(*toy, seed=0)
    assert seen
    assert not any(each.requires_grad for each in method.model.image.whole.parameters())


def test_a_larger_correspondence_brings_the_codes_nearer(make_method, toy):
    def apart(share):
        model = make_method("ccl", correlation=share, stage_epochs=30, epochs=1).fit(*toy, seed=0).model
        codes = [
            getattr(model, side).correspondence(getattr(model, side).whole(torch.from_numpy(each.feature)))
            for side, each in zip(("image", "text"), toy, strict=True)
        ]
        return float(functional.mse_loss(*codes))

    assert apart(0.9) < apart(0.0)


def test_what_is_compared_is_standardised_on_train(make_method, toy):
    method = make_method("ccl").fit(*toy, seed=0)
    rows = toy[0].split == 0
    codes = method._embed("image", toy[0].feature[rows])
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(codes.std(axis=0), 1, atol=1e-3)
    raw = make_method("ccl", standard_codes=False).fit(*toy, seed=0)._embed("image", toy[0].feature)
    assert raw.min() >= 0
    assert raw.max() <= 1
